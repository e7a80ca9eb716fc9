// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Rows of training data, one after another, from bytes that are read once:
/// JSON lines, a JSON list, CSV, plain text. Every byte belongs to a row or is
/// white space between rows; what a format does not allow is a row all the
/// same, and a problem.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/byte_stream.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/rows/json_row.hpp"

namespace impound {

/// Bytes of one row that are held at once; a longer row goes to
/// RowVisitor::piece() whole and is then shown cut to kCutRow bytes, without
/// fields. Reading holds twice this much at most, however large the shard.
inline constexpr std::size_t kMaxRowBytes = std::size_t{8} << 20U;
/// What is kept of a longer row: enough to recognise it by.
inline constexpr std::size_t kCutRow = 4096;
/// Bytes of the unpacked beginning that decide on the format.
inline constexpr std::size_t kRowHead = std::size_t{256} << 10U;

enum class RowFormat : std::uint8_t {
  jsonl,  ///< one JSON value a line
  json,   ///< one JSON list, its elements are the rows
  csv,    ///< RFC 4180, any of , ; tab |
  text,   ///< one row a line
  other,  ///< no rows: only the file as a whole is compared
};

[[nodiscard]] std::string_view to_string(RowFormat format) noexcept;
[[nodiscard]] std::optional<RowFormat> row_format_from(
    std::string_view name) noexcept;

/// How a shard is cut into rows and fields.
struct RowLayout {
  RowFormat format = RowFormat::other;
  char delimiter = ',';     ///< csv
  bool has_header = false;  ///< csv: the first record names the fields
  friend bool operator==(const RowLayout&, const RowLayout&) = default;
};

/// Decides from the unpacked beginning of a shard.
[[nodiscard]] RowLayout detect_layout(std::string_view head);

/// One record of CSV, decoded.
struct CsvRecord {
  std::vector<std::string> cells;
  std::size_t size = 0;          ///< bytes, line end included
  bool is_unterminated = false;  ///< a quote is open at the end
  bool is_odd = false;           ///< text behind a closing quote
};

/// Reads the record at the front of `text`. A record ends at LF, CR LF or the
/// end of `text`, outside quotes.
void read_csv_record(std::string_view text, char delimiter, CsvRecord& record);

/// A row as a visitor sees it; views live during the call.
class DataRow {
 public:
  std::uint64_t number = 0;  ///< from 1, in the shard
  std::uint64_t line = 0;    ///< from 1: where it begins, as an editor counts
  std::uint64_t size = 0;    ///< bytes of the whole row
  std::string_view raw;      ///< its bytes without line end
  bool is_cut = false;       ///< raw is only the beginning
  bool is_broken = false;    ///< not what its format says: raw bytes only

  /// Appends the form that identifies the row (docs/datasets.md).
  void append_canonical(std::string& out) const;
  /// Appends the text of a field; false if the row has none of that name.
  bool append_field(std::string_view name, std::string& out) const;
  /// Every top-level field with its text; containers as the strings in them.
  using FieldVisit = std::function<void(std::string_view name, JsonKind kind,
                                        std::string_view text)>;
  void each_field(const FieldVisit& visit) const;

 private:
  friend class RowWalk;
  const JsonRow* json_ = nullptr;
  const CsvRecord* record_ = nullptr;
  const std::vector<std::string>* header_ = nullptr;  ///< of record_
  std::string_view label_;  ///< plain text in the manner of fastText
  std::string_view text_;
};

class RowVisitor {
 public:
  RowVisitor() = default;
  RowVisitor(const RowVisitor&) = delete;
  RowVisitor& operator=(const RowVisitor&) = delete;
  virtual ~RowVisitor() = default;

  /// The bytes of a row that is too long to be held, before it is shown.
  virtual void piece(std::string_view bytes) = 0;
  /// @return false to stop.
  virtual bool row(const DataRow& row) = 0;
};

/// What a whole shard turned out to be.
struct RowsOutcome {
  RowLayout layout;
  std::vector<std::string> header;  ///< csv with a header
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;  ///< unpacked
  bool is_whole = true;     ///< false: stopped, or the stream ended early
  Problems problems;        ///< one a rule, with a count and the first place
};

/// Reads `stream` to its end. With `layout` empty the beginning decides.
/// @throws what reading the stream throws.
[[nodiscard]] RowsOutcome read_rows(ByteStream& stream,
                                    const std::optional<RowLayout>& layout,
                                    RowVisitor& visitor);

}  // namespace impound
