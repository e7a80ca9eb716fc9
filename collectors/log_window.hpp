// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which bytes of a log of JSON lines fall into a time window.

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/source.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/collector.hpp"

namespace impound {

/// Both ends belong to the window; an empty one is open.
struct TimeWindow {
  std::optional<TimeNs> since;
  std::optional<TimeNs> until;

  [[nodiscard]] bool is_open() const { return !since && !until; }
  [[nodiscard]] bool holds(TimeNs time) const {
    return (!since || time >= *since) && (!until || time <= *until);
  }
};

/// Bytes of one record that are parsed. A longer line counts as a record
/// without a time: it is taken with its neighbours, and memory stays bounded.
inline constexpr std::size_t kMaxLogRecord = 64 * std::size_t{1024} * 1024;

/// Ranges kept for one file. A log that leaves and enters the window more often
/// is taken with the records between its closest ranges.
inline constexpr std::size_t kMaxLogRanges = 65'536;

struct LogScan {
  std::uint64_t size = 0;        ///< bytes looked at
  std::uint64_t records = 0;     ///< lines that are not blank
  std::uint64_t inside = 0;      ///< records with a time in the window
  std::uint64_t timeless = 0;    ///< records without a time
  std::uint64_t unparsable = 0;  ///< lines that are no JSON, or too long
  std::optional<TimeNs> first;   ///< the smallest time in the file
  std::optional<TimeNs> last;
  bool unsorted = false;        ///< a time is smaller than the one before it
  bool zone_assumed = false;    ///< some times had no zone and were read as UTC
  bool torn_last_line = false;  ///< no LF at the end, and no whole record
  bool widened = false;         ///< kMaxLogRanges was reached
  bool stopped = false;         ///< should_stop said so; the rest is unknown
  /// Of all bytes, where a window was asked for and the end was reached: the
  /// slice is then no longer the only thing that can be held against the file.
  std::optional<Digest> sha256;
  /// Ascending, disjoint. A record without a time is inside if the timed record
  /// before or after it is.
  std::vector<ByteRange> ranges;
};

/// Reads every line once, in bounded memory; order does not matter.
/// @throws what source.read() throws.
[[nodiscard]] LogScan scan_log(const ByteSource& source,
                               const TimeWindow& window,
                               std::string_view timestamp_key,
                               const std::function<bool()>& should_stop);

}  // namespace impound
