// SPDX-License-Identifier: Apache-2.0
#include "collectors/record_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/limits.hpp"

namespace impound {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// 2000-01-01T00:00:00Z: no served model is older.
constexpr TimeNs kEarliestGuess = 946'684'800 * kSecond;

/// Where loggers put the time, best first: the start of a request before its
/// end, a time of day before the creation time of an answer.
constexpr std::array<std::string_view, 24> kCommonKeys{
    "ts",
    "timestamp",
    "@timestamp",
    "time",
    "ts_start",
    "start_time",
    "startTime",
    "created_at",
    "createdAt",
    "created",
    "date",
    "datetime",
    "event_time",
    "request_time",
    "startTimeUnixNano",
    "timeUnixNano",
    "endTime",
    "end_time",
    "request.timestamp",
    "metadata.timestamp",
    "response.body.created",
    "response.created",
    "resourceSpans.scopeSpans.spans.startTimeUnixNano",
    "resourceLogs.scopeLogs.logRecords.timeUnixNano",
};

/// Parts of a dotted path that are followed; deeper keys hold content.
constexpr std::size_t kMaxPathParts = 8;

/// A count since 1970, its unit told by its size: seconds reach 1e11 in the
/// year 5138, milliseconds 1e14, microseconds 1e17.
std::optional<TimeNs> from_count(double count) {
  if (!std::isfinite(count) || count < 0) return std::nullopt;
  double ns = count;
  if (count < 1e11) {
    ns = count * 1e9;
  } else if (count < 1e14) {
    ns = count * 1e6;
  } else if (count < 1e17) {
    ns = count * 1e3;
  }
  if (ns >= 9.2e18) return std::nullopt;
  return static_cast<TimeNs>(ns);
}

std::optional<TimeNs> from_count(std::uint64_t count) {
  constexpr std::uint64_t kMost = 9'200'000'000'000'000'000U;
  if (count >= kMost) return std::nullopt;
  std::uint64_t unit = 1;
  if (count < 100'000'000'000U) {
    unit = 1'000'000'000;
  } else if (count < 100'000'000'000'000U) {
    unit = 1'000'000;
  } else if (count < 100'000'000'000'000'000U) {
    unit = 1'000;
  }
  if (count > kMost / unit) return std::nullopt;
  return static_cast<TimeNs>(count * unit);
}

/// Follows one document and keeps the best time in it. Never builds a tree: a
/// record may be as large as a conversation.
class TimeFinder final : public nlohmann::json_sax<Json> {
 public:
  explicit TimeFinder(std::string_view wanted) : wanted_(wanted) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t value) override {
    return value < 0 || keep(from_count(static_cast<std::uint64_t>(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return keep(from_count(std::uint64_t{value}));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return keep(from_count(value));
  }
  bool string(string_t& value) override {
    if (rank_of_path() < best_) keep_text(value);
    return true;
  }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(); }
  bool key(string_t& name) override {
    if (path_.size() <= kMaxPathParts) path_.back() = name;
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override {
    return ++depth_ <= limits::kMaxDepth;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception&) override {
    return false;
  }

  [[nodiscard]] std::optional<TimeNs> time() const { return time_; }
  [[nodiscard]] bool zone_assumed() const { return zone_assumed_; }

 private:
  bool open() {
    path_.emplace_back();
    return ++depth_ <= limits::kMaxDepth;
  }
  bool close() {
    path_.pop_back();
    --depth_;
    return true;
  }

  /// Place of the present path in the list of wanted keys; kNone if it is not
  /// there.
  [[nodiscard]] std::size_t rank_of_path() const {
    if (path_.empty() || path_.size() > kMaxPathParts) return kNone;
    if (!wanted_.empty()) return is_path(wanted_) ? 0 : kNone;
    for (std::size_t i = 0; i < kCommonKeys.size(); ++i) {
      if (is_path(kCommonKeys[i])) return i;
    }
    return kNone;
  }

  [[nodiscard]] bool is_path(std::string_view dotted) const {
    for (std::size_t i = 0; i < path_.size(); ++i) {
      if (!dotted.starts_with(path_[i])) return false;
      dotted.remove_prefix(path_[i].size());
      if (i + 1 == path_.size()) return dotted.empty();
      if (!dotted.starts_with('.')) return false;
      dotted.remove_prefix(1);
    }
    return false;
  }

  bool keep(std::optional<TimeNs> time) {
    if (!time || (wanted_.empty() && *time < kEarliestGuess)) return true;
    const std::size_t rank = rank_of_path();
    if (rank >= best_) return true;
    best_ = rank;
    time_ = time;
    zone_assumed_ = false;
    return true;
  }

  void keep_text(std::string text) {
    if (text.size() > 64) return;  // no time is that long
    std::uint64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, count);
    if (failure == std::errc{} && stop == end) {
      static_cast<void>(keep(from_count(count)));
      return;
    }
    std::ranges::replace(text, ',', '.');
    std::optional<TimeNs> time = parse_time(text);
    bool assumed = false;
    if (!time) {
      time = parse_time(text + "Z");
      assumed = time.has_value();
    }
    const std::size_t rank = rank_of_path();
    if (!time || rank >= best_) return;
    best_ = rank;
    time_ = time;
    zone_assumed_ = assumed;
  }

  static constexpr std::size_t kNone = kCommonKeys.size();

  std::string_view wanted_;
  std::vector<std::string> path_;
  int depth_ = 0;
  std::size_t best_ = kNone;
  std::optional<TimeNs> time_;
  bool zone_assumed_ = false;
};

}  // namespace

RecordTime read_record_time(std::string_view line, std::string_view key) {
  TimeFinder finder(key);
  RecordTime found;
  found.is_json = Json::sax_parse(line, &finder);
  if (!found.is_json) return found;  // a torn line proves no time
  found.time = finder.time();
  found.zone_assumed = finder.zone_assumed();
  return found;
}

}  // namespace impound
