// SPDX-License-Identifier: Apache-2.0
#include "tests/real/control/stages.hpp"

#include <array>
#include <utility>

namespace impound::test {
namespace {

// One line for each stage.
constexpr std::array kStages{std::pair{"firewall", &make_firewall_stage},
                             std::pair{"haproxy", &make_haproxy_stage},
                             std::pair{"nginx", &make_nginx_stage}};

}  // namespace

std::vector<std::string> stage_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : kStages) names.emplace_back(name);
  return names;
}

std::unique_ptr<Stage> make_stage(const std::string& name) {
  for (const auto& [one, make] : kStages) {
    if (name == one) return make();
  }
  return nullptr;
}

}  // namespace impound::test
