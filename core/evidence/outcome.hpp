// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What came of an attempt, in the words of the custody record.

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/fs.hpp"

namespace impound {

/// Field `outcome` of SCHEMA.md. The last three came with version 2 of
/// the line: until then an intent was called `partial` and a skipped step
/// `missing`, which says that something went wrong where nothing had.
enum class Outcome : std::uint8_t {
  ok,
  partial,      ///< some of it: cut, interrupted, a growing file
  short_read,   ///< fewer bytes than the source declared; the rest is zeros
  missing,      ///< looked for, not there
  empty,        ///< there, and holds nothing
  denied,       ///< the operating system forbade it
  failed,       ///< any other error
  rolled_back,  ///< done and undone again
  intended,     ///< durable before the act; another entry says what came of it
  skipped,      ///< a step whose condition was false: nothing was attempted
  incomplete,   ///< a step or run that did not do all that its title says
};

[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;
[[nodiscard]] std::optional<Outcome> outcome_from(
    std::string_view name) noexcept;

/// What a gap says of a file or folder that the system would not give: missing,
/// denied or failed.
[[nodiscard]] Outcome outcome_of(const OsFailure& failure) noexcept;

/// The version of the custody line that brought the word: 1 or 2.
[[nodiscard]] int line_version_of(Outcome outcome) noexcept;

/// True if it can be said of a file or a gap (FORMAT.md): an act is intended, a
/// step skipped; a file that is not cut to the window asked for is incomplete.
[[nodiscard]] bool is_item_outcome(Outcome outcome) noexcept;

}  // namespace impound
