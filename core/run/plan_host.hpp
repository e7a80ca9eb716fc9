// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The host of plan mode: describes every call, performs nothing, has no case.

#include <optional>

#include "core/engine/reach.hpp"
#include "core/run/run_request.hpp"
#include "lua/host/playbook_host.hpp"

namespace impound {

class PlanHost final : public lua::PlaybookHost {
 public:
  /// Null if no deployment was named. It and `tools` outlive the host.
  PlanHost(const RunTools& tools, const Deployment* deployment,
           const lua::LoadedPlaybook& playbook, const ReachGiven& given);

  Json perform(const lua::HostCall& call, std::int64_t n) override;
  [[nodiscard]] lua::FailedCall failed(const lua::HostCall&, std::int64_t,
                                       const Error&) override {
    return lua::FailedCall::answered;
  }
  std::optional<lua::RecordedCall> recorded(std::int64_t) override {
    return std::nullopt;
  }
  lua::PlannedCall plan(const lua::HostCall& call) override;
  PlaybookReach& reach() override { return reach_; }
  void step_started(const lua::StepInfo&) override {}
  void step_ended(const lua::StepInfo&, lua::StepResult,
                  const std::string&) override {}

 private:
  /// What a collector and a containment say that they would do.
  [[nodiscard]] std::string collecting(const Json& arguments) const;
  [[nodiscard]] std::string containing(const Json& arguments) const;

  const RunTools& tools_;
  const Deployment* deployment_;  ///< null if none was named
  PlaybookReach reach_;
};

}  // namespace impound
