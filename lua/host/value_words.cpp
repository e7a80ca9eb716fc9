// SPDX-License-Identifier: Apache-2.0
#include "lua/host/value_words.hpp"

#include "core/base/text.hpp"

namespace impound::lua {

std::string value_words(const Json& value) {
  if (value.is_null()) return "none";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_string()) return printable(value.get<std::string>());
  if (!value.is_structured()) return printable(dump_line(value));
  std::string words;
  for (const auto& [key, one] : value.items()) {
    if (!words.empty()) words += ", ";
    if (value.is_object()) words += printable(key) + "=";
    words += value_words(one);
  }
  return words.empty() ? "none" : words;
}

}  // namespace impound::lua
