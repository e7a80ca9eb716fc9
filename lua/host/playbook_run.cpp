// SPDX-License-Identifier: Apache-2.0
#include "lua/host/playbook_run.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "lua/host/child_process.hpp"
#include "lua/host/playbook_session.hpp"

namespace impound::lua {
namespace {

/// The same document with the keys of every object sorted by bytes.
Json sorted(const Json& json) {
  if (json.is_array()) {
    Json list = Json::array();
    for (const Json& element : json) list.push_back(sorted(element));
    return list;
  }
  if (!json.is_object()) return json;
  std::map<std::string, Json> by_key;
  for (const auto& [key, value] : json.items()) by_key[key] = sorted(value);
  Json object = Json::object();
  for (auto& [key, value] : by_key) object[key] = std::move(value);
  return object;
}

/// Every field that lua/api/context.lua promises, empty where it is not known.
Json complete_deployment(const Json& given) {
  Json deployment = given.is_object() ? given : Json::object();
  for (const char* key : {"name", "description", "model_path", "baseline_path",
                          "containment_method"}) {
    if (!deployment.contains(key)) deployment[key] = "";
  }
  for (const char* key : {"containment_methods", "logs", "probes"}) {
    if (!deployment.contains(key)) deployment[key] = Json::array();
  }
  return deployment;
}

/// True if both are versions and `version` comes before `needed`.
bool is_older(const std::string& version, const std::string& needed) {
  if (version.empty() || needed.empty()) return false;
  const std::vector<std::string> a = split(version, '.');
  const std::vector<std::string> b = split(needed, '.');
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const int difference = std::atoi(a[i].c_str()) - std::atoi(b[i].c_str());
    if (difference != 0) return difference < 0;
  }
  return false;
}

}  // namespace

std::string_view to_string(RunState state) noexcept {
  switch (state) {
    case RunState::done:
      return "done";
    case RunState::failed:
      return "failed";
    case RunState::waiting:
      return "waiting";
    case RunState::interrupted:
      break;
  }
  return "interrupted";
}

std::string_view to_string(StepResult result) noexcept {
  switch (result) {
    case StepResult::done:
      return "done";
    case StepResult::incomplete:
      return "incomplete";
    case StepResult::skipped:
      return "skipped";
    case StepResult::failed:
      break;
  }
  return "failed";
}

std::string call_sha256(const HostCall& call) {
  const Json document{{"arguments", sorted(call.arguments)},
                      {"function", to_string(call.function)},
                      {"step", call.step}};
  return sha256(dump_line(document)).hex();
}

PlannedCall plan_from_arguments(const HostCall& call) {
  const CallRule& rule = rule_of(call.function);
  return {.answer = rule.stand_in(call.arguments),
          .sentence = rule.sentence == nullptr ? std::string()
                                               : rule.sentence(call.arguments)};
}

std::string RecordedCall::description() const {
  return call.empty() ? std::string() : " (" + call + ")";
}

RunOutcome run_playbook(const LoadedPlaybook& playbook,
                        const RunOptions& options, PlaybookHost& host) {
  if (!options.resumed_sha256.empty() &&
      options.resumed_sha256 != playbook.sha256) {
    throw Error(
        Errc::bad_input,
        "the playbook " + playbook.id +
            " was changed since the run began: its files have SHA-256 " +
            playbook.sha256 + ", the run was started with " +
            options.resumed_sha256 +
            "; restore them to resume, or start a new run");
  }
  if (is_older(options.tool_version, playbook.min_tool)) {
    throw Error(Errc::unsupported, "the playbook " + playbook.id +
                                       " needs impound " + playbook.min_tool +
                                       " or newer; this is " +
                                       options.tool_version);
  }
  RunOptions checked = options;
  checked.deployment = complete_deployment(options.deployment);
  ChildProcess child(options.child, ChildProcess::Mode::playbook,
                     playbook.sources);
  const auto loaded = child.receive();
  RunOutcome broken;
  broken.state = RunState::failed;
  if (const auto* end = std::get_if<ChildEnd>(&loaded)) {
    if (end->why == ChildEnd::Why::cancelled) {
      broken.state = RunState::interrupted;
    }
    broken.is_cut_short = broken.state == RunState::failed;
    broken.message = end->message;
    return broken;
  }
  const auto& message = std::get<ChildMessage>(loaded);
  if (message.kind != ChildMessage::Kind::loaded ||
      message.declared != playbook.declared) {
    broken.message = message.failure
                         ? message.failure->text()
                         : "the file declares another playbook than before";
    return broken;
  }
  return PlaybookSession(playbook, checked, host).run(child);
}

}  // namespace impound::lua
