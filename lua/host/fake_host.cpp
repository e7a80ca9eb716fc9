// SPDX-License-Identifier: Apache-2.0
#include "lua/host/fake_host.hpp"

#include <algorithm>
#include <array>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"

namespace impound::lua {
namespace {

constexpr std::array<std::string_view, 13> kSetup{
    "params",   "deployment", "collect", "answers", "diff",
    "baseline", "scan",       "verify",  "contain", "release",
    "probe",    "signature",  "served"};

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
    record_["contained"] = false;
    return prepared(call, "release", "");
  }
  if (function == "diff") {
    return prepared(call, "diff",
                    arguments["a"].get<std::string>() + " -> " +
                        arguments["b"].get<std::string>());
  }
  if (function == "served") return prepared(call, "served", "");
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
    result["contained"] = record_["contained"];
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
  const Json* given = &part(setup_, key);
  if (!subject.empty() && given->contains(subject)) {
    given = &(*given)[subject];
  }
  raise_if_error(*given);
  for (const auto& [name, value] : given->items()) result[name] = value;
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
  record_["contained"] = result["contained"];
  return result;
}

Json FakeHost::ask(const Json& arguments) {
  record_["questions"].push_back(arguments);
  const auto id = arguments["id"].get<std::string>();
  const Json& answers = part(setup_, "answers");
  std::string answer = text_or(answers, id, "");
  if (answer.empty()) answer = text_or(arguments, "default", "");
  if (answer.empty() && arguments.contains("choices")) {
    // Nobody said anything: what harms least is usually said last ("no").
    answer = arguments["choices"].back().get<std::string>();
  }
  if (answer == "waiting") return Json{{"waiting", "an answer to " + id}};
  return Json{{"answer", answer}, {"by", "test"}, {"at", ""}};
}

void FakeHost::failed(const HostCall& /*call*/, std::int64_t /*n*/,
                      const Error& /*error*/) {}

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
