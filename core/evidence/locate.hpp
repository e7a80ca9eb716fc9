// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Finds the processes that serve a deployment, as its descriptor says.

#include <string>
#include <vector>

#include "core/base/procfs.hpp"
#include "core/evidence/target.hpp"

namespace impound {

struct LocatedProcesses {
  /// The topmost serving processes; everything below them belongs too.
  std::vector<Pid> roots = {};
  /// "listens on port 8080", "belongs to unit vllm.service"; for records.
  std::string how = {};
  /// Why roots is empty, or what could not be looked at; "" if all is well.
  std::string problem = {};
  /// Something is there that this user may not look at; without it, roots is
  /// empty because nothing is there.
  bool is_denied = false;
};

/// Changes nothing. A unit is a systemd unit name, with or without ".service",
/// or the absolute path of a control group in any hierarchy.
[[nodiscard]] LocatedProcesses locate_processes(const ProcessLocator& locator,
                                                const ProcFs& procfs);

/// "pid 7", "port 8080", "unit vllm.service", "pidfile /run/x.pid"; "" if the
/// locator is empty.
[[nodiscard]] std::string in_words(const ProcessLocator& locator);

}  // namespace impound
