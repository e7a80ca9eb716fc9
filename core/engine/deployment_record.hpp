// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A deployment as custody entries carry it, so that a later process can give
/// it back without the descriptor that took it out of service.

#include "core/base/json.hpp"
#include "core/evidence/target.hpp"

namespace impound {

[[nodiscard]] Json deployment_to_json(const Deployment& deployment);

/// @throws Error{malformed} naming `source`.
[[nodiscard]] Deployment deployment_from_json(const Json& json,
                                              std::string_view source);

}  // namespace impound
