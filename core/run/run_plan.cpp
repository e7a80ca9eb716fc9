// SPDX-License-Identifier: Apache-2.0
#include "core/run/run_plan.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/deployment.hpp"
#include "core/engine/exhibits.hpp"
#include "core/run/deployment_view.hpp"
#include "core/run/plan_host.hpp"
#include "lua/host/playbook_commands.hpp"

namespace impound {
namespace {

GivenParameters given_parameters(const RunTools& tools,
                                 const lua::LoadedPlaybook& playbook,
                                 const RunRequest& request) {
  Json given = request.parameters;
  if (request.active_harm) given["active_harm"] = true;
  GivenParameters parameters;
  parameters.values =
      arguments_for(playbook, given, Spelling::command_line, tools.clock.now());
  parameters.reach = reach_given(playbook.parameters, given, parameters.values);
  return parameters;
}

Json touches_json(std::span<const Touch> touches) {
  Json list = Json::array();
  for (const Touch& one : touches) list.push_back(one.to_json());
  return list;
}

/// The plan comes to a comparison with that path of the deployment.
bool uses(const lua::RunOutcome& plan, const std::string& path) {
  return std::ranges::any_of(plan.plan, [&](const lua::PlannedAct& act) {
    return (act.function == lua::CtxFunction::diff ||
            act.function == lua::CtxFunction::load_baseline) &&
           std::ranges::find(act.touches, path, &Touch::what) !=
               act.touches.end();
  });
}

/// The parameter "baseline", or the descriptor's where the plan comes to it.
std::optional<BaselineCheck> baseline_of_run(const Arguments& parameters,
                                             const Deployment& deployment,
                                             const lua::RunOutcome& plan) {
  std::string path =
      from_lossless_utf8(text_or(parameters.json(), "baseline", ""));
  if (path.empty()) {
    path = deployment.baseline_path.native();
    const bool is_used = !path.empty() && uses(plan, path);
    if (!is_used) return std::nullopt;
  }
  if (parse_exhibit_reference(path)) {
    return std::nullopt;
  }
  // Absolute, so that a run can be resumed from another folder.
  BaselineCheck check = check_baseline(fs::absolute(path).lexically_normal());
  const bool is_read =
      std::ranges::any_of(plan.plan, [](const lua::PlannedAct& act) {
        return act.function == lua::CtxFunction::load_baseline;
      });
  if (!is_read) check.use = BaselineUse::whatever_differs;
  return check;
}

}  // namespace

Json RunPlan::acts() const {
  Json acts = Json::array();
  for (const lua::PlannedAct& act : outcome.plan) {
    acts.push_back({{"step", act.step},
                    {"function", to_string(act.function)},
                    {"arguments", act.arguments},
                    {"touches", touches_json(act.touches)},
                    {"what", lossless_utf8(act.sentence)},
                    {"at", act.at}});
  }
  return acts;
}

void RunPlan::require_startable() const {
  if (outcome.is_refused) throw Error(Errc::bad_input, outcome.message);
  if (outcome.is_cut_short) {
    throw Error(Errc::limit,
                "the plan did not come to its end, and no run of "
                "it would: " +
                    outcome.message);
  }
  if (baseline) baseline->require_usable();
}

RunPlan plan_run(const RunRequest& request, const RunTools& tools) {
  RunPlan plan;
  plan.playbook =
      lua::load_playbook(lua::find_playbook(request.playbook), tools.child);
  plan.parameters = given_parameters(tools, plan.playbook, request);
  if (!request.deployment.empty()) {
    plan.deployment = load_deployment(request.deployment);
  }
  plan.outcome = plan_acts(tools, plan.playbook, plan.parameters,
                           plan.deployment ? &*plan.deployment : nullptr);
  if (plan.deployment) {
    plan.baseline =
        baseline_of_run(plan.parameters.values, *plan.deployment, plan.outcome);
  }
  plan.questions = expected_questions(plan.playbook, plan.outcome);
  return plan;
}

lua::RunOutcome plan_acts(const RunTools& tools,
                          const lua::LoadedPlaybook& playbook,
                          const GivenParameters& parameters,
                          const Deployment* deployment) {
  PlanHost host(tools, deployment, playbook, parameters.reach);
  lua::RunOptions options;
  options.parameters = parameters.values;
  options.deployment =
      deployment == nullptr ? Json::object() : deployment_view(*deployment);
  options.instruments = tools.instruments;
  options.now = tools.clock.now();
  options.mode = lua::RunMode::plan;
  options.tool_version = tools.tool_version;
  options.child = tools.child;
  return lua::run_playbook(playbook, options, host);
}

Json permissions_of(const lua::LoadedPlaybook& playbook) {
  Json json;
  json["effect"] = to_string(playbook.effect);
  json["collectors"] = playbook.collectors;
  json["containments"] = playbook.containments;
  json["reads"] = playbook.reads;
  return json;
}

}  // namespace impound
