// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the child process of a playbook gives up before it reads a line of it:
/// user, capabilities, and everything of the machine that a namespace can take
/// away. The filter of confine.hpp stays behind it: whoever finds a hole in one
/// of the calls that it allows finds nobody's rights, no network, no file and
/// no other process.
///
/// What the kernel does not let go (an old one, a container that forbids user
/// namespaces) is left out and not claimed: the result is measured, by what the
/// kernel says afterwards, and becomes part of the record of a run.

#include <array>
#include <cstdint>
#include <string_view>

#include "core/base/json.hpp"

namespace impound::lua {

/// Kinds of namespaces, as /proc/self/ns names them.
inline constexpr std::array<std::string_view, 7> kNamespaces{
    "user", "net", "mnt", "pid", "ipc", "uts", "cgroup"};

/// What was given up, as it was measured.
struct Isolation {
  std::uint32_t uid = 0;             ///< as the machine counts, after all of it
  bool is_nobody = false;            ///< it was root and is the user nobody
  bool has_no_groups = false;        ///< no supplementary groups
  bool has_no_capabilities = false;  ///< none effective, permitted, inheritable
                                     ///< or left to be gained
  std::array<bool, kNamespaces.size()> is_new{};  ///< by kNamespaces
  bool has_empty_root = false;  ///< its root is an empty, read-only folder

  /// {"uid","nobody","no_groups","no_capabilities","namespaces":[…],
  /// "empty_root"}; the filter adds itself.
  [[nodiscard]] Json to_json() const;
};

/// Gives up what can be given up. Where a new pid namespace was entered, the
/// caller goes on as its first process, and the process that called stays to
/// end as it ended. To be called by a process with one thread, before any file
/// or socket but those the child keeps is open.
/// @throws Error{unsupported} if root cannot be left: a playbook never runs as
///         root where it need not.
[[nodiscard]] Isolation isolate();

}  // namespace impound::lua
