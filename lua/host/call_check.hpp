// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which functions a playbook may call, with which arguments: one table, used
/// for real runs, plans and tests alike.

#include <span>
#include <string_view>

#include "core/base/json.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

struct CallArgument {
  std::string_view name;
  /// text, flag, integer, size, count, object, texts, references, verdict,
  /// severity, outcome, act; a trailing '?' = may be absent.
  std::string_view type;
};

struct CallRule {
  std::string_view function;
  std::span<const CallArgument> arguments;
  Effect effect = Effect::read;
  bool is_journaled = true;
};

[[nodiscard]] std::span<const CallRule> call_rules();
[[nodiscard]] const CallRule* find_call_rule(std::string_view function);

/// Removes nulls and checks presence, type and value of every argument.
/// @throws Error{bad_input} naming the argument, what was expected and found.
[[nodiscard]] Json check_arguments(const CallRule& rule, const Json& arguments);

}  // namespace impound::lua
