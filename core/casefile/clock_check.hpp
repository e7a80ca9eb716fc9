// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Holds the calendar of the entries against the counter that runs since boot:
/// what the counter forbids is a defect, what it lays open is a warning.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/casefile/case_file.hpp"

namespace impound {

/// Follows one chain in order.
class ClockCheck {
 public:
  /// `json` has the keys of an entry; their values may be anything.
  /// A counter that goes back within one boot is a problem: entries are stamped
  /// under the lock of the case, so these were not written in this order. A
  /// calendar that goes back, or that moves otherwise than the counter, is a
  /// warning: somebody or something set the clock.
  void follow(std::int64_t seq, const Json& json,
              std::vector<CustodyProblem>& problems,
              std::vector<CustodyProblem>& warnings);

 private:
  struct Reading {
    std::string boot_id;
    std::int64_t monotonic_ns = 0;  ///< since that boot, from 0
    TimeNs recorded = 0;
  };

  std::optional<Reading> last_;
};

}  // namespace impound
