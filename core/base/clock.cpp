// SPDX-License-Identifier: Apache-2.0
#include "core/base/clock.hpp"

#include <fmt/format.h>
#include <sys/timex.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "core/base/fs.hpp"

namespace impound {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// Reads exactly `digits` decimal digits at the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<TimeNs> take_date(std::string_view& text) {
  using namespace std::chrono;
  const auto y = take_number(text, 4);
  if (!y || !take_char(text, '-')) return std::nullopt;
  const auto m = take_number(text, 2);
  if (!m || !take_char(text, '-')) return std::nullopt;
  const auto d = take_number(text, 2);
  if (!d) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*m)},
                            day{static_cast<unsigned>(*d)}};
  // TimeNs reaches from 1677 to 2262.
  if (!date.ok() || *y < 1678 || *y > 2261) return std::nullopt;
  return duration_cast<nanoseconds>(sys_days{date}.time_since_epoch()).count();
}

std::optional<std::int64_t> take_clock_time(std::string_view& text) {
  const auto h = take_number(text, 2);
  if (!h || *h > 23 || !take_char(text, ':')) return std::nullopt;
  const auto m = take_number(text, 2);
  if (!m || *m > 59 || !take_char(text, ':')) return std::nullopt;
  const auto s = take_number(text, 2);
  if (!s || *s > 60) return std::nullopt;  // 60: a leap second
  std::int64_t ns = ((*h * 60LL + *m) * 60 + *s) * kSecond;
  if (take_char(text, '.')) {
    std::int64_t unit = kSecond;
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      if (++digits > 9) return std::nullopt;
      unit /= 10;
      ns += (text.front() - '0') * unit;
      text.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
  }
  return ns;
}

std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (take_char(text, 'Z') || take_char(text, 'z')) return 0;
  const bool west = !text.empty() && text.front() == '-';
  if (!take_char(text, '+') && !take_char(text, '-')) return std::nullopt;
  const auto h = take_number(text, 2);
  if (!h || *h > 23 || !take_char(text, ':')) return std::nullopt;
  const auto m = take_number(text, 2);
  if (!m || *m > 59) return std::nullopt;
  const std::int64_t offset = (*h * 60LL + *m) * 60 * kSecond;
  return west ? -offset : offset;
}

std::string boot_id() {
  const auto text = read_proc_text("/proc/sys/kernel/random/boot_id");
  if (!text) return "unknown";
  return text->substr(0, text->find('\n'));
}

}  // namespace

TimeNs SystemClock::now() const {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

ClockState SystemClock::state() const {
  static const std::string kBootId = boot_id();
  ClockState state;
  state.checked_at = now();
  state.boot_id = kBootId;
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  state.monotonic_ns = boot.tv_sec * kSecond + boot.tv_nsec;
  timex kernel{};
  const int answer = ::adjtimex(&kernel);
  if (answer < 0 || answer == TIME_ERROR || (kernel.status & STA_UNSYNC) != 0) {
    state.source = "unsynchronised";
    return state;
  }
  state.source = "ntp";
  const double unit = (kernel.status & STA_NANO) != 0 ? 1e6 : 1e3;
  state.offset_ms = static_cast<double>(kernel.offset) / unit;
  return state;
}

void pause_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::string format_time(TimeNs time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> point{nanoseconds{time}};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<microseconds>(point - day)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                     static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<TimeNs> parse_time(std::string_view text) {
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  if (text.empty()) return date;
  if (!take_char(text, 'T') && !take_char(text, 't') && !take_char(text, ' ')) {
    return std::nullopt;
  }
  const auto clock = take_clock_time(text);
  if (!clock) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return *date + *clock - *zone;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (digits == 9) return std::nullopt;
    value = value * 10 + (text[digits] - '0');
    ++digits;
  }
  if (digits == 0 || digits + 1 != text.size()) return std::nullopt;
  std::int64_t unit = 0;
  switch (text[digits]) {
    case 's':
      unit = kSecond;
      break;
    case 'm':
      unit = 60 * kSecond;
      break;
    case 'h':
      unit = 3600 * kSecond;
      break;
    case 'd':
      unit = 86400 * kSecond;
      break;
    default:
      return std::nullopt;
  }
  std::int64_t total = 0;
  if (__builtin_mul_overflow(value, unit, &total)) return std::nullopt;
  return total;
}

}  // namespace impound
