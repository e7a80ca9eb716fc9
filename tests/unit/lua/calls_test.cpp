// SPDX-License-Identifier: Apache-2.0
/// The table of ctx functions: whoever adds a row has to say all of it.

#include "lua/host/calls.hpp"

#include "core/base/error.hpp"
#include "lua/host/call_check.hpp"
#include "lua/host/playbook_host.hpp"
#include "tests/support/catch.hpp"

namespace impound::lua {
namespace {

/// A value of the type that a parameter asks for.
Json sample(const Parameter& parameter) {
  switch (parameter.type) {
    case ParameterType::table:
      return Json::object();
    case ParameterType::texts:
    case ParameterType::references:
      return Json::array({"E001/1"});
    case ParameterType::boolean:
      return false;
    case ParameterType::integer:
      return 1;
    case ParameterType::choice:
      return parameter.choices.front();
    default:
      return "some-" + parameter.name;
  }
}

/// What the function cannot be called without.
Json required_arguments(const CallRule& rule) {
  Json arguments = Json::object();
  for (const Parameter& parameter : rule.arguments) {
    if (parameter.is_required) arguments[parameter.name] = sample(parameter);
  }
  return arguments;
}

TEST_CASE("every function of ctx is found by its place and by its name",
          "[lua][calls]") {
  for (std::size_t i = 0; i < call_rules().size(); ++i) {
    const CallRule& rule = call_rules()[i];
    INFO(rule.name);
    CHECK(static_cast<std::size_t>(rule.function) == i);
    CHECK(&rule_of(rule.function) == &rule);
    CHECK(find_call_rule(rule.name) == &rule);
    CHECK(to_string(rule.function) == rule.name);
  }
  CHECK(find_call_rule("no_such_function") == nullptr);
}

TEST_CASE("a plan has a sentence for exactly the calls that a run records",
          "[lua][calls]") {
  for (const CallRule& rule : call_rules()) {
    INFO(rule.name);
    const Json arguments = required_arguments(rule);
    CHECK(rule.stand_in(arguments).is_object());
    const PlannedCall planned = plan_from_arguments({.function = rule.function,
                                                     .step = "act",
                                                     .arguments = arguments,
                                                     .at = {}});
    CHECK(planned.sentence.empty() == !rule.is_journaled());
    if (!rule.is_journaled()) continue;
    // What a person reads names what the call is about.
    for (const Parameter& parameter : rule.arguments) {
      const bool is_told =
          parameter.is_required && parameter.touched() != Touches::nothing;
      if (!is_told) continue;
      INFO(parameter.name);
      CHECK_THAT(planned.sentence, Catch::Contains("some-" + parameter.name));
    }
  }
}

TEST_CASE("a stand-in can be made before an argument is known",
          "[lua][calls]") {
  for (const CallRule& rule : call_rules()) {
    INFO(rule.name);
    CHECK_NOTHROW(rule.stand_in(Json::object()));
  }
}

TEST_CASE("what takes a deployment out of service or gives it back needs leave",
          "[lua][calls][I12]") {
  std::size_t guarded = 0;
  for (const CallRule& rule : call_rules()) {
    INFO(rule.name);
    const bool is_act = rule.effect == CallEffect::contain ||
                        rule.effect == CallEffect::release;
    CHECK((rule.leave() != GuardedAct::none) == is_act);
    // The act that a person says yes to is called like the function.
    if (is_act) CHECK(to_string(rule.leave()) == rule.name);
    // Done again it is another act.
    if (is_act) CHECK_FALSE(rule.is_repeatable());
    guarded += is_act ? 1 : 0;
  }
  CHECK(guarded == 2);
}

TEST_CASE("a call that hands on parameters of an instrument names it",
          "[lua][calls]") {
  for (const CallRule& rule : call_rules()) {
    INFO(rule.name);
    const bool hands_on =
        std::ranges::find(rule.arguments, "arguments", &Parameter::name) !=
        rule.arguments.end();
    CHECK((rule.instrument != InstrumentKind::none) == hands_on);
    CHECK((rule.shape == CallShape::instrument) == hands_on);
  }
}

TEST_CASE("a setup answers by an argument that the function has",
          "[lua][calls]") {
  for (const CallRule& rule : call_rules()) {
    INFO(rule.name);
    if (rule.made_up.by.empty()) continue;
    CHECK(std::ranges::find(rule.arguments, rule.made_up.by,
                            &Parameter::name) != rule.arguments.end());
  }
}

}  // namespace
}  // namespace impound::lua
