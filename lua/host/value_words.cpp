// SPDX-License-Identifier: Apache-2.0
#include "lua/host/value_words.hpp"

#include <charconv>
#include <string_view>

#include "core/base/text.hpp"

namespace impound::lua {

namespace {

bool is_number(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  return std::from_chars(text.data(), end, value).ptr == end;
}

/// A text that could be read as several values, as another argument, or as a
/// value of another kind is put in quotes: who consents to a plan must see
/// where it ends.
std::string text_words(const std::string& text) {
  const std::string shown = printable(text);
  const bool is_plain =
      !text.empty() && text.find_first_of(",=\"") == std::string::npos &&
      std::string_view(" [{").find(text.front()) == std::string_view::npos &&
      std::string_view(" ]}").find(text.back()) == std::string_view::npos &&
      text != "none" && text != "true" && text != "false" && !is_number(text);
  if (is_plain) return shown;
  std::string quoted = "\"";
  for (const char c : shown) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string words_of(const Json& value, bool is_inside) {
  if (value.is_null()) return "none";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_string()) return text_words(value.get<std::string>());
  if (!value.is_structured()) return printable(dump_line(value));
  std::string words;
  for (const auto& [key, one] : value.items()) {
    if (!words.empty()) words += ", ";
    if (value.is_object()) words += text_words(key) + "=";
    words += words_of(one, true);
  }
  if (is_inside) {
    return value.is_object() ? "{" + words + "}" : "[" + words + "]";
  }
  return words.empty() ? "none" : words;
}

}  // namespace

std::string value_words(const Json& value) { return words_of(value, false); }

}  // namespace impound::lua
