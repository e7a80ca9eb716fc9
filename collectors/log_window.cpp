// SPDX-License-Identifier: Apache-2.0
#include "collectors/log_window.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "collectors/record_time.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Collects ranges and keeps their number bounded by closing small gaps.
class RangeList {
 public:
  void add(std::uint64_t begin, std::uint64_t end) {
    if (!ranges_.empty()) {
      ByteRange& last = ranges_.back();
      const std::uint64_t last_end = last.offset + last.length;
      if (begin <= last_end || begin - last_end <= bridged_) {
        last.length = end - last.offset;
        return;
      }
    }
    ranges_.push_back({begin, end - begin});
    while (ranges_.size() > kMaxLogRanges) widen();
  }

  [[nodiscard]] bool was_widened() const { return bridged_ != 0; }
  [[nodiscard]] std::vector<ByteRange> take() { return std::move(ranges_); }

 private:
  void widen() {
    bridged_ = std::max<std::uint64_t>(4 * limits::kKiB, bridged_ * 2);
    std::vector<ByteRange> wide;
    for (const ByteRange& range : ranges_) {
      if (!wide.empty()) {
        ByteRange& last = wide.back();
        const std::uint64_t last_end = last.offset + last.length;
        if (range.offset - last_end <= bridged_) {
          last.length = range.offset + range.length - last.offset;
          continue;
        }
      }
      wide.push_back(range);
    }
    ranges_ = std::move(wide);
  }

  std::vector<ByteRange> ranges_;
  std::uint64_t bridged_ = 0;  ///< gaps up to this many bytes are closed
};

class Scanner {
 public:
  Scanner(const TimeWindow& window, std::string_view key)
      : window_(window), key_(key) {}

  /// One line with its LF, if it has one. `text` is empty for a line that was
  /// too long to keep.
  void line(std::uint64_t begin, std::uint64_t end, std::string_view text,
            bool is_too_long, bool has_newline) {
    if (begin == 0 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    text = trim(text);
    if (text.empty() && !is_too_long) {
      untimed(begin, end);
      return;
    }
    ++scan_.records;
    RecordTime record;
    if (!is_too_long) record = read_record_time(text, key_);
    if (!record.is_json) {
      ++scan_.unparsable;
      scan_.torn_last_line = !has_newline;
    }
    scan_.zone_assumed |= record.zone_assumed;
    if (!record.time) {
      ++scan_.timeless;
      untimed(begin, end);
      return;
    }
    timed(begin, end, *record.time);
  }

  LogScan finish(std::uint64_t size) {
    if (has_pending_ && last_inside_) ranges_.add(pending_begin_, pending_end_);
    scan_.size = size;
    scan_.widened = ranges_.was_widened();
    scan_.ranges = ranges_.take();
    return std::move(scan_);
  }

 private:
  void untimed(std::uint64_t begin, std::uint64_t end) {
    if (!has_pending_) pending_begin_ = begin;
    has_pending_ = true;
    pending_end_ = end;
  }

  void timed(std::uint64_t begin, std::uint64_t end, TimeNs time) {
    if (previous_ && time < *previous_) scan_.unsorted = true;
    previous_ = time;
    scan_.first = std::min(scan_.first.value_or(time), time);
    scan_.last = std::max(scan_.last.value_or(time), time);
    const bool inside = window_.holds(time);
    if (has_pending_ && (inside || last_inside_)) {
      ranges_.add(pending_begin_, pending_end_);
    }
    has_pending_ = false;
    last_inside_ = inside;
    if (!inside) return;
    ++scan_.inside;
    ranges_.add(begin, end);
  }

  const TimeWindow& window_;
  std::string_view key_;
  LogScan scan_;
  RangeList ranges_;
  std::optional<TimeNs> previous_;
  bool last_inside_ = false;
  bool has_pending_ = false;  ///< records without a time wait for a neighbour
  std::uint64_t pending_begin_ = 0;
  std::uint64_t pending_end_ = 0;
};

}  // namespace

LogScan scan_log(const ByteSource& source, const TimeWindow& window,
                 std::string_view timestamp_key,
                 const std::function<bool()>& should_stop) {
  Scanner scanner(window, timestamp_key);
  Bytes block(limits::kMiB);
  std::string carried;  // the beginning of a line that a block ended in
  bool is_too_long = false;
  std::uint64_t line_begin = 0;
  std::uint64_t at = 0;
  bool stopped = false;
  std::optional<Sha256> hash;
  if (!window.is_open()) hash.emplace();
  while (at < source.size() && !stopped) {
    const std::size_t count = static_cast<std::size_t>(
        std::min<std::uint64_t>(block.size(), source.size() - at));
    source.read(at, std::span(block).first(count));
    if (hash) hash->update(ByteView(block).first(count));
    std::string_view rest = as_text(ByteView(block).first(count));
    while (!rest.empty()) {
      const std::size_t newline = rest.find('\n');
      if (newline == rest.npos) {
        if (carried.size() + rest.size() > kMaxLogRecord) {
          is_too_long = true;
          carried.clear();
          carried.shrink_to_fit();
        }
        if (!is_too_long) carried.append(rest);
        break;
      }
      const std::uint64_t end =
          at + count - rest.size() + newline + 1;  // past the LF
      std::string_view text = rest.substr(0, newline);
      if (!carried.empty()) {
        carried.append(text);
        text = carried;
      }
      if (is_too_long) text = {};
      scanner.line(line_begin, end, text, is_too_long, true);
      carried.clear();
      is_too_long = false;
      line_begin = end;
      rest.remove_prefix(newline + 1);
    }
    at += count;
    stopped = should_stop();
  }
  if (!stopped && line_begin < at) {
    scanner.line(line_begin, at, carried, is_too_long, false);
  }
  LogScan scan = scanner.finish(at);
  scan.stopped = stopped;
  if (hash && !stopped) scan.sha256 = hash->finish();
  return scan;
}

}  // namespace impound
