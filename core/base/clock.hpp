// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Time, injected [I8]: UTC with nanoseconds, and how far it can be trusted.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace impound {

/// Nanoseconds since 1970-01-01T00:00:00Z.
using TimeNs = std::int64_t;

/// What the system says about its own clock.
struct ClockState {
  std::string source;               ///< "ntp", "chrony", "unsynchronised"
  std::optional<double> offset_ms;  ///< as the system estimates it
  TimeNs checked_at = 0;
  std::int64_t monotonic_ns = 0;  ///< since boot: makes a step visible
  std::string boot_id;            ///< /proc/sys/kernel/random/boot_id
};

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual TimeNs now() const = 0;
  [[nodiscard]] virtual ClockState state() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimeNs now() const override;
  [[nodiscard]] ClockState state() const override;
};

/// Lets other processes work for a moment.
void pause_ms(int milliseconds);

/// "2026-11-23T03:04:05.123456Z": RFC 3339, UTC, microseconds.
[[nodiscard]] std::string format_time(TimeNs time);

/// Parses RFC 3339 with any offset and 0 to 9 fraction digits; a date alone
/// ("2026-11-23") is midnight UTC. Empty if it is neither.
[[nodiscard]] std::optional<TimeNs> parse_time(std::string_view text);

/// "90s", "15m", "36h", "7d" as nanoseconds; empty if it is none of these.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);

}  // namespace impound
