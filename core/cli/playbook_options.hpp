// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The command line of a playbook: its options, and what they ask core/run for.

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "core/cli/command.hpp"
#include "core/cli/consent.hpp"
#include "core/run/run_request.hpp"

namespace impound {

struct PlaybookOptions {
  std::string playbook;
  std::filesystem::path deployment;
  std::vector<std::string> parameters;  ///< name=value
  ConsentOptions consent;               ///< given beforehand; run only
  bool active_harm = false;

  /// @throws Error{bad_input} for what is no name=value.
  [[nodiscard]] RunRequest request() const;
};

/// Adds the options that plan and run share.
void add_playbook_options(CLI::App& command, PlaybookOptions& options);

/// How children of playbooks are started: within the seconds of
/// IMPOUND_PLAYBOOK_SECONDS, if that says fewer than the tool allows.
/// @throws Error{bad_input} if it says no number from 1.
[[nodiscard]] lua::ChildOptions child_options(const Globals& globals);

/// What runs of this program act with. `globals` outlives it.
[[nodiscard]] RunTools run_tools(const Globals& globals);

}  // namespace impound
