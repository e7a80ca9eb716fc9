// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which rows of two datasets are the same, whatever shard and place they are
/// in, and which of the others belong together.

#include <cstdint>
#include <vector>

#include "core/dataset/dataset_view.hpp"

namespace impound {

/// Rows of each side that are listed one by one, 64 bytes each while they are
/// paired. Beyond, rows are counted only, and the result says so.
inline constexpr std::size_t kMaxListedRows = 4'000'000;
/// Memory of one pass over the digests of both sides, 24 bytes a row. More rows
/// take more passes, each over those whose digest begins alike.
inline constexpr std::uint64_t kMatchMemory = std::uint64_t{512} << 20U;

/// Rows compared as a multiset: three equal rows here and two there leave one.
struct RowMatch {
  std::uint64_t unchanged = 0;
  std::uint64_t moved = 0;         ///< of these, in a shard of another name
  std::uint64_t removed = 0;       ///< rows of the old side without a match
  std::uint64_t added = 0;         ///< rows of the new side without a match
  std::uint64_t added_copies = 0;  ///< of these, of rows that were there before
  std::vector<std::uint64_t> removed_rows;  ///< in the table, ascending
  std::vector<std::uint64_t> added_rows;
  bool is_listed = true;  ///< both lists are whole
  /// For every shard: rows that are matched in the shard that it was.
  std::vector<std::uint64_t> kept_before;
  std::vector<std::uint64_t> kept_after;
  /// For every shard of the new side: the one that it was, by name, by digest,
  /// or because each side has one; kNoShard for a new one.
  std::vector<std::size_t> was;
};

inline constexpr std::size_t kNoShard = ~std::size_t{0};

/// `memory` bounds one pass.
[[nodiscard]] RowMatch match_rows(const DatasetView& before,
                                  const DatasetView& after,
                                  std::uint64_t memory = kMatchMemory);

/// Why two rows are taken for one row that was changed.
enum class PairedBy : std::uint8_t {
  key,       ///< the same key field, once on each side
  text,      ///< the same text
  position,  ///< the same place between its neighbours, and similar text
  similar,   ///< similar text, somewhere else
};

[[nodiscard]] std::string_view to_string(PairedBy by) noexcept;

struct RowPair {
  std::uint64_t before = 0;  ///< row of the old table
  std::uint64_t after = 0;
  PairedBy by = PairedBy::key;
  bool has_same_text = false;
  bool has_other_label = false;

  /// The text is the same and the label is not: what a label flip looks like.
  [[nodiscard]] bool is_relabelled() const {
    return has_same_text && has_other_label;
  }
};

struct RowPairs {
  std::vector<RowPair> pairs;          ///< sorted by `after`
  std::vector<std::uint64_t> removed;  ///< what is left, ascending
  std::vector<std::uint64_t> added;
  /// Too many rows differ for the search by similar text (kMaxSimilar).
  bool is_similar_skipped = false;
};

/// Rows of each side up to which similar texts are searched everywhere.
inline constexpr std::size_t kMaxSimilar = 200'000;

[[nodiscard]] RowPairs pair_rows(const DatasetView& before,
                                 const DatasetView& after,
                                 const RowMatch& match);

/// The text of a row's label; empty for none.
[[nodiscard]] std::string_view label_of(const DatasetView& view,
                                        std::uint32_t number);

}  // namespace impound
