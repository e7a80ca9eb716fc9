// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Every way of taking a deployment out of service that this build knows.

#include <span>

#include "core/evidence/containment.hpp"

namespace impound {

/// Sorted by name.
[[nodiscard]] std::span<const Containment* const> all_containments();

}  // namespace impound
