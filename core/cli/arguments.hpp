// SPDX-License-Identifier: Apache-2.0
#pragma once
/// name=value on the command line, as arguments of collectors and playbooks.

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/json.hpp"
#include "core/engine/snapshot.hpp"
#include "core/evidence/collector.hpp"

namespace impound {

/// @throws Error{bad_input} if `text` has no '='.
[[nodiscard]] std::pair<std::string, std::string> split_assignment(
    const std::string& text);

/// Those of `assignments` that `parameters` know, as one object.
[[nodiscard]] Json arguments_for(std::span<const Parameter> parameters,
                                 const std::vector<std::string>& assignments);

/// @throws Error{bad_input} for an assignment that no collector took.
void refuse_unused_arguments(const std::vector<CollectRequest>& requests,
                             const std::vector<std::string>& assignments);

/// The collector of that name.
/// @throws Error{bad_input} naming those there are.
[[nodiscard]] const Collector& find_collector(std::string_view name);

}  // namespace impound
