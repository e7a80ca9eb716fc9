// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The functions of ctx: one table, which everything reads that knows of them.
///
/// A playbook acts through a handful of functions, and a plan, a run, a made-up
/// case, `playbook check` and the stubs of lua/api must agree on each: what it
/// is called with, what it does, whether a run records its answer, what a plan
/// says of it and goes on with. So all of that stands in one row of calls.cpp.
/// What a function really does is a handler of core/run/engine_host.cpp; one
/// that is missing there does not compile. A new function is an enumerator
/// here, its row, its handler, and its Lua in lua/lib/impound/context.lua with
/// the stub that documents it in lua/api/context.lua.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/engine/questions.hpp"
#include "core/engine/reach.hpp"
#include "core/evidence/parameter.hpp"

namespace impound::lua {

/// In the order of the table.
enum class CtxFunction : std::uint8_t {
  collect,
  items,
  read,
  contain,
  release,
  probe,
  served,
  diff,
  load_baseline,
  verify,
  verify_signature,
  scan,
  finding,
  note,
  gap,
  ask,
};

/// "load_baseline": the word in Lua, in the journal and in a plan.
[[nodiscard]] std::string_view to_string(CtxFunction function) noexcept;

/// The most that a call does.
enum class CallEffect : std::uint8_t {
  sealed,   ///< reads sealed evidence: the same comes out at any time
  measure,  ///< measures or takes: to do it again costs time alone
  compare,  ///< measures something against something else; without one such
            ///< call a run has looked at nothing
  record,   ///< writes down what the playbook says
  ask,      ///< asks a person
  contain,  ///< takes the deployment out of service
  release,  ///< gives it back
};

/// How Lua hands over the arguments.
enum class CallShape : std::uint8_t {
  values,      ///< ctx:diff(a, b)
  table,       ///< ctx:gap({ … })
  subject,     ///< ctx:verify_signature(subject, { … })
  instrument,  ///< ctx:collect("process", { … }): its parameters
  anything,    ///< ctx:note(x): whatever it is, as text
};

/// Whose parameters a call hands on as `arguments`.
enum class InstrumentKind : std::uint8_t { none, collector, containment };

/// What a test of a playbook may say of an answer (lua/api/fake.lua).
struct MadeUpAnswer {
  std::string_view key;  ///< in the setup; empty: nothing
  /// Fields it may have beside those of the stand-in: a misspelt field would be
  /// a test that tests nothing.
  std::vector<std::string_view> also = {};
  /// The argument that a setup may answer by; empty: it answers all alike.
  std::string_view by = {};
};

struct CallRule {
  CtxFunction function;
  std::string_view name;
  CallEffect effect;
  /// Each says what its values name (Parameter::touches).
  std::vector<Parameter> arguments;
  /// What the call touches of the deployment by itself. Must be said: a
  /// function without it cannot be called.
  std::optional<std::vector<DeploymentPart>> takes = {};
  /// What a plan goes on with: the keys of a real answer.
  Json (*stand_in)(const Json& arguments);
  /// What a plan says; null where a plan does not name the call.
  std::string (*sentence)(const Json& arguments) = nullptr;
  CallShape shape = CallShape::values;
  InstrumentKind instrument = InstrumentKind::none;
  /// What the arguments must be beyond their types; may complete them.
  void (*check)(const CallRule& rule, Json& arguments) = nullptr;
  MadeUpAnswer made_up = {};

  /// Its answer is recorded and comes out again when the run is resumed.
  [[nodiscard]] bool is_journaled() const noexcept {
    return effect != CallEffect::sealed;
  }
  /// What is said once a stop was requested may be half of it: no answer.
  [[nodiscard]] bool is_repeatable() const noexcept {
    return effect == CallEffect::measure || effect == CallEffect::compare;
  }
  /// What a person must have said yes to; none for most.
  [[nodiscard]] GuardedAct leave() const noexcept;
};

/// By CtxFunction.
[[nodiscard]] std::span<const CallRule> call_rules();
[[nodiscard]] const CallRule& rule_of(CtxFunction function);
/// Null if ctx has no such function.
[[nodiscard]] const CallRule* find_call_rule(std::string_view name);

}  // namespace impound::lua
