// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The kind of change of one tensor, decided from its numbers, in the order
/// that docs/diff.md gives ("How a tensor gets its label").

#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/compare/change_label.hpp"
#include "core/compare/delta/delta_grid.hpp"
#include "core/compare/delta/delta_pattern.hpp"
#include "core/compare/delta/delta_places.hpp"
#include "core/compare/delta/delta_rank.hpp"
#include "core/compare/delta/delta_recast.hpp"
#include "core/compare/delta/delta_spectrum.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

/// Changed elements that are listed one by one.
inline constexpr std::size_t kMostListedChanges = 64;

/// All that was found out about the change of one tensor.
struct TensorFindings {
  DeltaStatistics statistics;
  std::optional<ChangedRange> range;    ///< of a tensor that has a change
  std::vector<ChangedElement> changes;  ///< bit flips and sparse changes
  std::optional<Payload> payload;
  /// The rounding that explains every number, or all but some
  /// (Recast::unexplained): then everything else here is about those.
  std::optional<Recast> recast;
  std::optional<ChangedLines> lines;  ///< of a sparse change of a matrix
  ExactChange exact;                  ///< pruned, scaled, reordered
  std::optional<GridLook> grid;       ///< of codes that are not the nearest
  std::optional<Spectrum> spectrum;   ///< where the decision needed it
  RankFindings shape;                 ///< what the spectrum says
  /// How the result of an edit was stored.
  Rounding rounding = Rounding::nearest;

  TensorLabel label = TensorLabel::unclassified;  ///< see decide()
  /// The numbers that led to the label, in words.
  std::string because;
  /// Rows that only one side has, at the end: more now, or fewer (negative).
  /// Everything else is about the rows of both.
  std::int64_t rows_added = 0;
  std::size_t rank = 0;   ///< of the low-rank part; 0 if there is none
  unsigned low_bits = 0;  ///< that hold a payload
  bool is_exponent_flip = false;

  /// ‖B−A‖/‖A‖, of what the integers of a quantised tensor stand for.
  [[nodiscard]] double relative() const;
  /// "whole rows", "whole columns" of a pruned matrix; else empty.
  [[nodiscard]] std::string zeroed_lines() const;
  [[nodiscard]] Json to_json() const;
};

/// Measures as much as the decision needs, in its order, and decides:
/// identical, bit-flips, new-values, lsb-payload, cast, quantised, rank-one,
/// low-rank, dense, dense+low-rank, sparse or unclassified.
/// Precondition: both measurable, of the same number of numbers.
/// @throws what the sources throw.
[[nodiscard]] TensorFindings decide(const TensorBytes& before,
                                    const TensorBytes& after, unsigned threads,
                                    const Cancellation& cancellation);

/// As far as rounding explains it; else the label is none, and the statistics
/// are all that was measured.
[[nodiscard]] TensorFindings decide_rounding(const TensorBytes& before,
                                             const TensorBytes& after,
                                             unsigned threads,
                                             const Cancellation& cancellation);

/// What decide_rounding() left open, from the statistics that it measured.
/// Precondition: `found` is its answer for these two, with no label.
[[nodiscard]] TensorFindings decide_rest(TensorFindings found,
                                         const TensorBytes& before,
                                         const TensorBytes& after,
                                         unsigned threads,
                                         const Cancellation& cancellation);

/// The same of numbers that rounding does not explain: without a look whether
/// it does.
[[nodiscard]] TensorFindings decide_change(const TensorBytes& before,
                                           const TensorBytes& after,
                                           unsigned threads,
                                           const Cancellation& cancellation);

/// The same for tensors of one type whose holes are not read: measures the data
/// and decides what it alone tells: identical, bit-flips, new-values; else
/// unclassified, with why.
/// Precondition: both sparse (TensorBytes::is_sparse), of the same type and
/// number of numbers, no more than kMaxSparseNumbers.
[[nodiscard]] TensorFindings decide_sparse(const TensorBytes& before,
                                           const TensorBytes& after,
                                           unsigned threads);

}  // namespace impound
