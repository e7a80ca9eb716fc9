// SPDX-License-Identifier: Apache-2.0
#include "core/formats/rows/row_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::size_t kReadStep = std::size_t{256} << 10U;
constexpr std::string_view kFastTextLabel = "__label__";

bool is_ascii(std::string_view text) noexcept {
  std::uint64_t high = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    high |= word;
  }
  for (; i < text.size(); ++i) high |= static_cast<unsigned char>(text[i]);
  return (high & 0x8080808080808080U) == 0;
}

bool is_blank(std::string_view line) noexcept {
  for (const char c : line) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f') {
      return false;
    }
  }
  return true;
}

/// Counts what is odd, one Problem a rule.
class Oddities {
 public:
  void add(std::string_view rule, Severity severity, std::uint64_t row,
           std::uint64_t offset, std::string_view what) {
    Entry& entry = entries_[std::string(rule)];
    if (entry.count++ == 0) {
      entry.first = {std::string(rule), severity, offset,
                     fmt::format("row {}: {}", row, what)};
    }
  }

  [[nodiscard]] Problems list() const {
    Problems problems;
    for (const auto& [rule, entry] : entries_) {
      Problem problem = entry.first;
      if (entry.count > 1) {
        problem.message += fmt::format("; {} rows in all", entry.count);
      }
      problems.push_back(std::move(problem));
    }
    return problems;
  }

 private:
  struct Entry {
    Problem first;
    std::uint64_t count = 0;
  };
  std::map<std::string, Entry> entries_;
};

/// The part of a stream that is held: everything from the row at hand on.
class RowBuffer {
 public:
  explicit RowBuffer(ByteStream& stream) : stream_(stream) {}

  [[nodiscard]] std::string_view held() const {
    return as_text(ByteView(bytes_).subspan(begin_, end_ - begin_));
  }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] bool is_over() const { return is_over_; }

  /// Reads more; false where nothing more comes.
  bool fill() {
    if (is_over_) return false;
    if (begin_ > 0 && bytes_.size() - end_ < kReadStep) {
      std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (bytes_.size() - end_ < kReadStep) {
      bytes_.resize(std::max(end_ + kReadStep, 2 * bytes_.size()));
    }
    const std::size_t count =
        stream_.read(std::span(bytes_).subspan(end_, kReadStep));
    end_ += count;
    is_over_ = count == 0;
    return !is_over_;
  }

  void drop(std::size_t count) {
    begin_ += count;
    offset_ += count;
  }

 private:
  ByteStream& stream_;
  Bytes bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;  // of begin_, in the unpacked shard
  bool is_over_ = false;
};

}  // namespace

/// Cuts one stream into rows.
class RowWalk {
 public:
  RowWalk(ByteStream& stream, RowVisitor& visitor)
      : buffer_(stream), visitor_(visitor) {}

  RowsOutcome run(const std::optional<RowLayout>& layout) {
    while (buffer_.held().size() < kRowHead && buffer_.fill()) {
    }
    outcome_.layout = layout
                          ? *layout
                          : detect_layout(buffer_.held().substr(
                                0, std::min(buffer_.held().size(), kRowHead)));
    if (buffer_.held().starts_with("\xef\xbb\xbf")) buffer_.drop(3);
    switch (outcome_.layout.format) {
      case RowFormat::jsonl:
      case RowFormat::text:
        lines();
        break;
      case RowFormat::json:
        list();
        break;
      case RowFormat::csv:
        records();
        break;
      case RowFormat::other:
        skip_all();
        break;
    }
    outcome_.rows = row_.number;
    outcome_.bytes = buffer_.offset();
    outcome_.is_whole = !stopped_;
    outcome_.problems = oddities_.list();
    return std::move(outcome_);
  }

 private:
  void skip_all() {
    do {
      buffer_.drop(buffer_.held().size());
    } while (buffer_.fill());
  }

  /// Bytes up to and with the line end; the whole rest at the end of the
  /// stream; npos if the line is longer than what may be held.
  std::size_t line_size() {
    std::size_t looked = 0;
    while (true) {
      const std::string_view held = buffer_.held();
      const std::size_t end = held.find('\n', looked);
      if (end != std::string_view::npos) {
        return end < kMaxRowBytes ? end + 1 : std::string_view::npos;
      }
      if (held.size() >= kMaxRowBytes) return std::string_view::npos;
      looked = held.size();
      if (!buffer_.fill()) return buffer_.held().size();
    }
  }

  void lines() {
    while (!stopped_) {
      const std::size_t size = line_size();
      if (size == 0) return;
      if (size == std::string_view::npos) {
        long_line();
        continue;
      }
      one_line(buffer_.held().substr(0, size));
      buffer_.drop(size);
      ++line_;
    }
  }

  /// A line that is held whole, its line end included.
  void one_line(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is_blank(line)) return;
    begin_row(line, line.size());
    if (outcome_.layout.format == RowFormat::text) {
      split_label(line);
      show();
      return;
    }
    json_row(line);
  }

  void json_row(std::string_view text) {
    if (json_.parse(text)) {
      row_.json_ = &json_;
      if (json_.has_duplicate_keys()) {
        odd("row-duplicate-key", Severity::medium,
            "a key stands twice: loaders disagree on which one counts");
      }
    } else {
      row_.is_broken = true;
      odd("row-not-json", Severity::low,
          fmt::format("no JSON ({}): compared by its bytes", json_.error()));
    }
    show();
  }

  void split_label(std::string_view line) {
    std::size_t at = 0;
    std::size_t end = 0;
    while (line.substr(at).starts_with(kFastTextLabel)) {
      end = std::min(line.find_first_of(" \t", at), line.size());
      at = std::min(line.find_first_not_of(" \t", end), line.size());
    }
    row_.label_ = line.substr(0, end);
    row_.text_ = line.substr(at);
  }

  /// A line that is too long: handed over in pieces, then shown cut.
  void long_line() {
    const std::uint64_t offset = buffer_.offset();
    const std::string kept(buffer_.held().substr(0, kCutRow));
    std::uint64_t size = 0;
    char last = 0;
    while (true) {
      const std::string_view held = buffer_.held();
      const std::size_t end = std::min(held.find('\n'), held.size());
      // A carriage return may be the line end's.
      if (last == '\r' && end > 0) visitor_.piece("\r");
      if (end > 0) {
        last = held[end - 1];
        visitor_.piece(held.substr(0, last == '\r' ? end - 1 : end));
      }
      size += end;
      const bool is_end = end < held.size();
      buffer_.drop(is_end ? end + 1 : end);
      if (is_end || (buffer_.held().empty() && !buffer_.fill())) break;
    }
    if (last == '\r') --size;
    begin_row(kept, size);
    row_.is_cut = true;
    row_.is_broken = true;
    oddities_.add(
        "row-too-long", Severity::low, row_.number, offset,
        fmt::format("{} bytes: compared whole, fields not read", size));
    show_checked();
    ++line_;
  }

  /// Elements of one JSON list.
  void list() {
    skip_space();
    if (!buffer_.held().starts_with('[')) return broken_list("no list");
    buffer_.drop(1);
    skip_space();
    if (buffer_.held().starts_with(']')) {
      buffer_.drop(1);
    } else {
      while (!stopped_) {
        skip_space();
        const std::size_t size = element_size();
        if (size == 0) return broken_list("an element without end");
        const std::string_view text = buffer_.held().substr(0, size);
        begin_row(text, size);
        json_row(text);
        line_ += static_cast<std::uint64_t>(
            std::count(text.begin(), text.end(), '\n'));
        buffer_.drop(size);
        skip_space();
        const std::string_view held = buffer_.held();
        const char c = held.empty() ? '\0' : held[0];
        if (c != ',' && c != ']') return broken_list("a lost comma");
        buffer_.drop(1);
        if (c == ']') break;
      }
    }
    skip_space();
    if (!stopped_ && !buffer_.held().empty()) broken_list("text behind it");
  }

  /// What follows is no list any more: its lines are rows by their bytes.
  void broken_list(std::string_view why) {
    if (stopped_ || (buffer_.held().empty() && !buffer_.fill())) {
      oddities_.add("row-list-broken", Severity::medium, row_.number,
                    buffer_.offset(),
                    fmt::format("the JSON list ends early: {}", why));
      return;
    }
    oddities_.add("row-list-broken", Severity::medium, row_.number + 1,
                  buffer_.offset(),
                  fmt::format("the JSON list is broken here ({}): the rest is "
                              "compared line by line",
                              why));
    lines();
  }

  void skip_space() {
    while (true) {
      const std::string_view held = buffer_.held();
      std::size_t at = 0;
      while (at < held.size() && is_blank(held.substr(at, 1))) {
        if (held[at] == '\n') ++line_;
        ++at;
      }
      buffer_.drop(at);
      if (!buffer_.held().empty() || !buffer_.fill()) return;
    }
  }

  /// Bytes of the element at hand, by brackets and quotes; 0 if it does not
  /// end within what may be held.
  std::size_t element_size() {
    std::size_t at = 0;
    std::size_t depth = 0;
    bool in_text = false;
    while (true) {
      const std::string_view held = buffer_.held();
      for (; at < held.size(); ++at) {
        const char c = held[at];
        if (in_text) {
          if (c == '\\') {
            ++at;
          } else if (c == '"') {
            in_text = false;
          }
          continue;
        }
        if (c == '"') {
          in_text = true;
        } else if (c == '{' || c == '[') {
          ++depth;
        } else if ((c == ',' || c == ']') && depth == 0) {
          const std::size_t size = trimmed(held.substr(0, at));
          return size <= kMaxRowBytes ? size : 0;
        } else if (c == '}' || c == ']') {
          if (depth == 0) return 0;
          --depth;
        }
      }
      if (held.size() >= kMaxRowBytes || !buffer_.fill()) return 0;
    }
  }

  static std::size_t trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.substr(text.size() - 1))) {
      text.remove_suffix(1);
    }
    return text.size();
  }

  void records() {
    bool wants_header = outcome_.layout.has_header;
    while (!stopped_) {
      if (buffer_.held().empty() && !buffer_.fill()) return;
      if (!hold_record()) {
        // A quote that never closes would swallow the rest of the shard: its
        // line is a row by its bytes, and the next line begins anew.
        const std::size_t size = line_size();
        if (size == std::string_view::npos) {
          long_line();
          continue;
        }
        std::string_view line = buffer_.held().substr(0, size);
        if (line.ends_with('\n')) line.remove_suffix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        begin_row(line, line.size());
        row_.is_broken = true;
        odd("row-open-quote", Severity::medium,
            "a quote that is never closed: its line is compared by its bytes");
        show();
        buffer_.drop(size);
        ++line_;
        continue;
      }
      const std::string_view text = buffer_.held().substr(0, record_.size);
      if (!is_blank(text)) {
        if (wants_header) {
          wants_header = false;
          take_header();
        } else {
          one_record(text);
        }
      }
      line_ += static_cast<std::uint64_t>(
          std::count(text.begin(), text.end(), '\n'));
      buffer_.drop(record_.size);
    }
  }

  /// Reads one record, with more bytes as long as it is not whole. False if it
  /// cannot be: an open quote, or too long.
  bool hold_record() {
    std::size_t wanted = kReadStep;
    while (true) {
      read_csv_record(buffer_.held(), outcome_.layout.delimiter, record_);
      const std::size_t held = buffer_.held().size();
      const bool may_go_on =
          record_.size == held &&
          (record_.is_unterminated || !buffer_.held().ends_with('\n'));
      if (!may_go_on) return record_.size <= kMaxRowBytes;
      if (held >= kMaxRowBytes) return false;
      // Twice as much each time: a long record is not read over and over.
      wanted = std::max(wanted, held * 2);
      bool got = false;
      while (buffer_.held().size() < wanted && buffer_.fill()) got = true;
      if (!got) return !record_.is_unterminated;
    }
  }

  void take_header() {
    outcome_.header = record_.cells;
    std::set<std::string> names(outcome_.header.begin(), outcome_.header.end());
    if (names.size() != outcome_.header.size()) {
      oddities_.add("row-duplicate-key", Severity::medium, 0, 0,
                    "two columns have one name: rows are compared by place");
      outcome_.header.clear();
    }
  }

  void one_record(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    begin_row(text, text.size());
    row_.record_ = &record_;
    const std::size_t expected =
        outcome_.header.empty() ? first_columns_ : outcome_.header.size();
    if (first_columns_ == 0) first_columns_ = record_.cells.size();
    if (expected != 0 && record_.cells.size() != expected) {
      odd("row-field-count", Severity::low,
          fmt::format("{} fields, expected {}", record_.cells.size(),
                      expected));
    } else if (!outcome_.header.empty()) {
      row_.header_ = &outcome_.header;
    }
    if (record_.is_odd) {
      odd("row-quote", Severity::low, "text behind a closing quote");
    }
    show();
  }

  void begin_row(std::string_view raw, std::uint64_t size) {
    const std::uint64_t number = row_.number + 1;
    row_ = DataRow();
    row_.number = number;
    row_.line = line_;
    row_.size = size;
    row_.raw = raw;
  }

  void odd(std::string_view rule, Severity severity, std::string_view what) {
    oddities_.add(rule, severity, row_.number, buffer_.offset(), what);
  }

  void show() {
    if (!is_ascii(row_.raw) && !is_utf8(row_.raw)) {
      odd("row-not-utf8", Severity::low, "bytes that are no UTF-8");
    }
    if (std::memchr(row_.raw.data(), 0, row_.raw.size()) != nullptr) {
      odd("row-nul", Severity::medium, "a NUL byte");
    }
    show_checked();
  }

  void show_checked() {
    if (!visitor_.row(row_)) stopped_ = true;
  }

  RowBuffer buffer_;
  RowVisitor& visitor_;
  RowsOutcome outcome_;
  Oddities oddities_;
  DataRow row_;
  JsonRow json_;
  CsvRecord record_;
  std::size_t first_columns_ = 0;
  std::uint64_t line_ = 1;
  bool stopped_ = false;
};

RowsOutcome read_rows(ByteStream& stream,
                      const std::optional<RowLayout>& layout,
                      RowVisitor& visitor) {
  RowsOutcome outcome = RowWalk(stream, visitor).run(layout);
  if (const std::string why = stream.problem(); !why.empty()) {
    outcome.is_whole = false;
    outcome.problems.push_back(
        {"shard-cut", Severity::high, outcome.bytes,
         fmt::format("not read to its end, after {} rows: {}", outcome.rows,
                     why)});
  }
  return outcome;
}

}  // namespace impound
