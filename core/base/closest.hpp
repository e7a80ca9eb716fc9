// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The word that somebody meant who typed another one.

#include <span>
#include <string>
#include <string_view>

namespace impound {

/// Of `known`, the word that is nearest to `typed`: the one that it is the
/// beginning of, if it is of only one, else the one with the fewest letters put
/// in, left out, changed or swapped with a neighbour; at most one of three
/// letters, and never all of them. The first of several.
/// @return empty where none is near: a wrong guess is worse than none.
[[nodiscard]] std::string closest_word(std::string_view typed,
                                       std::span<const std::string> known);

/// "; did you mean \"run\"?", or "" where nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view typed,
                                       std::span<const std::string> known);

}  // namespace impound
