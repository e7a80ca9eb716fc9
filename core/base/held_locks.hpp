// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Files that this process must not read beside whoever keeps locks on them.
///
/// A lock of fcntl(2) belongs to the process, not to the descriptor: closing
/// *any* descriptor of the file gives up every lock that the process holds on
/// it (POSIX.1-2017, fcntl). SQLite's locks are such locks. A collector that
/// reads all files which a process of the deployment holds open, or a folder
/// above the case, would come to the very case file that it records into, and
/// its close() would let another process take the database for abandoned: that
/// one then removes the journal under our feet, and what we commit next is
/// lost, or ends in SIGBUS. So open_read() refuses these files, and says why.

#include <filesystem>
#include <vector>

#include "core/base/fs.hpp"

namespace impound {

/// The failure of open_read() for such a file; it is no errno.
inline constexpr int kOurLockedFile = -1;

/// While it lives, open_read() refuses these files by whatever name. They need
/// not be there yet. May be made and destroyed by any thread.
class LockedFiles {
 public:
  explicit LockedFiles(std::vector<std::filesystem::path> paths);
  ~LockedFiles();
  LockedFiles(const LockedFiles&) = delete;
  LockedFiles& operator=(const LockedFiles&) = delete;

 private:
  std::vector<std::filesystem::path> paths_;
};

/// True if that is one of the files of a LockedFiles that lives.
[[nodiscard]] bool is_locked_by_us(const FileStat& stat);

}  // namespace impound
