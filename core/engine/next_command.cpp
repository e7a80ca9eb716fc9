// SPDX-License-Identifier: Apache-2.0
#include "core/engine/next_command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

namespace fs = std::filesystem;

bool means_nothing_to_a_shell(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') ||
         std::string_view("-_./:=,+@%").find(c) != std::string_view::npos;
}

/// bash(1), QUOTING: $'…' with \xNN for what must not reach a terminal.
std::string escaped_word(std::string_view text) {
  std::string word = "$'";
  for (const char c : text) {
    if (means_nothing_to_a_shell(c) || c == ' ') {
      word += c;
    } else {
      word += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return word + "'";
}

/// Empty where this machine has no folder of cases (no HOME).
fs::path known_cases_folder() {
  try {
    return fs::absolute(cases_folder()).lexically_normal();
  } catch (const Error&) {
    return {};
  }
}

std::string join_command(const fs::path& case_folder,
                         std::vector<std::string> words) {
  words.emplace_back("--case");
  words.push_back(case_argument(case_folder));
  std::string line = "impound";
  for (const std::string& word : words) line += " " + shell_word(word);
  return line;
}

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, means_nothing_to_a_shell)) {
    return std::string(text);
  }
  // A backslash alone changes under printable() too; in single quotes it is
  // harmless, and the escaped form is right for it as well.
  if (printable(text) != text) return escaped_word(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string case_argument(const fs::path& folder) {
  fs::path absolute = fs::absolute(folder).lexically_normal();
  if (absolute.filename().empty()) absolute = absolute.parent_path();
  const fs::path home = known_cases_folder();
  const std::string name = absolute.filename().native();
  if (!home.empty() && is_case_id(name) &&
      absolute == (home / name).lexically_normal()) {
    return name;
  }
  return absolute.native();
}

std::string next_command(const fs::path& case_folder,
                         std::initializer_list<std::string_view> words) {
  return join_command(case_folder, {words.begin(), words.end()});
}

std::string next_command(const fs::path& case_folder,
                         const std::vector<std::string>& words) {
  return join_command(case_folder, words);
}

}  // namespace impound
