// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a misspelt word was probably meant to be.

#include <span>
#include <string>
#include <string_view>

namespace impound {

/// The one of `known` that `word` begins, if it begins only one; else the one
/// that it is a slip of the keys away from: a letter missing, too many, wrong,
/// or two swapped; one slip for every three letters of the shorter, two at
/// most. Empty if none is that close.
[[nodiscard]] std::string nearest_word(std::string_view word,
                                       std::span<const std::string> known);

/// "; did you mean \"run\"?", or "" where nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string> known);

/// there is no "windw" (did you mean "window"?); it takes active_harm, window
/// with `have` = "it takes"; without the bracket where nothing is near.
[[nodiscard]] std::string no_such_word(std::string_view word,
                                       std::span<const std::string> known,
                                       std::string_view have);

}  // namespace impound
