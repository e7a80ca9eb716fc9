// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Words of a text in any script, lower-cased, and the characters in it that
/// nobody types: what n-grams of training data are made of.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// Tokens of one text that are counted. A longer text is cut there.
inline constexpr std::size_t kMaxTokens = 65536;

/// A word, a run of one punctuation character, or one character of a script
/// that is written without spaces.
struct TextToken {
  std::uint64_t hash = 0;
  std::uint32_t begin = 0;  ///< in TextTokens::folded()
  std::uint32_t end = 0;
};

/// Splits texts; one object serves any number of them, one at a time.
class TextTokens {
 public:
  void split(std::string_view text);

  [[nodiscard]] const std::vector<TextToken>& tokens() const { return tokens_; }
  /// Rarely or never typed: "U+200B", "mixed scripts: pаypal", "no UTF-8".
  [[nodiscard]] const std::vector<std::string>& oddities() const {
    return oddities_;
  }
  [[nodiscard]] std::string_view folded() const { return folded_; }
  [[nodiscard]] std::string_view word(const TextToken& token) const {
    return std::string_view(folded_).substr(token.begin,
                                            token.end - token.begin);
  }
  /// Words [first, first + count) with one space between.
  [[nodiscard]] std::string phrase(std::size_t first, std::size_t count) const;

  /// Eight bytes that two texts share in proportion to the pairs of words they
  /// share: the number of equal bytes / 8 estimates the Jaccard similarity
  /// (one-permutation MinHash, a byte a bin). 0 for a text without words.
  /// Baselines keep it: how it is made may not change without a new version of
  /// the row file.
  [[nodiscard]] std::uint64_t sketch() const;

 private:
  std::string folded_;
  std::vector<TextToken> tokens_;
  std::vector<std::string> oddities_;
};

/// Equal bytes of two sketches, 0 to 8.
[[nodiscard]] int equal_bytes(std::uint64_t a, std::uint64_t b) noexcept;

/// Hash of a phrase from the hashes of its words, in order: start with 0.
[[nodiscard]] constexpr std::uint64_t extend_phrase(
    std::uint64_t phrase, std::uint64_t word) noexcept {
  std::uint64_t x =
      (phrase ^ (word + 0x9e3779b97f4a7c15U)) * 0xbf58476d1ce4e5b9U;
  x ^= x >> 29U;
  x *= 0x94d049bb133111ebU;
  return x ^ (x >> 32U);
}

/// Hash of any text, fast; no protection against somebody who looks for
/// collisions.
[[nodiscard]] std::uint64_t quick_hash(std::string_view text) noexcept;

}  // namespace impound
