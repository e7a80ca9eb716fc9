// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Help for people, made from the pages of the tree of commands.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/cli/command_tree.hpp"

namespace impound {

/// Columns that help is made for where nobody says how many there are.
inline constexpr std::size_t kHelpWidth = 80;

/// Columns of UTF-8 text on a screen: one for each character.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// `text` in lines of at most `width` columns, each indented by `indent`; words
/// are kept whole, and lines that begin with blanks as they are.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent,
                                  std::size_t width);

/// What `impound help WORDS…` prints. `root` has the options of every command.
[[nodiscard]] std::string help_text(const CommandPage& root,
                                    const CommandPage& page,
                                    std::size_t width = kHelpWidth);

/// The page that `words` name, below `root`; the root for none.
/// @throws Error{bad_input} naming the first word that is no command, and the
///         one that is nearest.
[[nodiscard]] const CommandPage& find_page(const CommandPage& root,
                                           std::span<const std::string> words);

/// "there is no command \"rum\"; did you mean \"run\"?": a word that stands
/// where a command of `page` is expected.
[[nodiscard]] std::string no_such_command(const CommandPage& root,
                                          const CommandPage& page,
                                          std::string_view word);

}  // namespace impound
