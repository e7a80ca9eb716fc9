// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The operating system's share of the sandbox: what the child process may ask
/// of the kernel once it is confined.

#include <cstdint>

namespace impound::lua {

/// Gives up everything but computing and talking on `fd`: no new privileges, no
/// core dump, dies with its parent; limits on memory, processor time, files and
/// processes; a seccomp filter that ends the process at any other system call.
///
/// In a build with sanitizers the limits on addresses and descriptors and the
/// filter are left out: shadow memory takes 20 TB of addresses, UBSan opens a
/// pipe to see whether an object can be read, and reports need system calls.
/// Everything else holds there as well.
///
/// @throws Error{unsupported} if the kernel refuses any of it: a playbook never
///         runs unconfined.
void confine(int fd, std::uint64_t memory_bytes, std::uint64_t cpu_seconds);

/// Whether this build installs the filter.
[[nodiscard]] bool has_filter() noexcept;

}  // namespace impound::lua
