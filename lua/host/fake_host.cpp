// SPDX-License-Identifier: Apache-2.0
#include "lua/host/fake_host.hpp"

#include <algorithm>
#include <array>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/questions.hpp"

namespace impound::lua {
namespace {

constexpr std::array<std::string_view, 13> kSetup{
    "params",   "deployment", "collect", "answers", "diff",
    "baseline", "scan",       "verify",  "contain", "release",
    "probe",    "signature",  "served"};

/// What a setup may say in the answer to one function, beside the fields of
/// the stand-in: a misspelt field would be a test that tests nothing.
struct AnswerFields {
  std::string_view key;
  std::string_view function;
  std::vector<std::string_view> optional;
};
const std::array<AnswerFields, 8>& answer_fields() {
  static const std::array<AnswerFields, 8> kFields{{
      {"diff",
       "diff",
       {"tensors_identical", "before", "after", "aligned_by", "model",
        "dataset"}},
      {"baseline", "load_baseline", {"key", "sha256", "made_at", "tensors"}},
      {"scan", "scan", {"locator", "rules_version"}},
      {"verify", "verify", {"exhibit", "items"}},
      {"signature",
       "verify_signature",
       {"subject", "trust", "matched", "unread", "problems", "root", "method",
        "certificate"}},
      {"contain",
       "contain",
       {"deployment", "rolled_back", "proof", "proving_probes", "intent",
        "held_by", "holds_now", "hold_problem", "state"}},
      {"release", "release", {}},
      {"served", "served", {"located_by", "model_path", "fileless_bytes"}},
  }};
  return kFields;
}

/// "E001", "E001/17", "/srv/model", "before -> after": who the answer is about,
/// and no field of one.
bool is_subject(std::string_view key) {
  return key.find_first_of("/>") != std::string_view::npos ||
         (key.size() > 1 && key[0] == 'E' &&
          key.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

/// An answer without those by subject, in the order of the setup.
Json without_subjects(const Json& given) {
  Json answer = Json::object();
  for (const auto& [name, value] : given.items()) {
    if (!is_subject(name)) answer[name] = value;
  }
  return answer;
}

void refuse_unknown_fields(const AnswerFields& fields, const Json& given) {
  const Json known =
      plan_from_arguments({.function = std::string(fields.function),
                           .step = {},
                           .arguments = Json{{"arguments", Json::object()}},
                           .at = {}})
          .answer;
  for (const auto& [name, value] : given.items()) {
    if (is_subject(name)) {
      refuse_unknown_fields(fields, value);
    } else if (name != "error" && !known.contains(name) &&
               std::ranges::find(fields.optional, name) ==
                   fields.optional.end()) {
      std::vector<std::string> names(fields.optional.begin(),
                                     fields.optional.end());
      for (const auto& [key, unused] : known.items()) names.push_back(key);
      throw Error(Errc::bad_input,
                  "fake.run: " + std::string(fields.key) + ": " +
                      no_such_word(name, names, "an answer has"));
    }
  }
}

/// What a comparison that gives these lists counts.
Json counts_of(const Json& difference) {
  Json counts = Json::object();
  std::string words;
  for (const auto& [list, word] :
       {std::pair{"files", "file"}, std::pair{"tensors", "tensor"}}) {
    const Json& all = difference[list];
    const auto is_compared = [](const Json& change) {
      const std::string status = text_or(change, "status", "");
      return status != "not_compared" && status != "unreadable";
    };
    const auto compared = std::ranges::count_if(all, is_compared);
    counts[list] = compared;
    counts[std::string(list) + "_total"] = all.size();
    words += (words.empty() ? "" : ", ") + std::to_string(compared) + " of " +
             std::to_string(all.size()) + " " + word +
             (all.size() == 1 ? "" : "s");
  }
  counts["words"] = words;
  return counts;
}

/// {"error": "text"} in a setup makes the call fail.
void raise_if_error(const Json& value) {
  const std::string error = text_or(value, "error", "");
  if (!error.empty()) throw Error(Errc::io, error);
}

const Json& part(const Json& object, std::string_view key) {
  static const Json kNothing = Json::object();
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

}  // namespace

FakeHost::FakeHost(Json setup) : setup_(std::move(setup)) {
  for (const auto& [key, value] : setup_.items()) {
    if (std::find(kSetup.begin(), kSetup.end(), key) != kSetup.end()) continue;
    std::string names;
    for (const std::string_view name : kSetup) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    throw Error(Errc::bad_input, "fake.run: there is no \"" + key +
                                     "\" in a setup; there are " + names);
  }
  for (const AnswerFields& fields : answer_fields()) {
    refuse_unknown_fields(fields, part(setup_, fields.key));
  }
  for (const char* list :
       {"findings", "questions", "notes", "gaps", "exhibits", "calls"}) {
    record_[list] = Json::array();
  }
  record_["steps"] = Json::object();
  record_["contained"] = false;
}

void FakeHost::set_reach(const LoadedPlaybook& playbook, const Json& typed,
                         const Arguments& values) {
  const Json shown = deployment();
  described_.model_path = from_lossless_utf8(text_or(shown, "model_path", ""));
  described_.baseline_path =
      from_lossless_utf8(text_or(shown, "baseline_path", ""));
  described_.logs.clear();
  for (const Json& log : part(shown, "logs")) {
    described_.logs.push_back(
        {.path = from_lossless_utf8(text_or(log, "path", ""))});
  }
  reach_ =
      PlaybookReach(described_,
                    {.given = reach_given(playbook.parameters, typed, values),
                     .reads = {playbook.reads.begin(), playbook.reads.end()}},
                    PlaybookReach::Disk::made_up);
}

Json FakeHost::parameters() const { return part(setup_, "params"); }

Json FakeHost::deployment() const {
  Json deployment{{"name", "made-up"},
                  {"description", "A deployment for tests."},
                  {"model_path", "/srv/model"},
                  {"baseline_path", ""},
                  {"containment_method", "process"},
                  {"logs", Json::array()},
                  {"probes", Json::array()}};
  for (const auto& [key, value] : part(setup_, "deployment").items()) {
    deployment[key] = value;
  }
  return deployment;
}

Json FakeHost::perform(const HostCall& call, std::int64_t /*n*/) {
  Json seen{{"call", call.function}, {"step", call.step}};
  for (const auto& [key, value] : call.arguments.items()) seen[key] = value;
  record_["calls"].push_back(seen);
  return answer(call);
}

Json FakeHost::answer(const HostCall& call) {
  const std::string& function = call.function;
  const Json& arguments = call.arguments;
  if (function == "collect") return collect(call);
  if (function == "items") return items(arguments);
  if (function == "read") return read(arguments);
  if (function == "contain") return contain(call);
  if (function == "ask") return ask(arguments);
  if (function == "release") {
    Json result = prepared(call, "release", "");
    if (result["released"] == true) record_["contained"] = false;
    return result;
  }
  if (function == "diff") return diff(call);
  if (function == "served") {
    Json result = prepared(call, "served", "");
    // Without a process nothing is looked at, which a setup has to ask for.
    if (!part(setup_, "served").contains("pids")) result["pids"] = {4711};
    return result;
  }
  if (function == "load_baseline") return prepared(call, "baseline", "");
  if (function == "scan") {
    return prepared(call, "scan", arguments["subject"].get<std::string>());
  }
  if (function == "verify") return prepared(call, "verify", "");
  if (function == "verify_signature") {
    return prepared(call, "signature", arguments["subject"].get<std::string>());
  }
  if (function == "probe") {
    Json result = prepared(call, "probe", "");
    const Json& given = part(setup_, "probe");
    if (!given.contains("contained")) {
      result["contained"] = record_["contained"];
    }
    if (!given.contains("measured")) {
      result["measured"] =
          result["contained"] == true ? "contained" : "not contained";
    }
    return result;
  }
  const std::string list = function == "finding" ? "findings"
                           : function == "note"  ? "notes"
                                                 : "gaps";
  Json fact = arguments;
  fact["step"] = call.step;
  record_[list].push_back(fact);
  if (function != "finding") return Json::object();
  std::string number = std::to_string(record_[list].size());
  number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
  return Json{{"finding", "F" + number}};
}

/// The setup's answer under `key` (under its `subject` if it has one), over the
/// stand-in of plan mode.
Json FakeHost::prepared(const HostCall& call, const std::string& key,
                        const std::string& subject) const {
  Json result = plan_from_arguments(call).answer;
  const Json& all = part(setup_, key);
  Json given = without_subjects(all);
  if (!subject.empty() && all.contains(subject)) {
    given = all[subject];
  } else if (given.empty() && !all.empty()) {
    std::vector<std::string> subjects;
    for (const auto& [name, value] : all.items()) subjects.push_back(name);
    throw Error(Errc::bad_input,
                "fake.run: " + key + ": " +
                    no_such_word(subject, subjects, "the setup answers"));
  }
  raise_if_error(given);
  for (const auto& [name, value] : given.items()) {
    // An empty table of Lua does not say that it is a list.
    const bool is_empty_list =
        value.is_object() && value.empty() && result[name].is_array();
    result[name] = is_empty_list ? Json::array() : value;
  }
  return result;
}

Json FakeHost::diff(const HostCall& call) {
  const std::string subject = call.arguments["a"].get<std::string>() + " -> " +
                              call.arguments["b"].get<std::string>();
  Json result = prepared(call, "diff", subject);
  const Json& all = part(setup_, "diff");
  const Json& given = all.contains(subject) ? all[subject] : all;
  if (!given.contains("compared")) result["compared"] = counts_of(result);
  return result;
}

Json FakeHost::collect(const HostCall& call) {
  const auto collector = call.arguments["collector"].get<std::string>();
  const Json& given = part(part(setup_, "collect"), collector);
  raise_if_error(given);
  Json result{{"outcome", "ok"},
              {"gaps", 0},
              {"gap_list", Json::array()},
              {"empty_handed", false}};
  Json list = given;
  if (given.is_object()) {
    for (const auto& [key, value] : given.items()) result[key] = value;
    list = part(given, "items");
  }
  if (!list.is_array()) list = Json::array();
  std::string number = std::to_string(exhibits_.size() + 1);
  number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
  Exhibit exhibit{.id = "E" + number, .items = Json::array()};
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Json item = list[i];
    item["number"] = i + 1;
    const std::string content = text_or(item, "content", "");
    if (!item.contains("size")) item["size"] = content.size();
    if (!item.contains("sha256")) item["sha256"] = sha256(content).hex();
    if (!item.contains("outcome")) item["outcome"] = "ok";
    if (item["size"].is_number_unsigned())
      bytes += item["size"].get<std::uint64_t>();
    exhibit.items.push_back(std::move(item));
  }
  result["exhibit"] = exhibit.id;
  result["items"] = exhibit.items.size();
  result["bytes"] = bytes;
  record_["exhibits"].push_back(
      Json{{"id", exhibit.id}, {"collector", collector}, {"step", call.step}});
  exhibits_.push_back(std::move(exhibit));
  return result;
}

const FakeHost::Exhibit& FakeHost::exhibit(const Json& arguments) const {
  const auto id = arguments["exhibit"].get<std::string>();
  for (const Exhibit& exhibit : exhibits_) {
    if (exhibit.id == id) return exhibit;
  }
  throw Error(Errc::bad_input, "there is no exhibit " + printable(id));
}

Json FakeHost::items(const Json& arguments) const {
  const std::string pattern = text_or(arguments, "pattern", "");
  const auto after = arguments["after"].get<std::uint64_t>();
  const auto limit = arguments["limit"].get<std::uint64_t>();
  Json page = Json::array();
  Json next;
  for (const Json& item : exhibit(arguments).items) {
    const auto number = item["number"].get<std::uint64_t>();
    if (number <= after) continue;
    if (!pattern.empty() && !glob_match(pattern, text_or(item, "name", ""))) {
      continue;
    }
    if (page.size() == limit) {
      next = page.back()["number"];
      break;
    }
    page.push_back(item);
  }
  return Json{{"items", page}, {"next", next}};
}

Json FakeHost::read(const Json& arguments) const {
  const auto number = arguments["item"].get<std::uint64_t>();
  const auto offset = arguments["offset"].get<std::uint64_t>();
  const auto length = arguments["length"].get<std::uint64_t>();
  for (const Json& item : exhibit(arguments).items) {
    if (item["number"] != number) continue;
    const std::string content = text_or(item, "content", "");
    if (offset > content.size() || length > content.size() - offset) {
      throw Error(Errc::malformed, "item has " +
                                       std::to_string(content.size()) +
                                       " bytes; cannot read past its end");
    }
    return Json{
        {"base64", to_base64(as_bytes(content).subspan(offset, length))}};
  }
  throw Error(Errc::bad_input, "there is no item " + std::to_string(number));
}

Json FakeHost::contain(const HostCall& call) {
  Json result = prepared(call, "contain", "");
  if (result["contained"] != true) {
    // As an attempt ends that was measured not to hold, unless it is said.
    const Json& given = part(setup_, "contain");
    for (const auto& [key, value] :
         {std::pair<const char*, Json>{"end", "rolled back"},
          {"measured", "not contained"},
          {"rolled_back", true}}) {
      if (!given.contains(key)) result[key] = value;
    }
  }
  record_["contained"] = result["contained"];
  return result;
}

/// As a person does who is asked at the terminal: Enter takes the default, and
/// where there is none nobody has answered.
Json FakeHost::ask(const Json& arguments) {
  record_["questions"].push_back(arguments);
  const Question question = Question::from_json(arguments, "ask");
  const std::string given = text_or(part(setup_, "answers"), question.id, "");
  const std::string answer =
      given.empty() ? question.otherwise.value_or("waiting") : given;
  if (answer == "waiting") {
    return Json{{"waiting", "an answer to " + question.id}};
  }
  if (!question.admits(answer)) {
    throw Error(Errc::bad_input, "\"" + printable(answer) +
                                     "\" is no answer to \"" +
                                     printable(question.id) + "\": expected " +
                                     question.admitted());
  }
  return Json{{"answer", answer}, {"by", "test"}, {"at", ""}};
}

/// A made-up failure comes out the same each time.
FailedCall FakeHost::failed(const HostCall& /*call*/, std::int64_t /*n*/,
                            const Error& /*error*/) {
  return FailedCall::answered;
}

std::optional<RecordedCall> FakeHost::recorded(std::int64_t /*n*/) {
  return std::nullopt;
}

PlannedCall FakeHost::plan(const HostCall& call) {
  return plan_from_arguments(call);
}

void FakeHost::step_started(const StepInfo& /*step*/) {}

void FakeHost::step_ended(const StepInfo& step, StepResult result,
                          const std::string& message) {
  record_["steps"][step.id] =
      Json{{"result", to_string(result)}, {"message", message}};
}

}  // namespace impound::lua
