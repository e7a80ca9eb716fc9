// SPDX-License-Identifier: Apache-2.0
#pragma once
/// name=value on the command line, and the things it may be said to.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.hpp"
#include "core/engine/snapshot.hpp"
#include "core/evidence/collector.hpp"
#include "lua/host/playbook.hpp"

namespace impound {

/// @throws Error{bad_input} if `text` has no '='.
[[nodiscard]] std::pair<std::string, std::string> split_assignment(
    const std::string& text);

/// {"name": "value"}, still text: for check_parameters() with
/// Spelling::command_line.
/// @throws Error{bad_input} for a name that is given twice.
[[nodiscard]] Json given_by(const std::vector<std::string>& assignments);

/// The named collectors with their arguments, checked; a parameter goes to
/// every one that declares it.
/// @throws Error{bad_input} for an unknown collector, parameter or value.
[[nodiscard]] std::vector<CollectRequest> collect_requests(
    const std::vector<std::string>& names,
    const std::vector<std::string>& assignments, TimeNs now);

/// All that this build can reach out with.
[[nodiscard]] lua::Instruments instruments();

/// "    -p pid=INTEGER  A process to take … (a whole number from 1 to …)".
[[nodiscard]] std::string help_text(std::span<const Parameter> parameters);
[[nodiscard]] Json to_json(std::span<const Parameter> parameters);

}  // namespace impound
