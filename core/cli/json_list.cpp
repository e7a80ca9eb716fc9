// SPDX-License-Identifier: Apache-2.0
#include "core/cli/json_list.hpp"

#include <fmt/format.h>

#include <string>

#include "core/base/limits.hpp"
#include "core/cli/standard_output.hpp"

namespace impound {
namespace {

/// As dump_pretty() prints it so many levels deep.
std::string dump_indented(const Json& value, std::size_t levels) {
  std::string text = dump_pretty(value);
  text.pop_back();  // its line's end
  const std::string indent(2 * levels, ' ');
  std::string indented;
  for (const char c : text) {
    indented += c;
    if (c == '\n') indented += indent;
  }
  return indented;
}

}  // namespace

void print_json_with_list(const Json& document, std::string_view key,
                          const std::function<std::optional<Json>()>& next) {
  constexpr std::size_t kEnough = 64 * limits::kKiB;  // for a write
  std::string text;
  const auto put = [&](std::string_view part) {
    text += part;
    if (text.size() < kEnough) return;
    write_stdout_json(text);
    text.clear();
  };
  bool is_first = true;
  for (const auto& [name, value] : document.items()) {
    put(fmt::format("{}\n  {}: ", is_first ? "{" : ",", dump_line(Json(name))));
    is_first = false;
    if (name != key) {
      put(dump_indented(value, 1));
      continue;
    }
    bool is_empty = true;
    while (const std::optional<Json> each = next()) {
      put(fmt::format("{}\n    {}", is_empty ? "[" : ",",
                      dump_indented(*each, 2)));
      is_empty = false;
    }
    put(is_empty ? "[]" : "\n  ]");
  }
  write_stdout_json(text + (is_first ? "{}\n" : "\n}\n"));
}

}  // namespace impound
