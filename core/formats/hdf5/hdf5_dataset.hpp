// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where the numbers of an HDF5 dataset stand, from the messages of its object
/// header. Included by hdf5.cpp, which finds them.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/source.hpp"
#include "core/formats/hdf5/hdf5.hpp"

namespace impound {

/// Offsets of the contents of the messages that describe a dataset.
struct Hdf5DatasetParts {
  std::optional<std::uint64_t> space;
  std::optional<std::uint64_t> type;
  std::optional<std::uint64_t> layout;
  bool has_filters = false;   ///< compressed, shuffled, checksummed
  bool has_external = false;  ///< its bytes are in another file
  bool is_shared = false;     ///< its type or shape stands elsewhere
};

/// Widths and the base that all addresses of the file have.
struct Hdf5Widths {
  std::size_t offset = 8;
  std::size_t length = 8;
  std::uint64_t base = 0;
};

/// Shape, number type and place; `missing` says what could not be found out.
[[nodiscard]] Hdf5Dataset read_hdf5_dataset(const ByteSource& source,
                                            const Hdf5Widths& widths,
                                            const Hdf5DatasetParts& parts);

}  // namespace impound
