// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A clock that stands still until a test moves it.

#include "core/base/clock.hpp"

namespace impound::test {

class FixedClock final : public Clock {
 public:
  /// 2026-11-23T00:00:00Z unless a test says otherwise.
  explicit FixedClock(TimeNs now = 1'795'392'000'000'000'000) : now_(now) {}

  [[nodiscard]] TimeNs now() const override { return now_; }
  [[nodiscard]] ClockState state() const override {
    return {.source = "ntp",
            .offset_ms = 0.25,
            .checked_at = now_,
            .monotonic_ns = now_ - 1'700'000'000'000'000'000,
            .boot_id = "00000000-0000-4000-8000-000000000000"};
  }
  void advance(std::int64_t ns) { now_ += ns; }

 private:
  TimeNs now_;
};

}  // namespace impound::test
