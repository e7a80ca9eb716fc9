// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Every way of taking evidence that this build knows.

#include <span>

#include "core/evidence/collector.hpp"

namespace impound {

/// In the order of volatility: what vanishes first comes first.
[[nodiscard]] std::span<const Collector* const> all_collectors();

}  // namespace impound
