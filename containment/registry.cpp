// SPDX-License-Identifier: Apache-2.0
#include "containment/registry.hpp"

#include <array>

namespace impound {

// One line for each method here …
extern const Containment kHaproxyContainment;
extern const Containment kProcessContainment;

std::span<const Containment* const> all_containments() {
  // … and one here.
  static constexpr std::array kAll{
      &kHaproxyContainment,
      &kProcessContainment,
  };
  return kAll;
}

}  // namespace impound
