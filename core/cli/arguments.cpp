// SPDX-License-Identifier: Apache-2.0
#include "core/cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "collectors/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {

std::pair<std::string, std::string> split_assignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\": expected name=value", printable(text)));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Json arguments_for(std::span<const Parameter> parameters,
                   const std::vector<std::string>& assignments) {
  Json arguments = Json::object();
  for (const std::string& assignment : assignments) {
    const auto [name, value] = split_assignment(assignment);
    if (std::ranges::find(parameters, name, &Parameter::name) !=
        parameters.end()) {
      arguments[name] = value;
    }
  }
  return arguments;
}

void refuse_unused_arguments(const std::vector<CollectRequest>& requests,
                             const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const std::string name = split_assignment(assignment).first;
    const bool is_used =
        std::ranges::any_of(requests, [&](const CollectRequest& request) {
          return request.arguments.contains(name);
        });
    if (!is_used) {
      throw Error(Errc::bad_input,
                  fmt::format("no named collector has a parameter \"{}\"; "
                              "'impound collect --list' prints them",
                              printable(name)));
    }
  }
}

const Collector& find_collector(std::string_view name) {
  std::string names;
  for (const Collector* one : all_collectors()) {
    if (one->name == name) return *one;
    names += names.empty() ? "" : ", ";
    names += one->name;
  }
  throw Error(Errc::bad_input,
              fmt::format("there is no collector \"{}\"; there are: {}",
                          printable(name), names));
}

}  // namespace impound
