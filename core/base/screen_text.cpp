// SPDX-License-Identifier: Apache-2.0
#include "core/base/screen_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "core/base/utf8.hpp"

namespace impound {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

/// Ascending. Unicode's Default_Ignorable_Code_Point, without the combining
/// grapheme joiner and the Khmer vowels, which real words hold; with the line
/// and paragraph separators and the interlinear annotations.
constexpr std::array<Range, 14> kDeceptive{{{0xad, 0xad},
                                            {0x61c, 0x61c},
                                            {0x115f, 0x1160},
                                            {0x180b, 0x180e},
                                            {0x200b, 0x200f},
                                            {0x2028, 0x202e},
                                            {0x2060, 0x206f},
                                            {0x3164, 0x3164},
                                            {0xfe00, 0xfe0f},
                                            {0xfeff, 0xfeff},
                                            {0xffa0, 0xffa0},
                                            {0xfff9, 0xfffb},
                                            {0x1bca0, 0x1bca3},
                                            {0xe0000, 0xe0fff}}};

enum class Lines : bool { many, one };

bool is_left_alone(std::uint32_t c, Lines lines) {
  if (lines == Lines::many && (c == '\n' || c == '\t')) return true;
  return !is_control_character(c) && !is_deceptive_character(c);
}

std::string escape(std::string_view text, Lines lines) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    const std::size_t length = std::max<std::size_t>(c.length, 1);
    if (c.length != 0 && is_left_alone(c.value, lines)) {
      out.append(text.substr(at, length));
    } else if (c.length != 0 && is_deceptive_character(c.value)) {
      out += fmt::format("\\u{{{:x}}}", c.value);
    } else {
      for (const char byte : text.substr(at, length)) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      }
    }
    at += length;
  }
  return out;
}

/// As JSON writes a character that it may not or need not show.
void append_json_escape(std::string& out, std::uint32_t c) {
  if (c < 0x10000) {
    out += fmt::format("\\u{:04x}", c);
    return;
  }
  const std::uint32_t rest = c - 0x10000;
  out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10U),
                     0xdc00 + (rest & 0x3ffU));
}

}  // namespace

bool is_control_character(std::uint32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool is_deceptive_character(std::uint32_t c) noexcept {
  if (c < kDeceptive.front().first) return false;
  return std::ranges::any_of(kDeceptive, [c](const Range& range) {
    return c >= range.first && c <= range.last;
  });
}

std::string screen_text(std::string_view text) {
  return escape(text, Lines::many);
}

std::string screen_line(std::string_view text) {
  return escape(text, Lines::one);
}

std::string screen_json(std::string_view document) {
  std::string out;
  out.reserve(document.size());
  for (std::size_t at = 0; at < document.size();) {
    const CodePoint c = decode_utf8(document.substr(at));
    if (c.length == 0) {
      out += "\\ufffd";  // as dump_line() replaces what is no UTF-8
      ++at;
      continue;
    }
    if (is_left_alone(c.value, Lines::many)) {
      out.append(document.substr(at, c.length));
    } else {
      append_json_escape(out, c.value);
    }
    at += c.length;
  }
  return out;
}

}  // namespace impound
