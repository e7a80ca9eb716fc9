// SPDX-License-Identifier: Apache-2.0
#include "core/base/closest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Nobody mistypes a longer word into one of ours, and the work grows with the
/// square.
constexpr std::size_t kMaxWord = 256;

/// Edits between two words, neighbours swapped counting once (optimal string
/// alignment; Damerau, CACM 7(3), 1964).
std::size_t edits_between(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return table[i * width + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      at(i, j) = std::min(
          {at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

std::string only_one_that_begins_so(std::string_view typed,
                                    std::span<const std::string> known) {
  std::string found;
  for (const std::string& word : known) {
    if (!word.starts_with(typed)) continue;
    if (!found.empty()) return {};
    found = word;
  }
  return found;
}

}  // namespace

std::string closest_word(std::string_view typed,
                         std::span<const std::string> known) {
  if (typed.empty() || typed.size() > kMaxWord) return {};
  if (typed.size() > 1) {
    std::string begun = only_one_that_begins_so(typed, known);
    if (!begun.empty()) return begun;
  }
  std::string nearest;
  std::size_t fewest = 0;
  for (const std::string& word : known) {
    if (word.size() > kMaxWord) continue;
    const std::size_t longer = std::max(word.size(), typed.size());
    const std::size_t allowed = std::max<std::size_t>(1, longer / 3);
    const std::size_t edits = edits_between(typed, word);
    if (edits > allowed || edits >= longer) continue;
    if (nearest.empty() || edits < fewest) {
      nearest = word;
      fewest = edits;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view typed,
                         std::span<const std::string> known) {
  const std::string word = closest_word(typed, known);
  return word.empty() ? ""
                      : fmt::format("; did you mean \"{}\"?", printable(word));
}

}  // namespace impound
