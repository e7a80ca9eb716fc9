// SPDX-License-Identifier: Apache-2.0
#include "core/cli/table.hpp"

#include <algorithm>

#include "core/base/screen_text.hpp"
#include "core/base/text.hpp"
#include "core/cli/help.hpp"
#include "core/cli/standard_output.hpp"

namespace impound {
namespace {

using Row = std::vector<std::string>;

/// A wrapped column that is narrower than this cannot be read.
constexpr std::size_t kLeastText = 24;

std::size_t widest_line(std::string_view text) {
  std::size_t widest = 0;
  for (const std::string& line : split(text, '\n')) {
    widest = std::max(widest, columns_of(line));
  }
  return widest;
}

/// Columns in front of the last one.
std::size_t front_width(std::span<const Row> rows, std::size_t columns) {
  std::size_t front = 0;
  for (std::size_t i = 0; i + 1 < columns; ++i) {
    std::size_t widest = 0;
    for (const Row& row : rows) {
      if (i < row.size()) {
        widest = std::max(widest, columns_of(screen_line(row[i])));
      }
    }
    front += widest + 2;
  }
  return front;
}

/// `text` without the blanks that would be in front of its first line.
std::string hanging(const std::string& text, std::size_t indent,
                    std::size_t width) {
  return wrapped(screen_line(text), indent, width).substr(indent);
}

std::string wrapped_rows(std::span<const Row> rows, std::size_t columns,
                         std::size_t front, std::size_t width) {
  std::vector<Row> fronts;
  for (const Row& row : rows) {
    Row cells(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(std::min(
                                             row.size(), columns - 1)));
    // Keeps the columns in front as wide as they are for all rows.
    cells.resize(columns - 1);
    fronts.push_back(std::move(cells));
  }
  const std::vector<std::string> lines = split(format_table(fronts), '\n');
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string line = lines[i];
    if (rows[i].size() < columns || rows[i].back().empty()) {
      text += line + "\n";
      continue;
    }
    const std::size_t used = columns_of(line);
    line.append(front > used ? front - used : 2, ' ');
    text += line + hanging(rows[i].back(), front, width);
  }
  return text;
}

std::string blocks(std::span<const Row> rows, TableHead head,
                   std::size_t width) {
  const bool is_headed = head == TableHead::first_row && !rows.empty();
  const Row names = is_headed ? rows.front() : Row{};
  std::string text;
  for (const Row& row : is_headed ? rows.subspan(1) : rows) {
    if (row.empty()) continue;
    text += wrapped(screen_line(row.front()), 0, width);
    for (std::size_t i = 1; i < row.size(); ++i) {
      if (trim(row[i]).empty()) continue;
      const std::string name = i < names.size() ? names[i] + ": " : "";
      text += wrapped(name + screen_line(std::string(trim(row[i]))), 4, width);
    }
  }
  return text;
}

}  // namespace

std::string table_of_width(std::span<const Row> rows, TableHead head,
                           std::size_t width) {
  std::string plain = format_table(rows);
  if (rows.empty() || widest_line(plain) <= width) return plain;
  std::size_t columns = 0;
  for (const Row& row : rows) columns = std::max(columns, row.size());
  const std::size_t front = front_width(rows, columns);
  if (columns > 1 && front + kLeastText <= width) {
    return wrapped_rows(rows, columns, front, width);
  }
  return blocks(rows, head, width);
}

std::string fitted_table(std::span<const Row> rows, TableHead head) {
  const auto width = table_width();
  return width ? table_of_width(rows, head, *width) : format_table(rows);
}

}  // namespace impound
