// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A deployment as a playbook sees it.

#include "core/base/json.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// What ctx.deployment shows.
[[nodiscard]] Json deployment_view(const Deployment& deployment);

}  // namespace impound
