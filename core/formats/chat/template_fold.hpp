// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What expressions of constants come to: 'a' ~ 'b', 'edoc'|reverse, 10 ** 9.
/// Words and addresses that a template hides are put together so.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/formats/chat/jinja.hpp"

namespace impound {

/// Constants by the names that {% set %} gives them.
using TemplateConstants = std::map<std::string, std::string, std::less<>>;

/// Bytes of a text that is put together; what becomes longer is not followed.
inline constexpr std::size_t kMaxFolded = std::size_t{64} * 1024;

/// The text an expression of literals would give: 'a' + 'b', ['a','b']|join,
/// 'edoc'|reverse. Empty where it depends on anything else.
[[nodiscard]] std::optional<std::string> fold_text(
    const jinja::Expr& expr, const TemplateConstants& constants = {});

/// The same for numbers; rounded, and infinite where it is out of range.
[[nodiscard]] std::optional<double> fold_number(const jinja::Expr& expr);

}  // namespace impound
