// SPDX-License-Identifier: Apache-2.0
#include "core/cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "collectors/registry.hpp"
#include "containment/registry.hpp"
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

Json given_by(const std::vector<std::string>& assignments) {
  Json given = Json::object();
  for (const std::string& assignment : assignments) {
    const auto [name, value] = split_assignment(assignment);
    const std::string key = lossless_utf8(name);
    if (given.contains(key)) {
      throw Error(Errc::bad_input,
                  fmt::format("parameter {} is given twice: \"{}\" and \"{}\"",
                              printable(name), given.at(key).get<std::string>(),
                              printable(value)));
    }
    given[key] = lossless_utf8(value);
  }
  return given;
}

std::vector<CollectRequest> collect_requests(
    const std::vector<std::string>& names,
    const std::vector<std::string>& assignments, TimeNs now) {
  std::vector<const Collector*> collectors;
  for (const std::string& name : names) {
    collectors.push_back(&find_collector(all_collectors(), name));
  }
  std::vector<Arguments> shared =
      share_arguments(collectors, given_by(assignments), now);
  std::vector<CollectRequest> requests;
  for (std::size_t i = 0; i < collectors.size(); ++i) {
    requests.push_back(
        {.collector = collectors[i], .arguments = std::move(shared[i])});
  }
  return requests;
}

lua::Instruments instruments() {
  return {.collectors = all_collectors(), .containments = all_containments()};
}

std::string help_text(std::span<const Parameter> parameters) {
  std::string text;
  for (const Parameter& one : parameters) {
    text += fmt::format(
        "    -p {}=<{}>  {} Expects {}{}.\n", one.name, to_string(one.type),
        one.help, one.expectation(),
        one.otherwise.is_string()
            ? "; " + one.otherwise.get<std::string>() + " if not said"
            : "");
  }
  return text;
}

Json to_json(std::span<const Parameter> parameters) {
  Json list = Json::array();
  for (const Parameter& one : parameters) list.push_back(one.to_json());
  return list;
}

}  // namespace impound
