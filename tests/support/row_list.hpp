// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Rows of a text, read as a shard is read.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/rows/row_reader.hpp"

namespace impound::test {

struct ListedRow {
  std::uint64_t number = 0;
  std::uint64_t line = 0;
  std::uint64_t size = 0;
  std::string raw;
  std::string canonical;
  std::string pieces;               ///< of a row too long to be held
  std::vector<std::string> fields;  ///< "name=text"
  bool is_cut = false;
  bool is_broken = false;
};

/// Gives at most `step` bytes at a time: rows must not depend on it.
class SlowStream final : public ByteStream {
 public:
  SlowStream(std::string_view text, std::size_t step)
      : text_(text), step_(step) {}
  [[nodiscard]] std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = std::min({out.size(), step_, text_.size()});
    std::ranges::copy(as_bytes(text_.substr(0, count)), out.begin());
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
  std::size_t step_;
};

class RowList final : public RowVisitor {
 public:
  void piece(std::string_view bytes) override { pieces_ += bytes; }
  bool row(const DataRow& row) override {
    ListedRow one;
    one.number = row.number;
    one.line = row.line;
    one.size = row.size;
    one.raw = row.raw;
    one.is_cut = row.is_cut;
    one.is_broken = row.is_broken;
    one.pieces = std::move(pieces_);
    pieces_.clear();
    row.append_canonical(one.canonical);
    row.each_field([&](std::string_view name, JsonKind, std::string_view text) {
      one.fields.push_back(std::string(name) + "=" + std::string(text));
    });
    rows.push_back(std::move(one));
    return rows.size() < stop_after;
  }

  std::vector<ListedRow> rows;
  std::size_t stop_after = ~std::size_t{0};

 private:
  std::string pieces_;
};

struct ReadText {
  std::vector<ListedRow> rows;
  RowsOutcome outcome;
};

inline ReadText rows_of(std::string_view text,
                        const std::optional<RowLayout>& layout = std::nullopt,
                        std::size_t step = std::size_t{1} << 20U) {
  SlowStream stream(text, step);
  RowList list;
  RowsOutcome outcome = read_rows(stream, layout, list);
  return {std::move(list.rows), std::move(outcome)};
}

inline std::vector<std::string> rules_of(const Problems& problems) {
  std::vector<std::string> rules;
  for (const Problem& problem : problems) rules.push_back(problem.rule);
  return rules;
}

}  // namespace impound::test
