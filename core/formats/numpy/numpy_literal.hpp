// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The Python literals that may stand in a .npy header: strings, integers,
/// tuples, lists, dicts, True, False, None. Nothing is evaluated.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace impound {

struct PythonLiteral {
  enum class Kind : std::uint8_t { none, boolean, integer, text, list, dict };
  Kind kind = Kind::none;
  std::int64_t number = 0;  ///< integer; boolean: 0 or 1
  std::string text;
  std::vector<PythonLiteral> items;  ///< list or tuple; dict: key, value, …

  /// The value under a text key of a dict, or nullptr.
  [[nodiscard]] const PythonLiteral* find(std::string_view key) const;
};

/// Reads exactly one literal, blanks around it allowed.
/// @throws Error{malformed} with the place; Error{limit} if nested too deep.
[[nodiscard]] PythonLiteral parse_python_literal(std::string_view text);

}  // namespace impound
