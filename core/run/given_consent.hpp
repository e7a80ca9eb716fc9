// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Consent given beforehand, held against the questions that a run may ask,
/// before anything is touched.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/questions.hpp"
#include "lua/host/playbook_run.hpp"

namespace impound {

/// What was said on a command line.
struct TypedConsent {
  std::vector<std::pair<std::string, std::string>> answers;  ///< by question
  bool yes = false;
};

/// The same, checked.
struct GivenConsent {
  std::map<std::string, std::string> answers;  ///< by id of the question
  bool yes = false;  ///< to every question that approves an act
};

/// Holds what was typed against what may be asked.
/// @throws Error{bad_input} for a question that is not among `known`, an
///         answer that none of that id admits, or two answers to one.
[[nodiscard]] GivenConsent check_consent(const TypedConsent& typed,
                                         std::span<const Question> known,
                                         std::string_view playbook);

/// A question that a plan met or that the playbook declares.
struct ExpectedQuestion {
  Question question;
  std::string step;  ///< empty: declared, and asked only if evidence says so
};

/// Each question once, in the order of the plan; then the declared ones.
[[nodiscard]] std::vector<ExpectedQuestion> expected_questions(
    const lua::LoadedPlaybook& playbook, const lua::RunOutcome& planned);

/// The questions alone.
[[nodiscard]] std::vector<Question> questions_of(
    std::span<const ExpectedQuestion> expected);

}  // namespace impound
