// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A picture of where a model changed: layers against modules.

#include <string>

#include "core/compare/model_diff.hpp"

namespace impound {

/// An SVG of its own (no scripts, no outside references): one cell for each
/// module of each layer, the darker the larger the relative change, on a
/// logarithmic scale from 1e-5 to 1; several tensors in one cell show the
/// largest. Grey: changed without numbers. Precondition: explain_changes() ran.
/// Models with more than 512 layers or 128 modules are cut, and it says so.
[[nodiscard]] std::string heat_map_svg(const ModelDiff& diff);

}  // namespace impound
