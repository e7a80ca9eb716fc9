// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a secret looks like by itself, without a name beside it.

#include <cstddef>
#include <string_view>

namespace impound {

[[nodiscard]] constexpr bool is_digit_ascii(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_upper_ascii(char c) {
  return c >= 'A' && c <= 'Z';
}
[[nodiscard]] constexpr bool is_lower_ascii(char c) {
  return c >= 'a' && c <= 'z';
}
[[nodiscard]] constexpr bool is_alnum_ascii(char c) {
  return is_digit_ascii(c) || is_upper_ascii(c) || is_lower_ascii(c);
}

/// Length of the token of a known kind at the front of `text`: a prefix that
/// its issuer chose to be found by, or a JSON Web Token; 0 if there is none.
[[nodiscard]] std::size_t known_token_length(std::string_view text);

/// True for a run of key characters that chance made: long enough, of upper
/// case, lower case and digits, which change as often as chance has it.
[[nodiscard]] bool looks_random(std::string_view run);

/// True for one word with signs among letters and digits, as generators of
/// passwords make it.
[[nodiscard]] bool looks_like_password(std::string_view word);

/// Any of the three.
[[nodiscard]] bool looks_like_secret(std::string_view value);

}  // namespace impound
