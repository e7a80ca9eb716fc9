// SPDX-License-Identifier: Apache-2.0
#include "core/base/spelling.hpp"

#include <algorithm>
#include <vector>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Longer words are not compared: nobody declares them, and the table below
/// grows with the square.
constexpr std::size_t kMaxWord = 64;

/// Slips between two words: optimal string alignment, swaps included.
std::size_t slips(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return table[i * width + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = a[i - 1] == b[j - 1] ? 0 : 1;
      at(i, j) = std::min(
          {at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + other});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

std::string only_one_that_begins(std::string_view word,
                                 std::span<const std::string> known) {
  std::string found;
  for (const std::string& one : known) {
    if (!one.starts_with(word)) continue;
    if (!found.empty()) return {};
    found = one;
  }
  return found;
}

}  // namespace

std::string nearest_word(std::string_view word,
                         std::span<const std::string> known) {
  if (word.size() > kMaxWord) return {};
  if (word.size() > 1) {
    std::string begun = only_one_that_begins(word, known);
    if (!begun.empty()) return begun;
  }
  const std::string lower = to_lower_ascii(word);
  std::string nearest;
  std::size_t least = 3;
  for (const std::string& one : known) {
    if (one.size() > kMaxWord) continue;
    const std::size_t allowed =
        std::clamp<std::size_t>(std::min(word.size(), one.size()) / 3, 1, 2);
    const std::size_t count = slips(lower, to_lower_ascii(one));
    // A word of two letters is one slip away from most others.
    if (count <= allowed && count < least && count * 2 < one.size()) {
      least = count;
      nearest = one;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view word,
                         std::span<const std::string> known) {
  const std::string meant = nearest_word(word, known);
  return meant.empty() ? "" : "; did you mean \"" + printable(meant) + "\"?";
}

std::string no_such_word(std::string_view word,
                         std::span<const std::string> known,
                         std::string_view have) {
  std::string text = "there is no \"" + printable(word.substr(0, 80)) + '"';
  if (const std::string meant = nearest_word(word, known); !meant.empty()) {
    text += " (did you mean \"" + meant + "\"?)";
  }
  std::string names;
  for (const std::string& one : known) {
    names += (names.empty() ? "" : ", ") + one;
  }
  return text + "; " + std::string(have) + " " +
         (names.empty() ? "nothing" : names);
}

}  // namespace impound
