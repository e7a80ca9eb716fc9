// SPDX-License-Identifier: Apache-2.0
#include "core/base/held_locks.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace impound {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const std::vector<std::filesystem::path>*> files;
};

Registry& registry() {
  static Registry all;
  return all;
}

}  // namespace

LockedFiles::LockedFiles(std::vector<std::filesystem::path> paths)
    : paths_(std::move(paths)) {
  const std::scoped_lock lock(registry().mutex);
  registry().files.push_back(&paths_);
}

LockedFiles::~LockedFiles() {
  const std::scoped_lock lock(registry().mutex);
  std::erase(registry().files, &paths_);
}

bool is_locked_by_us(const FileStat& stat) {
  const std::scoped_lock lock(registry().mutex);
  return std::ranges::any_of(registry().files, [&](const auto* paths) {
    return std::ranges::any_of(*paths, [&](const std::filesystem::path& path) {
      // Asked anew each time: a journal is removed and made again.
      const auto now = stat_path(path, Links::follow);
      return now && now->device == stat.device && now->inode == stat.inode;
    });
  });
}

}  // namespace impound
