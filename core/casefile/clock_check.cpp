// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/clock_check.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "core/base/text.hpp"
#include "core/casefile/line_check.hpp"

namespace impound {
namespace {

/// Calendar and counter may part by this much: both are read one after the
/// other, and the calendar is kept right by small corrections (NTP: at most
/// 500 ppm of the time between two entries).
constexpr std::int64_t kToleranceNs = 1'000'000'000;
constexpr std::int64_t kSlewPerSecond = 1'000'000 / 500;

constexpr std::string_view kStep = "clock step";

}  // namespace

void ClockCheck::follow(std::int64_t seq, const Json& json,
                        std::vector<CustodyProblem>& problems,
                        std::vector<CustodyProblem>& warnings) {
  const Json& clock = json["clock"];
  if (!clock.is_object()) return;  // said by check_line()
  const std::string boot_id = text_or(clock, "boot_id", "");
  const auto counter = clock.find("monotonic_ns");
  // Half the range, so that no difference of two counters overflows.
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 2;
  const bool sane = counter != clock.end() && counter->is_number_integer() &&
                    counter->get<std::int64_t>() >= 0 &&
                    counter->get<std::int64_t>() <= kMost;
  if (boot_id.empty() || !sane) {
    problems.push_back({seq, "clock",
                        "boot_id, and monotonic_ns: nanoseconds since boot",
                        excerpt(dump_line(clock))});
    return;
  }
  const auto recorded = parse_time(text_or(json, "recorded_at", ""));
  if (!recorded || *recorded < 0 || *recorded > kMost) return;
  const Reading now{boot_id, counter->get<std::int64_t>(), *recorded};
  const std::optional<Reading> before = std::exchange(last_, now);
  if (!before) return;
  const std::int64_t calendar = now.recorded - before->recorded;
  if (now.boot_id != before->boot_id) {
    // Another boot or another machine: only the calendar can be compared.
    if (calendar < -kToleranceNs) {
      warnings.push_back({seq, std::string(kStep),
                          "recorded at " + format_time(before->recorded) +
                              " or later, on another boot or machine",
                          format_time(now.recorded)});
    }
    return;
  }
  const std::int64_t counted = now.monotonic_ns - before->monotonic_ns;
  if (counted < 0) {
    problems.push_back({seq, "clock",
                        fmt::format("monotonic_ns {} or more, as in the entry "
                                    "before, of the same boot",
                                    before->monotonic_ns),
                        std::to_string(now.monotonic_ns)});
    return;
  }
  const std::int64_t parted = calendar - counted;
  const std::int64_t allowed = kToleranceNs + counted / kSlewPerSecond;
  if (parted < -allowed || parted > allowed) {
    warnings.push_back(
        {seq, std::string(kStep),
         fmt::format("{} since the entry before, by the counter",
                     human_seconds(static_cast<double>(counted) / 1e9)),
         fmt::format("the calendar moved {} {}",
                     human_seconds(static_cast<double>(
                                       calendar < 0 ? -calendar : calendar) /
                                   1e9),
                     calendar < 0 ? "back" : "on")});
  }
}

}  // namespace impound
