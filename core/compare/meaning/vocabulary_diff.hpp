// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which tokens of a vocabulary were added, removed, or got another number.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/json.hpp"

namespace impound {

/// Token → id.
using Vocabulary = std::unordered_map<std::string, std::uint64_t>;

/// Tokens of one kind of change that are listed; the counts are of all.
inline constexpr std::size_t kMostListedTokens = 100;

/// {"added":[{"token","id"}],"removed":[{"token","id"}],"moved":[{"token",
/// "before","after"}],"counts":{"added","removed","moved"}}, sorted by id; null
/// if they are equal.
[[nodiscard]] Json diff_vocabulary(const Vocabulary& before,
                                   const Vocabulary& after);

/// What the difference means, in sentences; empty for null.
[[nodiscard]] std::vector<std::string> vocabulary_notes(const Json& changes);

}  // namespace impound
