// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whether an edit was stored by cutting its numbers off instead of rounding
/// them.
///
/// Who edits a 16-bit matrix computes in 32 bits and goes back: most libraries
/// round to nearest, a shift by 16 bits cuts. What cutting leaves is no more an
/// edit than what rounding leaves, but it is four times as large (Σulp²/3
/// instead of Σulp²/12) and points towards zero in every single number, so it
/// looks like a dense change of its own: an edit with it was taken for a
/// fine-tune. It is told by its two marks, measured on what is left when the
/// components of the edit are taken away: on average half a step towards zero,
/// and the same half step wherever a number lies between two powers of two. A
/// matrix that was made smaller (weight decay) is off by an amount that grows
/// with the number, and fails the second.

#include <cstdint>
#include <optional>

#include "core/compare/delta/delta_spectrum.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

/// Σ(b−a)² that cutting leaves, against what rounding leaves.
inline constexpr double kTruncationSquares = 4;

/// What is left of a change without its first components, in steps of its type,
/// positive away from zero. The components take a part of it along, as many
/// directions as they have: the means are those of all of it.
struct Residual {
  std::uint64_t numbers = 0;   ///< looked at
  double mean_below_half = 0;  ///< of numbers below 1.5 times a power of two
  double mean_above_half = 0;  ///< of the others
  double share_inside = 0;     ///< between one step towards zero and none

  /// Rounding has a mean of 0, cutting one of −0.5.
  [[nodiscard]] bool is_truncation() const;
};

/// The residual without the first `rank` components, over a sample of rows; of
/// numbers whose steps are not so small that the components are known worse.
/// Empty where the type has no steps to measure by (only BF16 and F16 have), or
/// where the components were not kept.
/// Precondition: `spectrum` and `statistics` are of these tensors.
/// @throws what the sources throw.
[[nodiscard]] std::optional<Residual> measure_residual(
    const TensorBytes& before, const TensorBytes& after,
    const DeltaStatistics& statistics, const Spectrum& spectrum,
    std::size_t rank);

}  // namespace impound
