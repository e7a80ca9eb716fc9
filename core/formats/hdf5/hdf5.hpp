// SPDX-License-Identifier: Apache-2.0
#pragma once
/// As much of HDF5 as says what a Keras .h5 file would do: attributes of the
/// root group, and links and data that lead to other files. HDF5 File Format
/// Specification 3.0: superblocks 0 to 3, object headers 1 and 2.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

struct Hdf5Text {
  std::string value;
  std::uint64_t offset = 0;  ///< of its bytes in the file
};

/// A way out of the file: an external link, or data kept in another file.
struct Hdf5External {
  std::string path;    ///< of the object in the file: "/dense/kernel:0"
  std::string target;  ///< file name as written
  std::uint64_t offset = 0;
  bool is_link = false;  ///< an external link; otherwise external storage
};

/// An array of the file. Its bytes are at hand where `missing` is empty.
struct Hdf5Dataset {
  TensorInfo info;  ///< name: its path, "/dense/kernel:0"
  bool is_big_endian = false;
  bool is_number = false;  ///< of a type that models are made of
  std::string missing;     ///< why its bytes cannot be viewed
};

struct Hdf5File {
  std::uint64_t superblock = 0;  ///< where it stands
  int version = 0;               ///< of the superblock
  /// Attributes of the root group that are one text each.
  std::map<std::string, Hdf5Text> attributes;
  std::vector<Hdf5External> externals;
  std::vector<Hdf5Dataset> datasets;
  std::uint64_t objects = 0;
  bool attributes_read = false;  ///< every attribute of the root was seen
  bool groups_read = false;      ///< every group was walked to its end
  Problems problems;             ///< "hdf5-…"
};

/// Bytes of one text, and of all texts of one file: many attributes may name
/// the same text. Beyond it the report says that not all was read.
inline constexpr std::uint64_t kMaxHdf5Text = 64ULL * 1024 * 1024;
inline constexpr std::uint64_t kMaxHdf5Texts = 256ULL * 1024 * 1024;
inline constexpr std::uint64_t kMaxHdf5Objects = 200'000;

/// Where the signature stands: 0, 512, 1024, 2048 … up to the end, as far as
/// the library looks; false if nowhere.
[[nodiscard]] bool find_hdf5(const ByteSource& source, std::uint64_t& offset);

/// @throws only what source.read() throws.
[[nodiscard]] Hdf5File read_hdf5(const ByteSource& source);

}  // namespace impound
