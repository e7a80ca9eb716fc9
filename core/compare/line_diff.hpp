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

}  // namespace impound
