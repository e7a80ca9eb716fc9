// SPDX-License-Identifier: Apache-2.0
#include "core/scan/token_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/text.hpp"

namespace impound {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// One code point; `at` moves behind it. Bytes that are no UTF-8 are 0xfffd.
std::uint32_t next_point(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  const std::size_t more = first < 0xc0   ? 0
                           : first < 0xe0 ? 1
                           : first < 0xf0 ? 2
                                          : 3;
  if (first >= 0x80 && more == 0) return 0xfffd;
  std::uint32_t point = more == 0 ? first : first & (0x3fU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if (at >= text.size()) return 0xfffd;
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte & 0xc0U) != 0x80U) return 0xfffd;
    point = point << 6U | (byte & 0x3fU);
    ++at;
  }
  return point;
}

/// Letters of any script: what is drawn as a word. Signs such as "▁" or "Ġ" of
/// byte-level alphabets are none.
bool is_word_point(std::uint32_t point) {
  if (point < 0x80) return is_letter(static_cast<char>(point));
  return (point >= 0x370 && point < 0x2000) ||
         (point >= 0x3040 && point < 0xa000) ||
         (point >= 0xac00 && point < 0xd7a4);
}

}  // namespace

std::size_t longest_word(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (std::size_t at = 0; at < text.size();) {
    run = is_word_point(next_point(text, at)) ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

std::size_t words_in(std::string_view text) {
  std::size_t words = 0;
  for (const std::string_view part : split(text, ' ')) {
    if (longest_word(part) >= 2) ++words;
  }
  return words;
}

bool has_invisible(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t point = next_point(text, at);
    if ((point >= 0x200b && point <= 0x200f) ||
        (point >= 0x202a && point <= 0x202e) ||
        (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
        (point >= 0xe0000 && point <= 0xe0fff)) {
      return true;
    }
  }
  return false;
}

bool has_address(std::string_view text) {
  return text.find("http://") != std::string_view::npos ||
         text.find("https://") != std::string_view::npos ||
         text.find("www.") != std::string_view::npos;
}

}  // namespace impound
