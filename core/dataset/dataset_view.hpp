// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A folder of training data, read once: its shards, and what is remembered of
/// every row.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/progress.hpp"
#include "core/dataset/row_table.hpp"
#include "core/formats/rows/row_reader.hpp"
#include "core/view/model_view.hpp"

namespace impound {

/// Labels that are told apart. A field with more values is no label: it is then
/// used as none, and a problem says so.
inline constexpr std::size_t kMaxLabels = 65536;
/// Bytes of a label that are kept.
inline constexpr std::size_t kMaxLabelBytes = 256;

/// Which fields mean what. Empty: there is none, or it is to be found out.
struct DatasetFields {
  std::string key;                ///< names a row: "id"
  std::string label;              ///< what the row teaches: "label"
  std::vector<std::string> text;  ///< what is read: "text"; a part of it each
  friend bool operator==(const DatasetFields&, const DatasetFields&) = default;
};

/// One file with rows, or one beside them.
struct DatasetShard {
  std::string path;        ///< as in ModelView::files
  std::uint64_t size = 0;  ///< bytes of the file
  std::optional<Digest> sha256;
  Packing packing = Packing::none;
  RowLayout layout;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;      ///< unpacked
  bool is_whole = true;         ///< read to its end
  std::uint64_t first_row = 0;  ///< number of its first row in the table
  Problems problems;
};

struct DatasetView {
  /// The files of the tree as files; no tensors.
  ModelView files;
  DatasetFields fields;
  std::vector<DatasetShard> shards;       ///< sorted by path
  std::vector<std::string> labels;        ///< RowRecord::label counts into it
  std::vector<std::uint64_t> label_rows;  ///< rows of each label
  RowTable table;
  /// Lent; the reader of packed shards. May be null.
  const StreamOpener* opener = nullptr;

  /// True if the rows themselves can be read, not only what was remembered.
  [[nodiscard]] bool has_bytes() const { return files.tree != nullptr; }
  [[nodiscard]] const DatasetShard* find_shard(std::string_view path) const;
  /// The shard that holds a row of the table.
  [[nodiscard]] std::size_t shard_of(std::uint64_t row) const;
};

struct DatasetOptions {
  unsigned threads = 0;   ///< 0 = all cores
  std::string folder;     ///< part of the tree; "" = all of it
  DatasetFields fields;   ///< given ones are taken, others found out
  bool is_exact = false;  ///< nothing is found out: `fields` is all there is
  /// How shards of a baseline were read: the same path is read the same way.
  std::map<std::string, RowLayout> layouts;
  const StreamOpener* opener = nullptr;
  ExpansionLimits expansion;
};

/// What a tree holds, by its files.
enum class TreeContent : std::uint8_t {
  model,    ///< weights, or the configuration of a model
  dataset,  ///< training data beyond doubt: a JSON lines or CSV shard, or
            ///< packed or .txt text; no weights and no model configuration
  neither,  ///< nothing that is known
};

/// Reads the first bytes of its files.
[[nodiscard]] TreeContent look_at(const Tree& tree,
                                  const DatasetOptions& options);

/// Reads every shard once, several at a time, about 40 MB a core.
/// @throws Error{io} if it was told to stop.
[[nodiscard]] DatasetView view_dataset(const Tree& tree,
                                       const DatasetOptions& options,
                                       Progress& progress,
                                       const Cancellation& cancellation);

/// Called for rows of one shard in order, with their number in the table.
/// @return false to stop reading this shard.
using RowAgain = std::function<bool(std::uint64_t row, const DataRow& data)>;

/// Reads the rows of one shard again. Precondition: has_bytes().
/// @throws Error{io}.
void read_again(const DatasetView& view, const DatasetShard& shard,
                const RowAgain& visit);

/// The texts of a row that the fields name, one below the other.
[[nodiscard]] std::string row_text(const DataRow& row,
                                   const DatasetFields& fields);
[[nodiscard]] std::string row_label(const DataRow& row,
                                    const DatasetFields& fields);

/// Calls `act(i)` for i below `count` on up to `threads` threads. The first
/// exception ends it and is thrown again.
void in_parallel(std::size_t count, unsigned threads,
                 const std::function<void(std::size_t)>& act);

}  // namespace impound
