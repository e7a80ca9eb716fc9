// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Consent on a command line: the options that give it, the part of a plan that
/// says what will be asked for, and questions asked at a terminal.

#include <span>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/cli/command.hpp"
#include "core/run/given_consent.hpp"
#include "core/run/run_listener.hpp"

namespace impound {

/// --answer and --yes as they were typed.
struct ConsentOptions {
  std::vector<std::string> answers;  ///< question=answer
  bool yes = false;

  /// @throws Error{bad_input} for an answer without '='.
  [[nodiscard]] TypedConsent typed() const;
};

/// Adds --answer and --yes.
void add_consent_options(CLI::App& command, ConsentOptions& options);

/// {"id","step",…,"ways":["--answer contain=yes","--yes"]}
[[nodiscard]] Json to_json(const ExpectedQuestion& expected);

/// Which consent a run will need and how it is given: the part of a plan that a
/// person must read.
[[nodiscard]] std::string consent_text(
    std::span<const ExpectedQuestion> questions);

/// True if a person sits at stdin and sees stderr.
[[nodiscard]] bool is_at_terminal(const Globals& globals);

/// Asks until the answer is admitted, the default is taken, or the person goes.
[[nodiscard]] TerminalAnswer ask_at_terminal(const Question& question,
                                             const Cancellation& cancellation);

}  // namespace impound
