// SPDX-License-Identifier: Apache-2.0
#include "core/engine/evidence_lock.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

fs::path lock_file(const fs::path& folder, const std::string& exhibit) {
  return folder / (exhibit + ".lock");
}

}  // namespace

EvidenceLock::EvidenceLock(const fs::path& folder, const std::string& exhibit)
    : path_(lock_file(folder, exhibit)), fd_(open_lock_file(path_)) {
  if (!try_lock(fd_)) {
    throw Error(Errc::io, fmt::format("{} is held by another process",
                                      printable(path_.native())));
  }
}

EvidenceLock::~EvidenceLock() { remove_file(path_); }

bool EvidenceLock::is_held(const fs::path& folder, const std::string& exhibit) {
  const fs::path path = lock_file(folder, exhibit);
  if (!stat_path(path, Links::refuse)) return false;
  const UniqueFd fd = open_lock_file(path);
  return !try_lock(fd);
}

}  // namespace impound
