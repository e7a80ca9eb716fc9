// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What came of an attempt, in the words of the custody record.

#include <cstdint>
#include <optional>
#include <string_view>

namespace impound {

/// custody.md section 2, field "outcome".
enum class Outcome : std::uint8_t {
  ok,
  partial,      ///< some of it: cut, interrupted, a growing file
  short_read,   ///< fewer bytes than the source declared; the rest is zeros
  missing,      ///< looked for, not there
  empty,        ///< there, and holds nothing
  denied,       ///< the operating system forbade it
  failed,       ///< any other error
  rolled_back,  ///< done and undone again
};

[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;
[[nodiscard]] std::optional<Outcome> outcome_from(
    std::string_view name) noexcept;

}  // namespace impound
