// SPDX-License-Identifier: Apache-2.0
#include "core/engine/evidence_lock.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

fs::path lock_file(const fs::path& folder, const std::string& subject) {
  return folder / (subject + ".lock");
}

/// The locked file that has this name; none if another process holds it.
std::optional<UniqueFd> take(const fs::path& path) {
  while (true) {
    UniqueFd fd = open_lock_file(path);
    if (!try_lock(fd)) return std::nullopt;
    const auto held = stat_fd(fd);
    const auto named = stat_path(path, Links::refuse);
    if (held && named && held->device == named->device &&
        held->inode == named->inode) {
      return fd;
    }
    // Its holder removed it between our opening and our locking.
  }
}

UniqueFd take_or_throw(const fs::path& path) {
  auto fd = take(path);
  if (!fd) {
    throw Error(Errc::io, fmt::format("{} is held by another process",
                                      printable(path.native())));
  }
  return std::move(*fd);
}

}  // namespace

EvidenceLock::EvidenceLock(fs::path path, UniqueFd fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

EvidenceLock::EvidenceLock(const fs::path& folder, const std::string& subject)
    : path_(lock_file(folder, subject)), fd_(take_or_throw(path_)) {}

EvidenceLock::~EvidenceLock() {
  if (fd_.is_open()) remove_file(path_);
}

std::optional<EvidenceLock> EvidenceLock::try_take(const fs::path& folder,
                                                   const std::string& subject) {
  fs::path path = lock_file(folder, subject);
  auto fd = take(path);
  if (!fd) return std::nullopt;
  return EvidenceLock(std::move(path), std::move(*fd));
}

bool EvidenceLock::is_held(const fs::path& folder, const std::string& subject) {
  if (!stat_path(lock_file(folder, subject), Links::refuse)) return false;
  return !try_take(folder, subject);
}

}  // namespace impound
