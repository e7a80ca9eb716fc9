// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a text of a tokenizer looks like to people: words, sentences, nothing.

#include <cstddef>
#include <string_view>

namespace impound {

/// The longest run of letters: 0 for "▁", 5 for "<|say hello|>".
[[nodiscard]] std::size_t longest_word(std::string_view text);

/// Words of two letters and more that stand between blanks.
[[nodiscard]] std::size_t words_in(std::string_view text);

/// Whether it holds characters that are not drawn or change the direction of
/// writing: zero width, bidirectional controls, tags.
[[nodiscard]] bool has_invisible(std::string_view text);

/// Whether it is an address, or holds one.
[[nodiscard]] bool has_address(std::string_view text);

}  // namespace impound
