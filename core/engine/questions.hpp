// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a playbook asks a person, and what the person said.
///
/// An answer is a person's act, so it is recorded with the way it was given:
/// on the command line, at the terminal, or by `impound answer`. A question
/// belongs to one call of one run (number `call` of its journal). The same
/// question asked again later is another question: an answer that allowed one
/// act does not outlive it.
///
/// In the record a question is a note of kind "question" and an answer one of
/// kind "answer", both with `id` and `call`. An answer that the run has not
/// taken up yet has `pending` true; the run then writes its own, with the
/// basis.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/session.hpp"

namespace impound {

/// What the answer "yes" to a question allows.
enum class GuardedAct : std::uint8_t {
  none,
  contain,
  release,
  read,  ///< what needs.reads of a playbook names; asked by the tool alone
};

/// Id of the question that asks leave for needs.reads; no playbook asks it.
inline constexpr std::string_view kReadsQuestion = "reads";

/// "" for none.
[[nodiscard]] std::string_view to_string(GuardedAct act) noexcept;
[[nodiscard]] std::optional<GuardedAct> guarded_act_from(
    std::string_view name) noexcept;

struct Question {
  std::string id;
  std::string text;
  std::vector<std::string> choices;      ///< empty: free text
  std::optional<std::string> otherwise;  ///< the default
  GuardedAct approves = GuardedAct::none;

  /// From {"id","question","choices"?,"default"?,"approves"?}, checked already.
  /// @throws Error{malformed} naming `source` and the key.
  [[nodiscard]] static Question from_json(const Json& json,
                                          std::string_view source);
  [[nodiscard]] Json to_json() const;

  [[nodiscard]] bool admits(std::string_view answer) const;
  /// "yes or no", "one of a, b, c", "any text".
  [[nodiscard]] std::string admitted() const;
};

/// An answer and how it was given.
struct GivenAnswer {
  std::string text;
  std::string basis;  ///< "asked at the terminal"
  std::string by;     ///< who said it
  std::string at;     ///< when
};

/// A question that stands in the record and that the run has not got past.
struct OpenQuestion {
  Question question;
  std::string run;
  std::string step;
  std::int64_t call = 0;             ///< 0 in records of version 0.1.0
  std::optional<GivenAnswer> given;  ///< the newest pending answer
};

/// In the order they were asked.
[[nodiscard]] std::vector<OpenQuestion> open_questions(
    const CaseFile& case_file, std::string_view run);

/// Writes the question that nobody has answered yet, once for each call. The
/// session stands in that call.
void record_question(Session& session, const Question& question);

/// Writes an answer that the run takes up when it gets there.
void record_pending_answer(Session& session, const OpenQuestion& question,
                           const GivenAnswer& answer);

/// What was said beforehand to the question that the session's call asks.
[[nodiscard]] std::optional<GivenAnswer> pending_answer(
    const Session& session, const Question& question);

/// Writes the answer that the run goes on with; returns {"answer","by","at"}
/// and journals it.
[[nodiscard]] Json record_answer(Session& session, const Question& question,
                                 const GivenAnswer& answer);

}  // namespace impound
