// SPDX-License-Identifier: Apache-2.0
#include "core/run/given_consent.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

std::string ids_of(std::span<const Question> known) {
  std::vector<std::string> seen;
  std::string ids;
  for (const Question& one : known) {
    if (std::ranges::find(seen, one.id) != seen.end()) continue;
    seen.push_back(one.id);
    ids += (ids.empty() ? "" : ", ") + printable(one.id);
  }
  return ids;
}

void require_admitted(const std::string& id, const std::string& answer,
                      std::span<const Question> known,
                      std::string_view playbook) {
  std::string admitted;
  for (const Question& one : known) {
    if (one.id != id) continue;
    if (one.admits(answer)) return;
    admitted = one.admitted();
  }
  if (!admitted.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("--answer {}={}: \"{}\" is no answer to \"{}\": "
                            "expected {}",
                            printable(id), printable(answer), printable(answer),
                            printable(id), admitted));
  }
  const std::string ids = ids_of(known);
  throw Error(Errc::bad_input,
              fmt::format("--answer {}={}: {} asks no question \"{}\" here; {}",
                          printable(id), printable(answer), printable(playbook),
                          printable(id),
                          ids.empty() ? "it asks none" : "it asks " + ids));
}

}  // namespace

GivenConsent check_consent(const TypedConsent& typed,
                           std::span<const Question> known,
                           std::string_view playbook) {
  GivenConsent given;
  given.yes = typed.yes;
  for (const auto& [id, answer] : typed.answers) {
    require_admitted(id, answer, known, playbook);
    if (!given.answers.emplace(id, answer).second) {
      throw Error(Errc::bad_input,
                  fmt::format("--answer {}={}: the question \"{}\" is answered "
                              "twice",
                              printable(id), printable(answer), printable(id)));
    }
  }
  return given;
}

std::vector<ExpectedQuestion> expected_questions(
    const lua::LoadedPlaybook& playbook, const lua::RunOutcome& planned) {
  std::vector<ExpectedQuestion> questions;
  for (const lua::PlannedQuestion& one : planned.questions) {
    questions.push_back({.question = one.question, .step = one.step});
  }
  for (const Question& declared : playbook.questions) {
    const bool is_planned =
        std::ranges::any_of(questions, [&](const ExpectedQuestion& one) {
          return one.question.id == declared.id;
        });
    if (!is_planned) questions.push_back({.question = declared, .step = {}});
  }
  return questions;
}

std::vector<Question> questions_of(std::span<const ExpectedQuestion> expected) {
  std::vector<Question> questions;
  for (const ExpectedQuestion& one : expected) {
    questions.push_back(one.question);
  }
  return questions;
}

}  // namespace impound
