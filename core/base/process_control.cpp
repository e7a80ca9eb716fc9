// SPDX-License-Identifier: Apache-2.0
#include "core/base/process_control.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace impound {

OsResult<Done> send_signal(const ProcFs& procfs, Pid pid,
                           std::uint64_t start_ticks, int signal) {
  // glibc 2.36 of Debian 12 wraps neither call for C++20 without extensions.
  const long raw = ::syscall(SYS_pidfd_open, pid, 0);
  if (raw < 0) return OsFailure{errno};
  const UniqueFd process(static_cast<int>(raw));
  // The descriptor pins whoever has the number; now see who that is.
  if (!procfs.is_same(pid, start_ticks)) return OsFailure{ESRCH};
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) !=
      0) {
    return OsFailure{errno};
  }
  return Done{};
}

OsResult<Done> write_control(const fs::path& path, std::string_view value) {
  const int raw = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (raw < 0) return OsFailure{errno};
  const UniqueFd fd(raw);
  const ssize_t done = ::write(fd.get(), value.data(), value.size());
  if (done < 0) return OsFailure{errno};
  if (static_cast<std::size_t>(done) != value.size()) return OsFailure{EIO};
  return Done{};
}

bool may_write(const fs::path& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

}  // namespace impound
