// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Two texts, line by line, as a unified diff.

#include <optional>
#include <string>
#include <string_view>

namespace impound {

/// Hunks with three lines of context ("@@ -1,4 +1,5 @@", then lines that begin
/// with ' ', '-' or '+'); empty for equal texts. No file names. Nothing where
/// a text has more than 2 MiB or more than 2000 lines differ: then a diff
/// explains no more than both texts.
[[nodiscard]] std::optional<std::string> unified_diff(std::string_view before,
                                                      std::string_view after);

/// The same for a text inside of another document. Templates are often written
/// on one line: they are laid out before their tags first, so that a diff shows
/// the clause that changed. Empty where lines would explain nothing.
[[nodiscard]] std::optional<std::string> unified_text_diff(
    std::string_view before, std::string_view after);

}  // namespace impound
