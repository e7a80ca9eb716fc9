// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A host that keeps a journal in memory, as the case file does on disk.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "lua/host/playbook_host.hpp"

namespace impound::test {

class RecordingHost : public lua::PlaybookHost {
 public:
  Json perform(const lua::HostCall& call, std::int64_t n) override {
    performed.push_back(call);
    const std::string function(to_string(call.function));
    if (call.function == lua::CtxFunction::items) {
      const auto after = call.arguments["after"].get<std::int64_t>();
      const auto limit = call.arguments["limit"].get<std::int64_t>();
      Json list = Json::array();
      std::int64_t last = after;
      while (last < item_count && last < after + limit) {
        ++last;
        list.push_back(Json{{"number", last},
                            {"name", "f" + std::to_string(last)},
                            {"size", 4}});
      }
      return Json{{"items", list},
                  {"next", last < item_count ? Json(last) : Json()}};
    }
    if (call.function == lua::CtxFunction::read)
      return Json{{"base64", "AP8KQQ=="}};
    if (failing.contains(function)) {
      throw Error(Errc::io, failing.at(function));
    }
    Json answer = answers.contains(function)
                      ? answers.at(function)
                      : lua::plan_from_arguments(call).answer;
    if (!answer.contains("waiting")) {
      journal[n] = {.call_sha256 = lua::call_sha256(call),
                    .answer = answer,
                    .call = function};
    }
    if (die_after == n) throw std::runtime_error("power cut");
    return answer;
  }
  lua::FailedCall failed(const lua::HostCall& call, std::int64_t n,
                         const Error& error) override {
    const std::string function(to_string(call.function));
    if (attempts.contains(function)) return lua::FailedCall::attempted;
    journal[n] = {
        .call_sha256 = lua::call_sha256(call),
        .answer =
            Json{{"error", Json{{"code", "io"}, {"message", error.what()}}}},
        .call = function};
    return lua::FailedCall::answered;
  }
  std::optional<lua::RecordedCall> recorded(std::int64_t n) override {
    const auto found = journal.find(n);
    if (found == journal.end()) return std::nullopt;
    return found->second;
  }
  lua::PlannedCall plan(const lua::HostCall& call) override {
    return lua::plan_from_arguments(call);
  }
  PlaybookReach& reach() override { return reach_; }
  void step_started(const lua::StepInfo& step) override {
    events.push_back("start " + step.id);
  }
  void step_ended(const lua::StepInfo& step, lua::StepResult result,
                  const std::string&) override {
    events.push_back(std::string(lua::to_string(result)) + " " + step.id);
  }

  std::vector<lua::HostCall> performed;
  std::map<std::int64_t, lua::RecordedCall> journal;
  std::map<std::string, Json> answers;
  std::map<std::string, std::string> failing;
  std::set<std::string> attempts;  ///< functions whose failure is no answer
  std::vector<std::string> events;
  std::int64_t item_count = 0;
  std::int64_t die_after = -1;

 private:
  /// All that it names lies below one folder.
  Deployment deployment_{.name = "small",
                         .description = {},
                         .descriptor = {},
                         .descriptor_sha256 = {},
                         .model_path = "/srv",
                         .baseline_path = "/b.json",
                         .logs = {},
                         .process = {},
                         .containment_method = "process",
                         .probes = {}};
  PlaybookReach reach_{deployment_, {}, PlaybookReach::Disk::made_up};
};

}  // namespace impound::test
