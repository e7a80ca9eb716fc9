// SPDX-License-Identifier: Apache-2.0
#include "tests/real/control/stages.hpp"

#include <array>
#include <cstdlib>
#include <utility>

namespace impound::test {
namespace {

// One line for each stage.
constexpr std::array kStages{std::pair{"command", &make_command_stage},
                             std::pair{"container", &make_container_stage},
                             std::pair{"firewall", &make_firewall_stage},
                             std::pair{"haproxy", &make_haproxy_stage},
                             std::pair{"nginx", &make_nginx_stage}};

}  // namespace

std::vector<std::string> stage_names() {
  // IMPOUND_STAGES=haproxy,nginx: these alone, for whoever works on one.
  const char* const some = std::getenv("IMPOUND_STAGES");
  const std::string wanted = some == nullptr ? "" : some;
  std::vector<std::string> names;
  for (const auto& [name, make] : kStages) {
    if (wanted.empty() || wanted.find(name) != std::string::npos) {
      names.emplace_back(name);
    }
  }
  return names;
}

std::unique_ptr<Stage> make_stage(const std::string& name) {
  for (const auto& [one, make] : kStages) {
    if (name == one) return make();
  }
  return nullptr;
}

}  // namespace impound::test
