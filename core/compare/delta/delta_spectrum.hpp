// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The largest singular values and vectors of a difference of two matrices, by
/// a randomised sketch over windows of rows: the difference is never in memory.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

/// Ranks above this are not told apart: "64 or more".
inline constexpr std::size_t kMostRank = 64;

struct Spectrum {
  /// Why there is none: a vector, too small, too large. Empty if there is one.
  std::string missing;
  std::uint64_t rows = 0;     ///< m
  std::uint64_t columns = 0;  ///< k
  std::vector<double> sigma;  ///< descending; up to kMostRank + 16
  double squares = 0;         ///< F² = Σd², of all of the matrix
  std::uint64_t rows_changed = 0;
  std::uint64_t columns_changed = 0;
  /// Singular vectors, one after another: `kept` of m and of k numbers.
  std::size_t kept = 0;
  std::vector<float> left;
  std::vector<float> right;

  [[nodiscard]] bool empty() const { return sigma.empty(); }
  /// E_r: share of F² in the first r components.
  [[nodiscard]] double energy(std::size_t rank) const;
  /// F²/σ1².
  [[nodiscard]] double stable_rank() const;
  /// The stable rank of independent noise of this shape: m·k/(√m+√k)².
  [[nodiscard]] double noise_rank() const;
  /// Smallest r with E_r ≥ 0.9; 0 if that is beyond what was computed.
  [[nodiscard]] std::size_t rank90() const;
  /// Components above the Marchenko–Pastur edge of what they leave
  /// (docs/diff.md). Rounding to 16 bits makes it overshoot for rank one.
  [[nodiscard]] std::size_t significant_rank() const;
  /// σ_r/σ_{r+1}; 0 where σ_{r+1} was not computed.
  [[nodiscard]] double gap(std::size_t rank) const;
};

/// Precondition: both measurable, of the same number of numbers; `statistics`
/// are theirs. Reads both three times, in windows, on `threads` cores (0 =
/// all); a sketch is at most 128 MiB, the whole at most four times that and
/// about 30 MiB a core.
/// Deterministic: the sketch's random numbers are always the same.
/// @throws what the sources throw.
[[nodiscard]] Spectrum measure_spectrum(const TensorBytes& before,
                                        const TensorBytes& after,
                                        const DeltaStatistics& statistics,
                                        unsigned threads,
                                        const Cancellation& cancellation);

}  // namespace impound
