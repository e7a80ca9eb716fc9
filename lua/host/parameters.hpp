// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Types of a playbook's parameters and the values they take.

#include <span>
#include <string_view>

#include "core/base/json.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

/// path text integer choice duration digest boolean time
[[nodiscard]] std::span<const std::string_view> parameter_types();

/// `given` as a value of the declared type: an integer, a boolean, or text.
/// Durations stay text ("7d"), times become RFC 3339 UTC, digests lower case.
/// @throws Error{bad_input}: "expected a duration such as 90s, 15m, 36h or 7d,
///         found \"soon\"".
[[nodiscard]] Json convert_parameter(const ParameterInfo& parameter,
                                     const Json& given);

/// A value that fits the type, for trying a playbook out.
[[nodiscard]] Json sample_value(const ParameterInfo& parameter);

}  // namespace impound::lua
