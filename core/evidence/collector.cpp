// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/collector.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"

namespace impound {
namespace {

struct ReachWords {
  std::string_view name;
  std::string_view phrase;
};

constexpr std::array<ReachWords, 3> kReach{{
    {"files", "files that the deployment or a parameter names"},
    {"process",
     "/proc of the serving processes, their programs, deleted files they hold"},
    {"device",
     "the operating system and drivers, for the state of the whole machine"},
}};

}  // namespace

std::string_view to_string(Reach reach) noexcept {
  return kReach[static_cast<std::size_t>(reach)].name;
}

std::string_view in_words(Reach reach) noexcept {
  return kReach[static_cast<std::size_t>(reach)].phrase;
}

Arguments arguments_for(const Collector& collector, const Json& given,
                        Spelling spelling, TimeNs now) {
  Arguments arguments =
      check_parameters("collector " + std::string(collector.name),
                       collector.parameters, given, spelling, now);
  if (collector.check != nullptr) collector.check(arguments);
  return arguments;
}

std::vector<Arguments> share_arguments(
    std::span<const Collector* const> collectors, const Json& given,
    TimeNs now) {
  std::vector<std::string> known;
  for (const Collector* const collector : collectors) {
    for (const std::string& name : names_of(collector->parameters)) {
      if (std::ranges::find(known, name) == known.end()) known.push_back(name);
    }
  }
  for (const auto& [name, value] : given.items()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string names;
    for (const Collector* const collector : collectors) {
      names += (names.empty() ? "" : ", ") + std::string(collector->name);
    }
    throw Error(Errc::bad_input,
                names + ": " + no_such_word(name, known, "there are"));
  }
  std::vector<Arguments> shared;
  for (const Collector* const collector : collectors) {
    Json own = Json::object();
    for (const Parameter& parameter : collector->parameters) {
      if (given.contains(parameter.name)) {
        own[parameter.name] = given.at(parameter.name);
      }
    }
    shared.push_back(
        arguments_for(*collector, own, Spelling::command_line, now));
  }
  return shared;
}

}  // namespace impound
