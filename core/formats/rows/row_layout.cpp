// SPDX-License-Identifier: Apache-2.0
/// What the beginning of a shard says about its rows.

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "core/base/text.hpp"
#include "core/formats/rows/row_reader.hpp"

namespace impound {
namespace {

/// Lines or records that are looked at.
constexpr std::size_t kSample = 50;

bool is_blank(std::string_view line) { return trim(line).empty(); }

/// Whole lines of the head that are not blank; the last one counts only where
/// the head ends with it.
std::vector<std::string_view> sample_lines(std::string_view head) {
  std::vector<std::string_view> lines;
  while (!head.empty() && lines.size() < kSample) {
    const std::size_t end = head.find('\n');
    if (end == std::string_view::npos) {
      if (head.size() < kRowHead) lines.push_back(head);
      break;
    }
    if (!is_blank(head.substr(0, end))) lines.push_back(head.substr(0, end));
    head.remove_prefix(end + 1);
  }
  return lines;
}

/// NULs, or more control characters than any text has.
bool is_binary(std::string_view head) {
  std::size_t controls = 0;
  for (const char c : head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return true;
    if (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' &&
        c != '\x1b') {
      ++controls;
    }
  }
  return controls * 50 > head.size();
}

/// Rows are the lines, or the elements of one list, or it is a document.
RowFormat json_format(std::string_view head,
                      const std::vector<std::string_view>& lines) {
  const std::string_view start = trim(head);
  JsonRow row;
  std::size_t valid = 0;
  std::size_t lists = 0;
  for (const std::string_view line : lines) {
    if (!row.parse(trim(line))) continue;
    const JsonKind kind = row.root().kind;
    if (kind == JsonKind::list) ++lists;
    if (kind == JsonKind::object || kind == JsonKind::text ||
        kind == JsonKind::list) {
      ++valid;
    }
  }
  // One list on one line is a list of rows; several lists are one a line.
  if (start.starts_with('[')) {
    const bool is_lines = valid * 2 >= lines.size() && lists > 1;
    return is_lines ? RowFormat::jsonl : RowFormat::json;
  }
  if (lines.empty()) return RowFormat::jsonl;  // one line beyond the head
  if (valid * 2 >= lines.size()) return RowFormat::jsonl;
  return RowFormat::other;  // one document on many lines
}

/// "[Chorus]" and "{name}, hello" are text.
bool opens_json(std::string_view start) {
  if (start[0] != '{' && start[0] != '[') return false;
  const std::string_view inside = trim(start.substr(1, 256));
  if (inside.empty()) return start.size() > 1;
  const std::string_view expected = start[0] == '{' ? "\"}" : "{[\"]";
  return expected.find(inside[0]) != std::string_view::npos;
}

struct CsvGuess {
  char delimiter = ',';
  std::size_t columns = 0;
  std::size_t records = 0;
  bool is_table = false;
};

CsvGuess guess_csv(std::string_view head, char delimiter) {
  CsvGuess guess{.delimiter = delimiter};
  std::map<std::size_t, std::size_t> by_columns;
  const bool is_whole = head.size() < kRowHead;
  CsvRecord record;
  std::size_t odd = 0;
  while (!head.empty() && guess.records < kSample) {
    read_csv_record(head, delimiter, record);
    if (record.size == head.size() && !is_whole) break;
    head.remove_prefix(record.size);
    if (record.cells.size() == 1 && is_blank(record.cells[0])) continue;
    ++by_columns[record.cells.size()];
    ++guess.records;
    if (record.is_odd || record.is_unterminated) ++odd;
  }
  for (const auto& [columns, count] : by_columns) {
    if (count * 10 >= guess.records * 9 && columns > 1) {
      guess.columns = columns;
      guess.is_table = guess.records >= 2 && odd * 10 <= guess.records;
    }
  }
  return guess;
}

bool is_number(std::string_view cell) {
  if (cell.empty()) return false;
  return cell.find_first_not_of("+-0123456789.eE") == std::string_view::npos;
}

/// Words such as people give to columns.
bool is_column_name(std::string_view cell) {
  if (cell.empty() || cell.size() > 40 || is_number(cell)) return false;
  return std::ranges::all_of(cell, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) != 0 || c == '_' || c == '-' ||
           c == ' ' || c == '.';
  });
}

constexpr std::array<std::string_view, 24> kUsualNames{
    "text",   "label",    "id",          "sentence", "class",  "target",
    "url",    "category", "sentiment",   "content",  "prompt", "completion",
    "input",  "output",   "instruction", "response", "title",  "review",
    "rating", "score",    "question",    "answer",   "name",   "messages"};

bool first_is_header(std::string_view head, char delimiter) {
  CsvRecord first;
  read_csv_record(head, delimiter, first);
  std::set<std::string> seen;
  bool is_usual = false;
  for (const std::string& cell : first.cells) {
    const std::string name(trim(cell));
    // pandas leaves the name of its index column empty.
    const bool is_index = name.empty() && seen.empty();
    if (!is_index && !is_column_name(name)) return false;
    if (!seen.insert(name).second) return false;
    is_usual =
        is_usual || std::ranges::find(kUsualNames, to_lower_ascii(name)) !=
                        kUsualNames.end();
  }
  if (is_usual) return true;
  // Else some column must look different below: numbers, or long texts.
  std::vector<std::size_t> numbers(first.cells.size());
  std::vector<std::size_t> lengths(first.cells.size());
  std::size_t records = 0;
  head.remove_prefix(first.size);
  CsvRecord record;
  while (!head.empty() && records < kSample) {
    read_csv_record(head, delimiter, record);
    head.remove_prefix(record.size);
    if (record.cells.size() != first.cells.size()) continue;
    ++records;
    for (std::size_t i = 0; i < record.cells.size(); ++i) {
      if (is_number(trim(record.cells[i]))) ++numbers[i];
      lengths[i] += record.cells[i].size();
    }
  }
  for (std::size_t i = 0; i < first.cells.size() && records > 0; ++i) {
    if (numbers[i] * 10 >= records * 9) return true;
    if (lengths[i] / records > 3 * first.cells[i].size() + 10) return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(RowFormat format) noexcept {
  switch (format) {
    case RowFormat::jsonl:
      return "jsonl";
    case RowFormat::json:
      return "json";
    case RowFormat::csv:
      return "csv";
    case RowFormat::text:
      return "text";
    case RowFormat::other:
      return "other";
  }
  return "other";
}

std::optional<RowFormat> row_format_from(std::string_view name) noexcept {
  for (const RowFormat format :
       {RowFormat::jsonl, RowFormat::json, RowFormat::csv, RowFormat::text,
        RowFormat::other}) {
    if (to_string(format) == name) return format;
  }
  return std::nullopt;
}

RowLayout detect_layout(std::string_view head) {
  RowLayout layout;
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  const std::string_view start = trim(head);
  if (start.empty() || is_binary(head)) return layout;
  const std::vector<std::string_view> lines = sample_lines(head);
  std::size_t objects = 0;
  JsonRow row;
  for (const std::string_view line : lines) {
    if (row.parse(trim(line)) && row.root().kind == JsonKind::object) {
      ++objects;
    }
  }
  const bool is_json =
      opens_json(start) ||
      (start[0] == '"' && !lines.empty() && row.parse(trim(lines.front())));
  // A first line that is broken does not make text of JSON lines.
  if (is_json || (objects > 0 && objects * 2 >= lines.size())) {
    layout.format = is_json ? json_format(head, lines) : RowFormat::jsonl;
    return layout;
  }
  CsvGuess best;
  for (const char delimiter : {',', '\t', ';', '|'}) {
    const CsvGuess guess = guess_csv(head, delimiter);
    if (guess.is_table && guess.columns > best.columns) best = guess;
  }
  if (best.is_table) {
    layout.format = RowFormat::csv;
    layout.delimiter = best.delimiter;
    layout.has_header = first_is_header(head, best.delimiter);
    return layout;
  }
  layout.format = RowFormat::text;
  return layout;
}

void read_csv_record(std::string_view text, char delimiter, CsvRecord& record) {
  record.is_unterminated = false;
  record.is_odd = false;
  std::size_t used = 0;
  const auto next_cell = [&]() -> std::string& {
    if (used == record.cells.size()) record.cells.emplace_back();
    record.cells[used].clear();
    return record.cells[used++];
  };
  std::size_t at = 0;
  bool goes_on = true;
  while (goes_on) {
    std::string& cell = next_cell();
    const bool is_quoted = at < text.size() && text[at] == '"';
    if (is_quoted) {
      ++at;
      while (true) {
        const std::size_t quote = text.find('"', at);
        if (quote == std::string_view::npos) {
          record.is_unterminated = true;
          cell.append(text.substr(at));
          at = text.size();
          break;
        }
        cell.append(text.substr(at, quote - at));
        at = quote + 1;
        if (at >= text.size() || text[at] != '"') break;
        cell += '"';
        ++at;
      }
    }
    const std::size_t plain = at;
    while (at < text.size() && text[at] != delimiter && text[at] != '\n') ++at;
    std::string_view rest = text.substr(plain, at - plain);
    goes_on = at < text.size() && text[at] == delimiter;
    if (!goes_on && rest.ends_with('\r')) rest.remove_suffix(1);
    // Text behind a closing quote is kept, as Python's reader does.
    if (is_quoted && !rest.empty()) record.is_odd = true;
    cell.append(rest);
    if (at < text.size()) ++at;
  }
  record.cells.resize(used);
  record.size = at;
}

}  // namespace impound
