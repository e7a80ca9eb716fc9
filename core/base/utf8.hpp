// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One character at a time out of bytes that may or may not be UTF-8.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace impound {

/// A decoded character: its length in bytes, 0 if the bytes are not UTF-8.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;
};

/// The character at the front of `text`, which is not empty. Strict (RFC 3629):
/// no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] CodePoint decode_utf8(std::string_view text) noexcept;

/// Appends one code point. What is none (a surrogate, or above U+10FFFF) is
/// written as U+FFFD.
void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace impound
