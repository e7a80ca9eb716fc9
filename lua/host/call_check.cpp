// SPDX-License-Identifier: Apache-2.0
#include "lua/host/call_check.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"

namespace impound::lua {
namespace {

/// The one of `all` that is called `name`.
template <typename Instrument>
const Instrument& find_named(std::span<const Instrument* const> all,
                             std::string_view kind, const std::string& name) {
  std::vector<std::string> names;
  for (const Instrument* const one : all) {
    if (one->name == name) return *one;
    names.emplace_back(one->name);
  }
  throw Error(Errc::bad_input, std::string(kind) + ": " +
                                   no_such_word(name, names, "there are"));
}

/// Calls `act` with the collector or containment that a call names, the word
/// for its kind, and what it takes of the deployment; not at all for a call
/// that names none.
template <typename Act>
void with_instrument(const Instruments& instruments, const CallRule& rule,
                     const Json& arguments, const Act& act) {
  const std::span<const DeploymentPart> nothing;
  switch (rule.instrument) {
    case InstrumentKind::none:
      return;
    case InstrumentKind::collector: {
      const Collector& collector =
          find_named(instruments.collectors, "collector",
                     arguments.at("collector").get<std::string>());
      act("collector", collector, collector.takes);
      return;
    }
    case InstrumentKind::containment:
      act("containment",
          find_named(instruments.containments, "containment",
                     arguments.at("method").get<std::string>()),
          nothing);
      return;
  }
}

}  // namespace

Json check_arguments(const CallRule& rule, const Json& arguments) {
  Json checked = check_parameters(rule.name, rule.arguments, arguments,
                                  Spelling::values, 0)
                     .json();
  require_names(rule.name, rule.arguments, checked);
  if (rule.check != nullptr) rule.check(rule, checked);
  return checked;
}

void check_instrument(const Instruments& instruments, const CallRule& rule,
                      const Json& arguments, TimeNs now) {
  with_instrument(
      instruments, rule, arguments,
      [&](std::string_view kind, const auto& instrument, const auto&) {
        const Arguments checked = arguments_for(
            instrument, arguments.at("arguments"), Spelling::values, now);
        require_names(std::string(kind) + " " + std::string(instrument.name),
                      instrument.parameters, checked.json());
      });
}

PlaybookReach::Admitted admit_call(const PlaybookReach& reach,
                                   const Instruments& instruments,
                                   const CallRule& rule,
                                   const Json& arguments) {
  if (!rule.takes) {
    // A function that nobody declared the reach of reaches nothing.
    throw Error(Errc::unsupported,
                std::string(rule.name) +
                    ": this build does not say what it "
                    "touches, so a playbook may not call it");
  }
  PlaybookReach::Admitted admitted = reach.admit({.owner = rule.name,
                                                  .parameters = rule.arguments,
                                                  .arguments = arguments,
                                                  .takes = *rule.takes});
  with_instrument(instruments, rule, arguments,
                  [&](std::string_view kind, const auto& instrument,
                      std::span<const DeploymentPart> takes) {
                    const std::string owner =
                        std::string(kind) + " " + std::string(instrument.name);
                    PlaybookReach::Admitted own =
                        reach.admit({.owner = owner,
                                     .parameters = instrument.parameters,
                                     .arguments = arguments.at("arguments"),
                                     .takes = takes});
                    admitted.arguments["arguments"] = std::move(own.arguments);
                    std::ranges::move(own.touches,
                                      std::back_inserter(admitted.touches));
                  });
  return admitted;
}

}  // namespace impound::lua
