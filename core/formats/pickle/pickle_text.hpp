// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The ways in which Python writes text inside pickles, and back.

#include <cstdint>
#include <string>
#include <string_view>

namespace impound {

/// raw-unicode-escape: \uXXXX and \UXXXXXXXX after an odd number of
/// backslashes, everything else Latin-1. Result is UTF-8.
[[nodiscard]] std::string decode_raw_unicode_escape(std::string_view line);

/// A Python 2 string literal: quotes removed, escapes resolved. A line without
/// quotes comes back as it is.
[[nodiscard]] std::string decode_quoted(std::string_view line);

enum class ReprOf : std::uint8_t { text, bytes };

/// 'text' as Python's repr would show it; bytes above 0x7f as \xNN for bytes.
[[nodiscard]] std::string python_repr(std::string_view value,
                                      ReprOf what = ReprOf::text);

/// letters, digits and _ in dot-separated parts, as in a module path.
[[nodiscard]] bool is_python_path(std::string_view name) noexcept;

}  // namespace impound
