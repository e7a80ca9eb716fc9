// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Text for people and for records: escaping of hostile bytes, sizes, tables.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Any bytes as valid UTF-8, reversibly: text that is valid UTF-8 without
/// control characters and without a backslash is returned as it is; otherwise
/// every control character, invalid byte and backslash becomes \xNN.
[[nodiscard]] std::string lossless_utf8(std::string_view bytes);

/// The bytes that lossless_utf8 was given.
[[nodiscard]] std::string from_lossless_utf8(std::string_view text);

/// Like lossless_utf8, and bidirectional controls, zero-width characters and
/// tags (U+E0000…) become \u{…}: safe on a terminal and in a report.
[[nodiscard]] std::string printable(std::string_view bytes);

/// "1.57 GB", "436 MB", "12 B": decimal units, three digits.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

/// "1.2 s", "3 min 05 s", "2 h 10 min"; "> 10 days" above.
[[nodiscard]] std::string human_seconds(double seconds);

/// Columns padded to equal width, two spaces between, no trailing blanks.
/// Rows may be shorter than the first. Widths count code points.
[[nodiscard]] std::string format_table(
    std::span<const std::vector<std::string>> rows);

/// Shell-style pattern over a whole path: `*` and `?` do not match `/`, `**`
/// does, `[a-z]` classes, `{a,b}` alternatives. Bytes are compared as they are.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view path);

/// "weights/a.bin" → "a.bin": what stands behind the last slash.
[[nodiscard]] std::string_view base_name(std::string_view path) noexcept;

/// "a, b, c"; whatever the list holds is text.
template <typename List>
[[nodiscard]] std::string join(const List& list,
                               std::string_view between = ", ") {
  std::string text;
  bool is_first = true;
  for (const auto& one : list) {
    if (!is_first) text += between;
    text += one;
    is_first = false;
  }
  return text;
}

[[nodiscard]] std::vector<std::string> split(std::string_view text,
                                             char separator);
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
[[nodiscard]] std::string to_lower_ascii(std::string_view text);

}  // namespace impound
