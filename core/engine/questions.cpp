// SPDX-License-Identifier: Apache-2.0
#include "core/engine/questions.hpp"

#include <algorithm>
#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 4> kActs{"", "contain", "release",
                                                "read"};

std::int64_t call_of(const Session& session) {
  return session.slot ? session.slot->n : 0;
}

std::int64_t call_of(const Json& detail) {
  const auto call = detail.find("call");
  return call == detail.end() || !call->is_number_integer()
             ? 0
             : call->get<std::int64_t>();
}

/// A note of version 0.1.0 has no call; it speaks of every question of that id.
bool is_about(const Json& detail, std::string_view id, std::int64_t call) {
  const std::int64_t own = call_of(detail);
  return text_or(detail, "id", "") == id &&
         (own == 0 || call == 0 || own == call);
}

GivenAnswer answer_from(const Json& line) {
  const Json& detail = line.at("detail");
  return {.text = from_lossless_utf8(text_or(detail, "answer", "")),
          .basis = text_or(detail, "basis", ""),
          .by = text_or(detail, "by", text_or(line.at("actor"), "name", "")),
          .at = text_or(detail, "at", text_or(line, "ts", ""))};
}

/// `draft` says this answer to that call.
void describe_answer(Json& detail, const Question& question, std::int64_t call,
                     const GivenAnswer& answer) {
  detail["kind"] = "answer";
  detail["id"] = lossless_utf8(question.id);
  detail["call"] = call;
  detail["text"] = lossless_utf8(question.text);
  detail["answer"] = lossless_utf8(answer.text);
  detail["by"] = answer.by;
  detail["at"] = answer.at;
  detail["basis"] = lossless_utf8(answer.basis);
}

bool is_pending(const Json& detail) {
  const auto pending = detail.find("pending");
  if (pending != detail.end()) return *pending == true;
  // Version 0.1.0 told the two apart by their basis only.
  return text_or(detail, "basis", "") == "impound answer";
}

}  // namespace

std::string_view to_string(GuardedAct act) noexcept {
  return kActs[static_cast<std::size_t>(act)];
}

std::optional<GuardedAct> guarded_act_from(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kActs.size(); ++i) {
    if (kActs[i] == name) return static_cast<GuardedAct>(i);
  }
  return std::nullopt;
}

Question Question::from_json(const Json& json, std::string_view source) {
  Question question;
  question.id = require_text(json, "id", source);
  question.text = require_text(json, "question", source);
  const auto choices = json.find("choices");
  if (choices != json.end() && choices->is_array()) {
    for (const Json& choice : *choices) {
      if (choice.is_string()) {
        question.choices.push_back(choice.get<std::string>());
      }
    }
  }
  if (json.contains("default")) {
    question.otherwise = require_text(json, "default", source);
  }
  question.approves = guarded_act_from(text_or(json, "approves", ""))
                          .value_or(GuardedAct::none);
  return question;
}

Json Question::to_json() const {
  Json json;
  json["id"] = id;
  json["question"] = text;
  json["choices"] = choices;
  json["default"] = otherwise ? Json(*otherwise) : Json(nullptr);
  json["approves"] =
      approves == GuardedAct::none ? Json(nullptr) : Json(to_string(approves));
  return json;
}

bool Question::admits(std::string_view answer) const {
  if (choices.empty()) return !trim(answer).empty();
  return std::ranges::find(choices, answer) != choices.end();
}

std::string Question::admitted() const {
  if (choices.empty()) return "any text";
  std::string list;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) list += i + 1 == choices.size() ? " or " : ", ";
    list += printable(choices[i]);
  }
  return list;
}

std::vector<OpenQuestion> open_questions(const CaseFile& case_file,
                                         std::string_view run) {
  std::vector<OpenQuestion> open;
  for (const Entry& entry : case_file.entries()) {
    if (text_or(entry.json, "action", "") != "note" ||
        text_or(entry.json, "run", "") != run) {
      continue;
    }
    const Json& detail = entry.json.at("detail");
    const std::string kind = text_or(detail, "kind", "");
    if (kind == "question") {
      Json asked = detail;
      asked["id"] = text_or(detail, "id", "");
      asked["question"] = text_or(detail, "text", "");
      if (asked.contains("default") && !asked["default"].is_string()) {
        asked.erase("default");
      }
      open.push_back({.question = Question::from_json(asked, "custody"),
                      .run = std::string(run),
                      .step = text_or(entry.json, "step", ""),
                      .call = call_of(detail),
                      .given = std::nullopt});
    } else if (kind == "answer") {
      const auto is_it = [&](const OpenQuestion& one) {
        return is_about(detail, one.question.id, one.call);
      };
      if (is_pending(detail)) {
        for (OpenQuestion& one : open) {
          if (is_it(one)) one.given = answer_from(entry.json);
        }
      } else {
        std::erase_if(open, is_it);
      }
    }
  }
  return open;
}

void record_question(Session& session, const Question& question) {
  const std::int64_t call = call_of(session);
  for (const OpenQuestion& one :
       open_questions(session.case_file, session.run)) {
    if (one.call == call && one.question.id == question.id) return;
  }
  EntryDraft draft = session.draft("note");
  draft.detail["kind"] = "question";
  draft.detail["id"] = lossless_utf8(question.id);
  draft.detail["call"] = call;
  draft.detail["text"] = lossless_utf8(question.text);
  draft.detail["choices"] = question.choices;
  if (question.otherwise) draft.detail["default"] = *question.otherwise;
  if (question.approves != GuardedAct::none) {
    draft.detail["approves"] = to_string(question.approves);
  }
  session.case_file.append({draft}, session.examiner);
}

void record_pending_answer(Session& session, const OpenQuestion& question,
                           const GivenAnswer& answer) {
  EntryDraft draft = session.draft("note");
  draft.run = question.run;
  draft.step = question.step;
  describe_answer(draft.detail, question.question, question.call, answer);
  draft.detail["pending"] = true;
  session.case_file.append({draft}, session.examiner);
}

std::optional<GivenAnswer> pending_answer(const Session& session,
                                          const Question& question) {
  const std::int64_t call = call_of(session);
  for (OpenQuestion& one : open_questions(session.case_file, session.run)) {
    if (one.question.id == question.id && (one.call == call || one.call == 0) &&
        one.given) {
      return std::move(one.given);
    }
  }
  return std::nullopt;
}

Json record_answer(Session& session, const Question& question,
                   const GivenAnswer& answer) {
  Json result;
  result["answer"] = lossless_utf8(answer.text);
  result["by"] = answer.by;
  result["at"] = answer.at;
  EntryDraft draft = session.draft("note");
  describe_answer(draft.detail, question, call_of(session), answer);
  draft.detail["pending"] = false;
  session.case_file.append({draft}, session.examiner, session.journal(result));
  return result;
}

}  // namespace impound
