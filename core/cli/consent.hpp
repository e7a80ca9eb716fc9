// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Consent given on a command line, held against the questions that a run may
/// ask, before anything is touched; and questions asked at a terminal.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/cli/command.hpp"
#include "core/engine/questions.hpp"
#include "lua/host/playbook_run.hpp"

namespace impound {

/// --answer and --yes as they were typed.
struct ConsentOptions {
  std::vector<std::string> answers;  ///< question=answer
  bool yes = false;
};

/// Adds --answer and --yes.
void add_consent_options(CLI::App& command, ConsentOptions& options);

/// The same, checked.
struct GivenConsent {
  std::map<std::string, std::string> answers;  ///< by id of the question
  bool yes = false;  ///< to every question that approves an act
};

/// Holds what was typed against what may be asked.
/// @throws Error{bad_input} for a question that is not among `known`, an
///         answer that none of that id admits, or two answers to one.
[[nodiscard]] GivenConsent check_consent(const ConsentOptions& options,
                                         std::span<const Question> known,
                                         std::string_view playbook);

/// A question that a plan met or that the playbook declares.
struct ExpectedQuestion {
  Question question;
  std::string step;  ///< empty: declared, and asked only if evidence says so

  /// {"id","step",…,"ways":["--answer contain=yes","--yes"]}
  [[nodiscard]] Json to_json() const;
};

/// Each question once, in the order of the plan; then the declared ones.
[[nodiscard]] std::vector<ExpectedQuestion> expected_questions(
    const lua::LoadedPlaybook& playbook, const lua::RunOutcome& planned);

/// Which consent a run will need and how it is given: the part of a plan that a
/// person must read.
[[nodiscard]] std::string consent_text(
    std::span<const ExpectedQuestion> questions);

/// How a question at the terminal ended.
enum class AskedHow : std::uint8_t {
  answered,
  defaulted,    ///< Enter took the default
  interrupted,  ///< Ctrl-C, or the program was told to end
  ended,        ///< the input ended, Ctrl-D
};

struct TerminalAnswer {
  AskedHow how = AskedHow::ended;
  std::string text;
};

/// True if a person sits at stdin and sees stderr.
[[nodiscard]] bool is_at_terminal(const Globals& globals);

/// Asks until the answer is admitted, the default is taken, or the person goes.
[[nodiscard]] TerminalAnswer ask_at_terminal(const Question& question,
                                             const Cancellation& cancellation);

}  // namespace impound
