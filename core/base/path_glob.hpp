// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The files that a path pattern of a descriptor names, by a bounded walk.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// Names looked at for one pattern. A log folder holds thousands; a pattern
/// such as "/**" would walk the machine. Seen as a gap.
inline constexpr std::size_t kMaxGlobNames = 1'000'000;

struct GlobMatches {
  /// Everything that is not a folder and matches, sorted by bytes. Links are
  /// listed as themselves, never walked through.
  std::vector<std::filesystem::path> paths;
  /// Folders that could not be listed, and the bound if it was reached.
  std::vector<std::string> problems;
};

/// Wildcards as in glob_match (text.hpp). A pattern that is itself the name of
/// an existing file means that file, whatever characters it holds.
[[nodiscard]] GlobMatches find_matches(std::string_view pattern);

/// Whether glob_match would see more in it than a plain path.
[[nodiscard]] bool has_wildcard(std::string_view pattern) noexcept;

}  // namespace impound
