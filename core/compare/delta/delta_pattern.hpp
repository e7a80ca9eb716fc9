// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Changes that are exactly one thing: numbers set to zero, a matrix times a
/// number, rows or columns in another order; and how fine a type can tell.

#include <cstdint>
#include <string_view>

#include "core/base/progress.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

enum class Pattern : std::uint8_t {
  none,
  zeroed,             ///< all that changed is zero now: pruned
  scaled,             ///< every number times the same factor
  rows_reordered,     ///< the same rows in another order
  columns_reordered,  ///< the same columns in another order
};

[[nodiscard]] std::string_view to_string(Pattern pattern) noexcept;

struct ExactChange {
  Pattern pattern = Pattern::none;
  double factor = 1;  ///< of a scaled tensor
};

/// Reads both at most twice, and only where the sums allow a pattern; keeps 16
/// bytes a row and a column, for matrices of up to 4 Mi rows and columns.
/// Precondition: both measurable, of the same number of numbers; `statistics`
/// are theirs. @throws what the sources throw.
[[nodiscard]] ExactChange find_exact_change(const TensorBytes& before,
                                            const TensorBytes& after,
                                            const DeltaStatistics& statistics,
                                            const Cancellation& cancellation);

/// Relative error of ggml's quantisers without a single answer, with room:
/// half a step of a uniform quantiser over ±3σ, measured on normal weights.
/// 0 for types that are no such quantisation.
[[nodiscard]] double quantiser_error(Dtype dtype);

/// What rounding alone puts into Σ(b−a)² when a change is stored in these
/// types: Σulp²/12, expected; for blocks with one quantiser twice Σstep²/12,
/// for K-quants a bound. A type without known rounding gives 0.
[[nodiscard]] double rounding_squares(const TensorBytes& before,
                                      const TensorBytes& after,
                                      const DeltaStatistics& statistics);

}  // namespace impound
