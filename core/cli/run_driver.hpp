// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Running playbooks: options of a command line, plan, run and resume.

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "core/cli/command.hpp"
#include "core/cli/consent.hpp"
#include "lua/host/playbook.hpp"

namespace impound {

struct PlaybookOptions {
  std::string playbook;
  std::filesystem::path deployment;
  std::vector<std::string> parameters;  ///< name=value
  ConsentOptions consent;               ///< given beforehand; run only
  bool active_harm = false;
};

/// How children of playbooks are started: within the seconds of
/// IMPOUND_PLAYBOOK_SECONDS, if that says fewer than the tool allows.
/// @throws Error{bad_input} if it says no number from 1.
[[nodiscard]] lua::ChildOptions child_options(const Globals& globals);

/// Adds the options that plan and run share.
void add_playbook_options(CLI::App& command, PlaybookOptions& options);

/// What a run would do, act by act; changes nothing, needs no case.
[[nodiscard]] ExitCode plan_playbook(const Globals& globals,
                                     const PlaybookOptions& options);

/// A new run of a playbook in the case.
[[nodiscard]] ExitCode start_run(const Globals& globals,
                                 const PlaybookOptions& options);

/// Goes on with a run that was interrupted, that waits, or that crashed. The
/// chain is checked whole, and the journal held against it, before anything is
/// replayed. `retry` names a step that failed or is incomplete: what is
/// recorded of it and of all behind it are attempts from then on.
/// @throws Error{integrity} if the record does not verify.
[[nodiscard]] ExitCode resume_run(const Globals& globals,
                                  const std::string& run,
                                  const ConsentOptions& consent,
                                  const std::string& retry = {});

}  // namespace impound
