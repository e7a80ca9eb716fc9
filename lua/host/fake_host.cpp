// SPDX-License-Identifier: Apache-2.0
#include "lua/host/fake_host.hpp"

#include <algorithm>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/questions.hpp"

namespace impound::lua {
namespace {

/// What a setup may say: these, and the answer to each function that has a
/// key of its own.
std::vector<std::string> setup_keys() {
  std::vector<std::string> keys{"params", "deployment", "collect", "answers"};
  for (const CallRule& rule : call_rules()) {
    if (!rule.made_up.key.empty()) keys.emplace_back(rule.made_up.key);
  }
  return keys;
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

void refuse_unknown_fields(const CallRule& rule, const Json& given) {
  const std::vector<std::string_view>& also = rule.made_up.also;
  const Json known = rule.stand_in(Json::object());
  for (const auto& [name, value] : given.items()) {
    if (is_subject(name)) {
      refuse_unknown_fields(rule, value);
    } else if (name != "error" && !known.contains(name) &&
               std::ranges::find(also, name) == also.end()) {
      std::vector<std::string> names(also.begin(), also.end());
      for (const auto& [key, unused] : known.items()) names.push_back(key);
      throw Error(Errc::bad_input,
                  "fake.run: " + std::string(rule.made_up.key) + ": " +
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

/// "003"
std::string numbered(std::size_t number) {
  std::string text = std::to_string(number);
  text.insert(0, text.size() < 3 ? 3 - text.size() : 0, '0');
  return text;
}

const Json& part(const Json& object, std::string_view key) {
  static const Json kNothing = Json::object();
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

}  // namespace

FakeHost::FakeHost(Json setup) : setup_(std::move(setup)) {
  const std::vector<std::string> keys = setup_keys();
  for (const auto& [key, value] : setup_.items()) {
    if (std::ranges::find(keys, key) != keys.end()) continue;
    throw Error(Errc::bad_input, "fake.run: there is no \"" + key +
                                     "\" in a setup; there are " +
                                     join(keys, ", "));
  }
  for (const CallRule& rule : call_rules()) {
    if (rule.made_up.key.empty()) continue;
    refuse_unknown_fields(rule, part(setup_, rule.made_up.key));
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
  Json seen{{"call", to_string(call.function)}, {"step", call.step}};
  for (const auto& [key, value] : call.arguments.items()) seen[key] = value;
  record_["calls"].push_back(seen);
  return answer(call);
}

Json FakeHost::answer(const HostCall& call) {
  switch (call.function) {
    case CtxFunction::collect:
      return collect(call);
    case CtxFunction::items:
      return items(call.arguments);
    case CtxFunction::read:
      return read(call.arguments);
    case CtxFunction::contain:
      return contain(call);
    case CtxFunction::release:
      return release(call);
    case CtxFunction::probe:
      return probe(call);
    case CtxFunction::served:
      return served(call);
    case CtxFunction::diff:
      return diff(call);
    case CtxFunction::ask:
      return ask(call.arguments);
    case CtxFunction::finding:
      return Json{{"finding", "F" + keep(call, "findings")}};
    case CtxFunction::note:
      keep(call, "notes");
      return Json::object();
    case CtxFunction::gap:
      keep(call, "gaps");
      return Json::object();
    default:  // as the setup says, or as a plan would
      return prepared(call);
  }
}

/// Remembers what a playbook wrote down.
/// @return its number in that list: "003".
std::string FakeHost::keep(const HostCall& call, const char* list) {
  Json fact = call.arguments;
  fact["step"] = call.step;
  record_[list].push_back(fact);
  return numbered(record_[list].size());
}

Json FakeHost::release(const HostCall& call) {
  Json result = prepared(call);
  if (result["released"] == true) record_["contained"] = false;
  return result;
}

Json FakeHost::probe(const HostCall& call) {
  Json result = prepared(call);
  const Json& given = part(setup_, "probe");
  if (!given.contains("contained")) result["contained"] = record_["contained"];
  if (!given.contains("measured")) {
    result["measured"] =
        result["contained"] == true ? "contained" : "not contained";
  }
  return result;
}

/// Without a process nothing is looked at, which a setup has to ask for.
Json FakeHost::served(const HostCall& call) {
  Json result = prepared(call);
  if (!part(setup_, "served").contains("pids")) result["pids"] = {4711};
  return result;
}

/// The setup's answer to a function that has a key there, over the stand-in of
/// plan mode.
Json FakeHost::prepared(const HostCall& call) const {
  const MadeUpAnswer& made_up = rule_of(call.function).made_up;
  return prepared(call, made_up.by.empty()
                            ? std::string()
                            : text_or(call.arguments, made_up.by, ""));
}

/// The same, under `subject` if the setup has one of that name.
Json FakeHost::prepared(const HostCall& call,
                        const std::string& subject) const {
  const CallRule& rule = rule_of(call.function);
  Json result = rule.stand_in(call.arguments);
  const std::string key(rule.made_up.key);
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
  Json result = prepared(call, subject);
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
  Exhibit exhibit{.id = "E" + numbered(exhibits_.size() + 1),
                  .items = Json::array()};
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
  Json result = prepared(call);
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
