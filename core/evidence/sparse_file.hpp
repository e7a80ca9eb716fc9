// SPDX-License-Identifier: Apache-2.0
#pragma once
/// How much of a sparse file is data, and how much of it is taken.
///
/// The size of a file is what somebody wrote into its inode: `truncate -s 1T`
/// costs nothing and takes no block. Were it believed, one such file beside the
/// weights would deny the whole acquisition, for want of space or of time. So
/// space is asked for by the data, holes are never read, and a file whose holes
/// are larger than any that a model's file has is taken by its data alone, as a
/// slice; that it was, and where the holes are, stands in its item.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/evidence/collector.hpp"

namespace impound {

/// Zeros that are stored for the holes of one file, so that its digest is that
/// of the whole file. Hashing them takes some ten seconds.
inline constexpr std::uint64_t kMostHoleBytes = 16ULL * 1024 * 1024 * 1024;

/// Parts of data that are looked for. More are made on purpose.
inline constexpr std::size_t kMostDataParts = 10'000;

struct SparseFile {
  std::uint64_t size = 0;
  std::uint64_t data_bytes = 0;  ///< size where the file system knows no holes
  std::vector<ByteRange> data;   ///< ascending; empty if all of it is one hole
  bool is_scattered = false;     ///< more parts than kMostDataParts

  [[nodiscard]] std::uint64_t hole_bytes() const { return size - data_bytes; }
  /// Its holes are not stored.
  [[nodiscard]] bool is_taken_by_data() const {
    return hole_bytes() > kMostHoleBytes;
  }
};

/// Of an open regular file. A scattered file counts by the blocks it has.
[[nodiscard]] SparseFile look_for_holes(const UniqueFd& fd,
                                        const FileStat& stat);

/// Bytes that taking the file needs at most; its size if it cannot be opened.
[[nodiscard]] std::uint64_t bytes_to_take(const std::filesystem::path& path,
                                          Links links, const FileStat& stat);

/// The parts to take of a file that is taken by its data: never none.
[[nodiscard]] std::vector<ByteRange> parts_to_take(const SparseFile& file);

/// "a sparse file of 1.10 TB: 4.10 kB are data and stored, the rest is holes,
/// which read as zeros and are not"
[[nodiscard]] std::string sparse_reason(const SparseFile& file);

}  // namespace impound
