// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The closed vocabularies of a finding, each with its one table: what the
/// engine records, what a playbook may write, what its check knows.
///
/// They stand here, and not beside the engine's findings, because the room that
/// checks the calls of playbooks may not look at the engine's computations, and
/// a second list of the words is how two readers come to disagree.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace impound {

/// Certainty, from harmless to hostile: the verdict of a whole is the greatest
/// of its parts. A whole that was only looked at in files is never plainly
/// cleared.
enum class FindingVerdict : std::uint8_t {
  cleared,             ///< looked at, nothing wrong
  cleared_files_only,  ///< the files are, what is served was not tied to them
  likely,
  confirmed,
};

/// Harm to the case; a format's Severity is about whoever loads one file.
enum class FindingSeverity : std::uint8_t { info, low, medium, high, critical };

/// In the order of the enumerators.
inline constexpr std::array<std::string_view, 4> kFindingVerdicts{
    "cleared", "cleared (files only)", "likely", "confirmed"};
inline constexpr std::array<std::string_view, 5> kFindingSeverities{
    "info", "low", "medium", "high", "critical"};

[[nodiscard]] constexpr std::string_view to_string(
    FindingVerdict verdict) noexcept {
  return kFindingVerdicts[static_cast<std::size_t>(verdict)];
}

[[nodiscard]] constexpr std::string_view to_string(
    FindingSeverity severity) noexcept {
  return kFindingSeverities[static_cast<std::size_t>(severity)];
}

namespace finding_words {

template <typename Word, std::size_t N>
[[nodiscard]] constexpr std::optional<Word> find(
    const std::array<std::string_view, N>& words,
    std::string_view text) noexcept {
  const auto* const found = std::ranges::find(words, text);
  if (found == words.end()) return std::nullopt;
  return static_cast<Word>(found - words.begin());
}

}  // namespace finding_words

[[nodiscard]] constexpr std::optional<FindingVerdict> finding_verdict_from(
    std::string_view text) noexcept {
  return finding_words::find<FindingVerdict>(kFindingVerdicts, text);
}

[[nodiscard]] constexpr std::optional<FindingSeverity> finding_severity_from(
    std::string_view text) noexcept {
  return finding_words::find<FindingSeverity>(kFindingSeverities, text);
}

/// Nothing to look at: neither likely nor confirmed.
[[nodiscard]] constexpr bool is_cleared(FindingVerdict verdict) noexcept {
  return verdict <= FindingVerdict::cleared_files_only;
}

}  // namespace impound
