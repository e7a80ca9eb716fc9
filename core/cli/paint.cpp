// SPDX-License-Identifier: Apache-2.0
#include "core/cli/paint.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/engine/deployment.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/finding_words.hpp"
#include "core/scan/finding.hpp"

namespace impound {
namespace {

enum class Paint : std::uint8_t { alarm, warning, notice, calm };

/// ECMA-48, 8.3.117: bold; red, yellow, cyan, green letters.
std::string_view start_of(Paint paint) {
  switch (paint) {
    case Paint::alarm:
      return "\x1b[1;31m";
    case Paint::warning:
      return "\x1b[1;33m";
    case Paint::notice:
      return "\x1b[36m";
    case Paint::calm:
      return "\x1b[32m";
  }
  return {};
}
constexpr std::string_view kEnd = "\x1b[0m";

using Word = std::pair<std::string_view, Paint>;

/// Longest first, so that "cleared (files only)" is not read as "cleared".
std::vector<Word> make_words() {
  std::vector<Word> words{
      {to_string(FindingSeverity::critical), Paint::alarm},
      {to_string(FindingSeverity::high), Paint::alarm},
      {to_string(FindingSeverity::medium), Paint::warning},
      {to_string(FindingSeverity::low), Paint::notice},
      {to_string(FindingVerdict::confirmed), Paint::alarm},
      {to_string(FindingVerdict::likely), Paint::warning},
      {to_string(FindingVerdict::cleared_files_only), Paint::warning},
      {to_string(FindingVerdict::cleared), Paint::calm},
      {to_string(Verdict::malicious), Paint::alarm},
      {to_string(Verdict::needs_review), Paint::warning},
      {to_string(CheckLevel::ok), Paint::calm},
      {to_string(CheckLevel::warn), Paint::warning},
      {to_string(CheckLevel::fail), Paint::alarm},
      {to_string(Containedness::contained), Paint::warning},
      {to_string(Containedness::unknown), Paint::warning},
      {"FAIL", Paint::alarm},
      {"NOT RECORDED", Paint::alarm},
      {"NOT CHECKED", Paint::warning},
      {"UNREADABLE", Paint::alarm},
      {"DAMAGED", Paint::alarm},
      {"BROKEN", Paint::alarm},
  };
  std::ranges::sort(words, [](const Word& a, const Word& b) {
    return a.first.size() > b.first.size();
  });
  return words;
}

/// A column ends at two blanks, a word of a sentence at ':' or the line's end.
bool ends_here(std::string_view rest) {
  return rest.empty() || rest.starts_with('\n') || rest.starts_with("  ") ||
         rest.starts_with(':');
}

}  // namespace

std::string painted(std::string_view text) {
  static const std::vector<Word> kWords = make_words();
  std::string out;
  bool is_column_start = true;
  for (std::size_t at = 0; at < text.size();) {
    if (is_column_start && text[at] != ' ') {
      const std::string_view rest = text.substr(at);
      const auto found = std::ranges::find_if(kWords, [&](const Word& word) {
        return rest.starts_with(word.first) &&
               ends_here(rest.substr(word.first.size()));
      });
      if (found != kWords.end()) {
        out += start_of(found->second);
        out += found->first;
        out += kEnd;
        at += found->first.size();
        is_column_start = false;
        continue;
      }
    }
    const char c = text[at];
    is_column_start =
        c == '\n' ||
        (c == ' ' && (is_column_start || (at > 0 && text[at - 1] == ' ')));
    out += c;
    ++at;
  }
  return out;
}

}  // namespace impound
