// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/sparse_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/text.hpp"

namespace impound {

SparseFile look_for_holes(const UniqueFd& fd, const FileStat& stat) {
  SparseFile file;
  file.size = stat.size;
  file.data_bytes = stat.size;
  if (stat.allocated >= stat.size) return file;
  std::uint64_t data_bytes = 0;
  for (std::uint64_t at = 0; at < stat.size;) {
    const off_t data = ::lseek(fd.get(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) {
      // ENXIO: a hole to the end. Anything else: no holes are known here.
      if (errno != ENXIO) return file;
      break;
    }
    const auto begin = static_cast<std::uint64_t>(data);
    if (begin >= stat.size) break;
    const off_t hole = ::lseek(fd.get(), data, SEEK_HOLE);
    if (hole <= data) return file;  // changed under us
    const std::uint64_t end =
        std::min(stat.size, static_cast<std::uint64_t>(hole));
    if (file.data.size() == kMostDataParts) {
      file.is_scattered = true;
      file.data.clear();
      file.data_bytes = std::min(stat.size, stat.allocated);
      return file;
    }
    file.data.push_back({begin, end - begin});
    data_bytes += end - begin;
    at = end;
  }
  file.data_bytes = data_bytes;
  return file;
}

std::uint64_t bytes_to_take(const std::filesystem::path& path, Links links,
                            const FileStat& stat) {
  if (stat.allocated >= stat.size) return stat.size;
  const auto fd = open_read(path, links);
  if (!fd) return stat.size;
  return look_for_holes(*fd, stat).data_bytes;
}

std::vector<ByteRange> parts_to_take(const SparseFile& file) {
  if (!file.data.empty()) return file.data;
  // No range at all would mean the whole file.
  return {{0, std::min<std::uint64_t>(file.size, 4096)}};
}

std::string sparse_reason(const SparseFile& file) {
  return fmt::format(
      "a sparse file of {}: {} are data and stored, the rest is holes, which "
      "read as zeros and are not",
      human_bytes(file.size), human_bytes(file.data_bytes));
}

}  // namespace impound
