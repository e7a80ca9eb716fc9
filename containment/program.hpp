// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Runs a program of the machine without a shell: nft, nginx, systemctl, or
/// what a descriptor declares.
///
/// As with any control plane the command goes through the table of what is
/// never sent, has a time limit, and stands with what it printed in
/// Target::exchanges. The environment is three variables of our own, the
/// program leads a process group that is killed with it when time is up.

#include <optional>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

struct ProgramRun {
  std::vector<std::string> argv;  ///< the first an absolute path
  std::string input = {};         ///< on its standard input
  int timeout_ms = 10'000;
  /// A network namespace to run it in, as /proc/PID/ns/net; empty: ours.
  fs::path network_namespace = {};

  /// "nft -f - (in /proc/7/ns/net)": as a dry run and the record show it.
  [[nodiscard]] std::string line() const;
  [[nodiscard]] PlannedAct planned(std::string what) const;
};

struct ProgramEnd {
  int exit_code = 0;  ///< 128 + n where signal n ended it
  std::string output;
  std::string errors;

  [[nodiscard]] bool is_ok() const { return exit_code == 0; }
  /// "exit code 1: no such table", one line.
  [[nodiscard]] std::string in_words() const;
};

/// Where a program of the system lies; PATH is not asked.
/// @throws Error{io} naming the folders that were looked into.
[[nodiscard]] std::string find_program(const std::string& name);

/// Runs it to its end, whatever its exit code.
/// @throws Error{unsupported} for what is forbidden: nothing was run;
///         Error{io} if it could not be started or did not end in time.
[[nodiscard]] ProgramEnd run_program(const ProgramRun& run,
                                     const Target& target);

/// The same; @throws Error{io} as well unless the exit code is 0.
ProgramEnd run_program_ok(const ProgramRun& run, const Target& target);

}  // namespace impound
