// SPDX-License-Identifier: Apache-2.0
#pragma once
/// When a line of a prompt log says that it happened.

#include <optional>
#include <string_view>

#include "core/base/clock.hpp"

namespace impound {

struct RecordTime {
  bool is_json = false;        ///< the line is one JSON document
  std::optional<TimeNs> time;  ///< empty where the record states none
  /// The text carried no zone and was read as UTC.
  bool zone_assumed = false;
};

/// Looks for the time of one record.
///
/// `key` is a dotted path into the record ("response.body.created"); elements
/// of arrays have no part of their own. Empty means the keys that loggers use,
/// in a fixed order of preference: ts, timestamp, time, created, startTime …
/// Values: RFC 3339, "YYYY-MM-DD HH:MM:SS[.,]fff" (UTC is assumed), or a count
/// since 1970 in seconds, milliseconds, microseconds or nanoseconds, told apart
/// by size. Without a key, counts before the year 2000 are taken for something
/// else (a duration under "time").
[[nodiscard]] RecordTime read_record_time(std::string_view line,
                                          std::string_view key);

}  // namespace impound
