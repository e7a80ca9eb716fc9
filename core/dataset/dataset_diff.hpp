// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What changed between two states of a dataset: shards, rows, labels, and what
/// the rows that are new have in common.

#include <functional>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/compare/file_diff.hpp"
#include "core/dataset/dataset_match.hpp"
#include "core/dataset/dataset_ngrams.hpp"
#include "core/dataset/dataset_view.hpp"

namespace impound {

/// Rows of each kind that a result names one by one.
inline constexpr std::size_t kMaxExamples = 200;
/// Rows of each kind that are saved, and bytes of one of them.
inline constexpr std::size_t kMaxSavedRows = 100'000;
inline constexpr std::size_t kMaxSavedBytes = 65'536;

struct DatasetDiffOptions {
  unsigned threads = 0;  ///< 0 = all cores
  /// Gets rows-added.jsonl, rows-removed.jsonl, rows-changed.jsonl and
  /// rows-relabelled.jsonl. May be empty.
  std::function<void(const std::string& name, ByteView bytes)> save;
};

/// A row, as a result names it.
struct NamedRow {
  std::string shard;
  std::uint64_t row = 0;   ///< from 1, in the shard
  std::uint64_t line = 0;  ///< from 1; 0 where the bytes are not at hand
  std::string sha256;      ///< the first 32 hexadecimal digits
  std::string label;
  std::string key;
  std::string text;  ///< cut; empty where the bytes are not at hand
};

struct NamedPair {
  RowPair pair;
  NamedRow before;
  NamedRow after;
};

struct ShardChange {
  FileChange file;
  bool is_rewritten = false;  ///< other bytes, the same rows
  bool is_whole = true;       ///< read to its end wherever it stands
  RowFormat format = RowFormat::other;
  Packing packing = Packing::none;
  std::uint64_t rows_before = 0;
  std::uint64_t rows_after = 0;
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::uint64_t changed = 0;     ///< counted where they are now
  std::uint64_t relabelled = 0;  ///< likewise
};

struct LabelChange {
  std::string label;
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

struct DatasetDiff {
  DatasetFields fields;
  std::vector<ShardChange> shards;
  std::uint64_t rows_before = 0;
  std::uint64_t rows_after = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t moved = 0;
  std::uint64_t added = 0;
  std::uint64_t added_copies = 0;
  std::uint64_t removed = 0;
  std::uint64_t changed = 0;
  std::uint64_t relabelled = 0;
  std::vector<LabelChange> labels;  ///< sorted by label
  std::vector<NamedRow> added_rows;
  std::vector<NamedRow> removed_rows;
  std::vector<NamedPair> changed_rows;
  std::vector<NamedPair> relabelled_rows;
  NgramReports ngrams;
  /// What the n-grams were compared with; empty: nothing could be counted.
  std::string reference;
  std::vector<NamedRow> ngram_examples;  ///< Ngram::examples count into it
  std::vector<std::string> notes;        ///< what was left out, and why

  /// The same rows, as often, in any shard and order, and the same files
  /// beside them.
  [[nodiscard]] bool identical() const;
  /// The object under "dataset" (docs/datasets.md).
  [[nodiscard]] Json to_json() const;
  /// For a person. Evidence is escaped.
  [[nodiscard]] std::string to_text() const;
};

/// Rows are matched by digest, so either side may be a baseline. Texts and
/// n-grams need bytes: of both sides, or of `after` alone, whose unchanged rows
/// then are what the others are compared with.
/// @throws Error{io} if a side cannot be read again.
[[nodiscard]] DatasetDiff diff_datasets(const DatasetView& before,
                                        const DatasetView& after,
                                        const DatasetDiffOptions& options,
                                        Progress& progress,
                                        const Cancellation& cancellation);

}  // namespace impound
