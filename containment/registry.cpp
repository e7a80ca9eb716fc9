// SPDX-License-Identifier: Apache-2.0
#include "containment/registry.hpp"

#include <array>

namespace impound {

// One line for each method here …
extern const Containment kCommandContainment;
extern const Containment kContainerContainment;
extern const Containment kFirewallContainment;
extern const Containment kHaproxyContainment;
extern const Containment kNginxContainment;
extern const Containment kProcessContainment;

std::span<const Containment* const> all_containments() {
  // … and one here.
  static constexpr std::array kAll{
      // clang-format off
      &kCommandContainment,
      &kContainerContainment,
      &kFirewallContainment,
      &kHaproxyContainment,
      &kNginxContainment,
      &kProcessContainment,
      // clang-format on
  };
  return kAll;
}

}  // namespace impound
