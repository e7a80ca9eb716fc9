// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a run would do, act by act. Every run begins with its plan: what would
/// be refused half way is refused before anything is touched.

#include <optional>
#include <vector>

#include "core/engine/baseline_check.hpp"
#include "core/engine/reach.hpp"
#include "core/run/given_consent.hpp"
#include "core/run/run_request.hpp"
#include "lua/host/playbook_run.hpp"

namespace impound {

/// The parameters, and what of them a person gave that may be touched.
struct GivenParameters {
  Arguments values;
  ReachGiven reach;
};

struct RunPlan {
  lua::LoadedPlaybook playbook;
  GivenParameters parameters;
  std::optional<Deployment> deployment;
  lua::RunOutcome outcome;
  /// What a run will compare with, opened already; empty if there is none, or
  /// if it is an exhibit of the case.
  std::optional<BaselineCheck> baseline;
  std::vector<ExpectedQuestion> questions;

  /// The acts as data: what playbook.start holds, and --json prints.
  [[nodiscard]] Json acts() const;
  /// A run would be refused for the same reason, in the same words.
  /// @throws Error{bad_input} for a call or a baseline that is refused,
  ///         Error{limit} if the plan did not come to its end.
  void require_startable() const;
};

/// Changes nothing, and needs no case.
/// @throws Error{bad_input} for a playbook that does not load, a parameter or a
///         descriptor that does not fit.
[[nodiscard]] RunPlan plan_run(const RunRequest& request,
                               const RunTools& tools);

/// The same of a playbook that is loaded already. `deployment` may be null.
[[nodiscard]] lua::RunOutcome plan_acts(const RunTools& tools,
                                        const lua::LoadedPlaybook& playbook,
                                        const GivenParameters& parameters,
                                        const Deployment* deployment);

/// What a playbook declares that it may do, for the record.
[[nodiscard]] Json permissions_of(const lua::LoadedPlaybook& playbook);

}  // namespace impound
