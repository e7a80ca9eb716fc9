// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Acting on processes: a signal that cannot hit the wrong one, a value for a
/// control file of the kernel.

#include <cstdint>
#include <string_view>

#include "core/base/fs.hpp"
#include "core/base/procfs.hpp"

namespace impound {

/// Success carries nothing.
struct Done {};

/// Sends `signal` (0 asks for permission only) to the process that started at
/// `start_ticks`; ESRCH if that process is gone, whoever has its number now.
[[nodiscard]] OsResult<Done> send_signal(const ProcFs& procfs, Pid pid,
                                         std::uint64_t start_ticks, int signal);

/// Writes one value to an existing file below /sys/fs/cgroup or /proc, in one
/// system call as the kernel wants it.
[[nodiscard]] OsResult<Done> write_control(const fs::path& path,
                                           std::string_view value);

/// Whether this user may write `path`, by the kernel's own check.
[[nodiscard]] bool may_write(const fs::path& path);

}  // namespace impound
