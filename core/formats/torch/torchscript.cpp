// SPDX-License-Identifier: Apache-2.0
#include "core/formats/torch/torchscript.hpp"

#include <unordered_set>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxName = 256;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/// Behind the string that begins at `at`. The printer of TorchScript writes
/// strings in double quotes with escapes, on one line.
std::size_t behind_string(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n') {
    at += text[at] == '\\' ? 2U : 1U;
  }
  return std::min(at + 1, text.size());
}

bool is_of_interest(std::string_view name, char next) {
  constexpr std::string_view kClass = "__torch__.torch.classes.";
  if (name.starts_with(kClass)) return name.size() > kClass.size();
  return next == '(' &&
         (name.starts_with("torch.") || name.starts_with("ops."));
}

}  // namespace

std::vector<TorchScriptUse> read_torchscript(std::string_view text) {
  text = text.substr(0, kMaxTorchScript);
  std::vector<TorchScriptUse> uses;
  std::unordered_set<std::string> known;
  std::size_t at = 0;
  std::size_t line_begin = 0;
  std::uint32_t line = 1;
  const auto note = [&](std::string name, std::size_t offset) {
    if (uses.size() >= TorchScriptUse::kMaxDistinct ||
        !known.insert(name).second) {
      return;
    }
    const std::size_t end = std::min(text.find('\n', offset), text.size());
    uses.push_back(
        {.name = std::move(name),
         .offset = offset,
         .line = line,
         .text = std::string(
             trim(text.substr(line_begin, end - line_begin)).substr(0, 400))});
  };
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\n') {
      ++line;
      line_begin = ++at;
    } else if (c == '"' || c == '\'') {
      at = behind_string(text, at);
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (is_name(c) || c == '^') {
      // "^name(…)" is a call back into Python.
      const std::size_t first = at++;
      while (at < text.size() && is_name(text[at])) ++at;
      const std::string_view name = text.substr(first, at - first);
      const char next = at < text.size() ? text[at] : '\0';
      const bool is_python = c == '^' && name.size() > 1 && next == '(';
      if (name.size() <= kMaxName &&
          (is_python || is_of_interest(name, next))) {
        note(std::string(name), first);
      }
    } else {
      ++at;
    }
  }
  return uses;
}

}  // namespace impound
