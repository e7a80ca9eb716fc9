// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which functions a playbook may call, with which arguments: one table, used
/// for real runs, plans and tests alike.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/engine/reach.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

struct CallRule {
  std::string_view function;
  /// Each says what its values name (Parameter::touches).
  std::vector<Parameter> arguments;
  /// What the call touches of the deployment by itself. Must be said: a
  /// function without it cannot be called.
  std::optional<std::vector<DeploymentPart>> takes = {};
  Effect effect = Effect::read;
  bool is_journaled = true;
};

[[nodiscard]] std::span<const CallRule> call_rules();
[[nodiscard]] const CallRule* find_call_rule(std::string_view function);

/// Removes nulls and checks presence, type and value of every argument.
/// @throws Error{bad_input} naming the argument, what was expected and found.
[[nodiscard]] Json check_arguments(const CallRule& rule, const Json& arguments);

/// Of `collect` and `contain`: the collector or method that a call names, and
/// what it is to do with it. Changes nothing of the call: what is recorded is
/// what the playbook said.
/// @throws Error{bad_input} for a name there is not, and as arguments_for().
void check_instrument(const Instruments& instruments, std::string_view function,
                      const Json& arguments, TimeNs now);

/// The call through the door of `reach`: its arguments with every path
/// resolved, and all that it would touch. Of collect and contain the arguments
/// of the instrument, too.
/// @throws as PlaybookReach::admit().
[[nodiscard]] PlaybookReach::Admitted admit_call(const PlaybookReach& reach,
                                                 const Instruments& instruments,
                                                 std::string_view function,
                                                 const Json& arguments);

}  // namespace impound::lua
