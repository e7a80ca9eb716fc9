// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Colour and weight of severities, verdicts and levels on a terminal.
///
/// Colour says nothing that the text does not say: it is put on words of closed
/// vocabularies that stand where a line or a column begins, and takes none of
/// them away. So a reader without colour, a file and a screen reader lose
/// nothing, and a hostile name that holds such a word can gain no more by it
/// than by the word.

#include <string>
#include <string_view>

namespace impound {

/// Lines for a terminal, with escapes (ECMA-48, SGR) around such words. `text`
/// is escaped already (screen_text.hpp).
[[nodiscard]] std::string painted(std::string_view text);

}  // namespace impound
