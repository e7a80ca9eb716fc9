// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What each action of the chain must state: SCHEMA.md as a table.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/json.hpp"
#include "core/casefile/rights.hpp"

namespace impound {

/// One action and what its entries must hold besides the common fields.
struct ActionRule {
  std::string_view name;
  /// Keys of `detail`, separated by blanks; "a|b" is one of the two.
  std::string_view detail;
  /// Common fields that may not be empty here: "item object purpose run step
  /// authority", separated by blanks.
  std::string_view fields;
  bool allowed_when_closed;
  bool signs_head;  ///< the head is signed right after it
  /// What its signer must hold; empty if everybody may write it. Of a finding
  /// and of an undo more is asked: right_needed().
  std::optional<Right> right = Right::act;
  int since_version = 1;  ///< of the line
};

/// In the order of SCHEMA.md.
[[nodiscard]] std::span<const ActionRule> action_rules();
[[nodiscard]] const ActionRule* find_action(std::string_view name);

/// The first thing that `entry` (a whole entry or the same keys of a draft)
/// lacks for its action, as a sentence; empty if it is complete.
[[nodiscard]] std::optional<std::string> missing_field(const Json& entry);

/// True if the case may be closed and still take this entry.
[[nodiscard]] bool allowed_when_closed(const Json& entry);

}  // namespace impound
