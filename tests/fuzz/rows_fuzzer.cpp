// SPDX-License-Identifier: Apache-2.0
// rooms: formats
/// Rows of training data: the first byte chooses the format and how many bytes
/// come at once. Every byte that is no white space belongs to a row, whatever
/// the format makes of it; rows come in order, and do not depend on the pieces.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/formats/rows/row_reader.hpp"

using namespace impound;

namespace {

class PieceStream final : public ByteStream {
 public:
  PieceStream(ByteView bytes, std::size_t step) : bytes_(bytes), step_(step) {}
  [[nodiscard]] std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = std::min({out.size(), step_, bytes_.size()});
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_ = bytes_.subspan(count);
    return count;
  }

 private:
  ByteView bytes_;
  std::size_t step_;
};

class Check final : public RowVisitor {
 public:
  void piece(std::string_view bytes) override { seen += bytes.size(); }
  bool row(const DataRow& row) override {
    if (row.number != rows + 1 || row.line < line) std::abort();
    rows = row.number;
    line = row.line;
    if (!row.is_cut && row.raw.size() != row.size) std::abort();
    row.append_canonical(forms);
    forms += '\n';
    std::string text;
    row.append_field("text", text);
    row.append_field("a.b", text);
    row.each_field([this](std::string_view name, JsonKind, std::string_view t) {
      seen += name.size() + t.size();
    });
    return true;
  }

  std::string forms;
  std::uint64_t rows = 0;
  std::uint64_t line = 0;
  std::uint64_t seen = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
  std::optional<RowLayout> layout;
  switch (data[0] & 7U) {
    case 1:
      layout = RowLayout{RowFormat::jsonl, ',', false};
      break;
    case 2:
      layout = RowLayout{RowFormat::json, ',', false};
      break;
    case 3:
      layout = RowLayout{RowFormat::csv, ',', true};
      break;
    case 4:
      layout = RowLayout{RowFormat::csv, ';', false};
      break;
    case 5:
      layout = RowLayout{RowFormat::text, ',', false};
      break;
    default:
      break;  // found out
  }
  PieceStream whole(bytes, size);
  Check first;
  const RowsOutcome outcome = read_rows(whole, layout, first);
  PieceStream pieces(bytes, 1 + (data[0] >> 3U));
  Check second;
  const RowsOutcome again = read_rows(pieces, layout, second);
  if (outcome.rows != first.rows || !(outcome.layout == again.layout) ||
      first.forms != second.forms || outcome.problems != again.problems) {
    std::abort();
  }
  return 0;
}
