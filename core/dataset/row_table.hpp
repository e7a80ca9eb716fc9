// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is remembered of every row of a dataset: 44 bytes each, in the order of
/// the shards, in memory, in an unnamed temporary file, or in the companion
/// file of a baseline.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/base/source.hpp"

namespace impound {

/// The low half of a row's label number when it has none.
inline constexpr std::uint32_t kNoLabel = 0xffffffffU;

/// One row. Digests are the first bytes of SHA-256; 0 where there is nothing.
struct RowRecord {
  std::array<std::byte, 16> row{};  ///< of the canonical form
  std::uint64_t key = 0;            ///< of the key field
  std::uint64_t text = 0;           ///< of the text fields
  std::uint64_t sketch = 0;         ///< TextTokens::sketch() of the text
  std::uint32_t label = kNoLabel;   ///< place in the list of labels
  friend bool operator==(const RowRecord&, const RowRecord&) = default;
};

inline constexpr std::size_t kRowRecordSize = 44;
inline constexpr std::size_t kRowFileHeader = 32;

void encode_row(const RowRecord& record, std::span<std::byte> out);
[[nodiscard]] RowRecord decode_row(ByteView bytes);

/// The first bytes of a companion file: magic, version, record size, rows.
[[nodiscard]] Bytes row_file_header(std::uint64_t rows);
/// Rows that the header promises.
/// @throws Error{malformed}, Error{unsupported} naming `source`.
[[nodiscard]] std::uint64_t parse_row_file_header(ByteView header,
                                                  std::uint64_t file_size,
                                                  std::string_view source);

/// Bytes that are written once, in pieces, and read at any place: up to 64 MiB
/// in memory, beyond that in a temporary file without a name (TMPDIR).
class RowSpool {
 public:
  RowSpool();
  ~RowSpool();
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;

  /// Where `bytes` were put. May be called from several threads at once.
  /// @throws Error{io}.
  [[nodiscard]] std::uint64_t append(ByteView bytes);
  void read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Rows that lie one after another in the spool or file.
struct RowExtent {
  std::uint64_t offset = 0;  ///< bytes
  std::uint64_t rows = 0;
};

class RowTable {
 public:
  RowTable() = default;
  RowTable(std::unique_ptr<RowSpool> spool,
           const std::vector<RowExtent>& parts);
  /// A companion file, header included.
  RowTable(std::unique_ptr<ByteSource> file, std::uint64_t rows);

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  /// Rows [first, first + out.size()).
  /// @throws Error{bad_input} if they are not all there, Error{io}.
  void read(std::uint64_t first, std::span<RowRecord> out) const;
  /// All rows in order, in blocks.
  using Visit = std::function<void(std::uint64_t first,
                                   std::span<const RowRecord> records)>;
  void each(const Visit& visit) const;

 private:
  struct Part {
    std::uint64_t first;
    std::uint64_t offset;
    std::uint64_t rows;
  };
  std::unique_ptr<RowSpool> spool_;
  std::unique_ptr<ByteSource> file_;
  std::vector<Part> parts_;
  std::uint64_t rows_ = 0;
};

}  // namespace impound
