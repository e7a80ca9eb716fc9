// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Bytes and text: the casts between them, hexadecimal and base64.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

namespace impound {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The same memory seen as bytes; lives as long as `text`.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The same memory seen as characters; lives as long as `bytes`.
[[nodiscard]] inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline Bytes copy_bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

/// Lower-case hexadecimal digits, two a byte.
/// 0 … 15, or -1 if `c` is no hexadecimal digit of either case.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

[[nodiscard]] std::string to_hex(ByteView bytes);

/// @throws Error{malformed} if `hex` has an odd length or another character.
[[nodiscard]] Bytes from_hex(std::string_view hex);

/// RFC 4648 base64 with padding, one line.
[[nodiscard]] std::string to_base64(ByteView bytes);

/// @throws Error{malformed} on anything that to_base64 would not have written.
[[nodiscard]] Bytes from_base64(std::string_view text);

/// Converts an integer, refusing to change its value.
/// @throws Error{limit} if `value` does not fit.
template <typename To, typename From>
[[nodiscard]] constexpr To narrow(From value) {
  if (!std::in_range<To>(value)) {
    throw Error(Errc::limit, "number " + std::to_string(value) +
                                 " does not fit where it is needed");
  }
  return static_cast<To>(value);
}

}  // namespace impound
