// SPDX-License-Identifier: Apache-2.0
#include "core/base/fs_holes.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace impound {

std::vector<Extent> find_holes(const UniqueFd& fd, std::uint64_t size,
                               std::size_t limit) {
  std::vector<Extent> holes;
  std::uint64_t at = 0;
  while (at < size) {
    const off_t hole = ::lseek(fd.get(), static_cast<off_t>(at), SEEK_HOLE);
    if (hole < 0 || static_cast<std::uint64_t>(hole) >= size) return holes;
    const off_t data = ::lseek(fd.get(), hole, SEEK_DATA);
    if (data < 0 && errno != ENXIO) return {};  // ENXIO: a hole to the end
    const std::uint64_t end =
        data < 0 ? size : std::min(size, static_cast<std::uint64_t>(data));
    if (holes.size() == limit) return {};
    const auto begin = static_cast<std::uint64_t>(hole);
    if (end <= begin) return {};  // changed under us
    holes.push_back({begin, end - begin});
    at = end;
  }
  return holes;
}

}  // namespace impound
