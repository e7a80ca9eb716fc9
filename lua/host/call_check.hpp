// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A call held against its row of calls.hpp, before any host sees it: the same
/// for runs, plans and tests.

#include "core/base/json.hpp"
#include "core/engine/reach.hpp"
#include "lua/host/calls.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

/// Removes nulls and checks presence, type and value of every argument.
/// @throws Error{bad_input} naming the argument, what was expected and found.
[[nodiscard]] Json check_arguments(const CallRule& rule, const Json& arguments);

/// The collector or method that a call names, if it names one, and what it is
/// to do with it. Changes nothing of the call: what is recorded is
/// what the playbook said.
/// @throws Error{bad_input} for a name there is not, and as arguments_for().
void check_instrument(const Instruments& instruments, const CallRule& rule,
                      const Json& arguments, TimeNs now);

/// The call through the door of `reach`: its arguments with every path
/// resolved, and all that it would touch, the instrument's arguments too.
/// @throws as PlaybookReach::admit(); Error{unsupported} for a rule that does
///         not say what it touches.
[[nodiscard]] PlaybookReach::Admitted admit_call(const PlaybookReach& reach,
                                                 const Instruments& instruments,
                                                 const CallRule& rule,
                                                 const Json& arguments);

}  // namespace impound::lua
