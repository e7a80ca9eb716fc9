// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Ending a case, with what is still open said in the chain.

#include <string>
#include <vector>

#include "core/engine/session.hpp"

namespace impound {

struct CloseResult {
  std::int64_t seq = 0;                 ///< entry of case.close
  std::string note;                     ///< signed head over the whole chain
  std::vector<std::string> open_items;  ///< named in the entry; may be empty

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Writes case.close and signs the head. Containments in force, runs that did
/// not end and exhibits without a seal are named as open items.
/// @throws Error{bad_input} if the case is closed already.
[[nodiscard]] CloseResult close_case(Session& session,
                                     const std::string& reason);

}  // namespace impound
