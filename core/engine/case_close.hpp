// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Ending a case, with what is still open said in the chain.

#include <span>
#include <string>
#include <vector>

#include "core/engine/contain.hpp"
#include "core/engine/session.hpp"

namespace impound {

struct CloseRequest {
  std::string reason;
  /// Why the case ends while something is contained, or may be: without it that
  /// is refused. Empty if not given.
  std::string still_contained;
  std::span<const Containment* const> methods;
};

struct CloseResult {
  std::int64_t seq = 0;                 ///< entry of case.close
  std::string note;                     ///< signed head over the whole chain
  std::vector<std::string> open_items;  ///< named in the entry; may be empty
  /// Containments that are open in the record, as they were measured.
  std::vector<ContainmentNow> containments;

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Writes case.close and signs the head. Containments that are open in the
/// record, runs that did not end and exhibits without a seal are named as open
/// items. A containment that is open in the record is measured; the close takes
/// what was measured along, and 'impound release' stays possible after it.
/// @throws Error{bad_input} if the case is closed already, or if something is
///         contained, or not measured to be over, and no reason was given.
[[nodiscard]] CloseResult close_case(Session& session,
                                     const CloseRequest& request);

}  // namespace impound
