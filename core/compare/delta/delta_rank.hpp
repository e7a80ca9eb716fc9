// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the spectrum of a change says: an edit of low rank, a dense change, or
/// one inside the other. Thresholds were measured on models that were trained,
/// edited and fine-tuned for that (tests/calibration/README.md).

#include <string>

#include "core/compare/change_label.hpp"
#include "core/compare/delta/delta_spectrum.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

struct RankFindings {
  /// "rank-one", "low-rank", "dense", "dense+low-rank", "sparse" or
  /// "unclassified".
  TensorLabel label = TensorLabel::unclassified;
  std::string because;   ///< in words, with the numbers
  std::size_t rank = 0;  ///< of the low-rank part
  /// The largest step σ_r/σ_{r+1} in the visible part, and its r.
  double step = 0;
  std::size_t step_at = 0;
  /// Stable rank against that of noise: 1 for noise, small where a few
  /// directions hold most of it.
  double spread = 1;
  /// Noise without direction: no component stands out of it.
  bool is_noise = false;
  /// Too small for its type: what can be seen could be an adapter or a
  /// fine-tune, most of which was rounded away.
  bool is_faint = false;
};

/// `rounding` is rounding_squares() of the same tensors. The spectrum may be
/// missing, as it is for vectors.
[[nodiscard]] RankFindings judge_spectrum(const Spectrum& spectrum,
                                          const DeltaStatistics& statistics,
                                          double rounding);

/// A share in words: "12.5 %", "3.10e-05".
[[nodiscard]] std::string percent(double share);

}  // namespace impound
