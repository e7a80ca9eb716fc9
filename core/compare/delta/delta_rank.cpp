// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_rank.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/compare/delta/delta_bounds.hpp"

namespace impound {
namespace {

using namespace delta_bounds;

class SpectrumJudge {
 public:
  SpectrumJudge(const Spectrum& spectrum, const DeltaStatistics& statistics,
                double rounding)
      : spectrum_(spectrum), statistics_(statistics), rounding_(rounding) {
    const std::uint64_t side = std::min(spectrum.rows, spectrum.columns);
    // Of a small matrix, many components are not few.
    most_ =
        std::min<std::size_t>(kMostRank, static_cast<std::size_t>(side / 2));
    lines_ = static_cast<std::size_t>(
        std::min(spectrum.rows_changed, spectrum.columns_changed));
  }

  RankFindings judge() {
    found_.because = words();
    if (spectrum_.noise_rank() > 0) {
      found_.spread = spectrum_.stable_rank() / spectrum_.noise_rank();
    }
    if (decide_lines() || decide_low_rank()) return std::move(found_);
    if (decide_sparse()) return std::move(found_);
    decide_dense();
    return std::move(found_);
  }

 private:
  [[nodiscard]] std::string words() const {
    return fmt::format(
        "relative change {:.3g}, σ1²/F² {:.4f}, σ1/σ2 {:.4g}, stable rank "
        "{:.4g} (noise {:.4g}), rank {} above noise",
        statistics_.relative(), spectrum_.energy(1), spectrum_.gap(1),
        spectrum_.stable_rank(), spectrum_.noise_rank(),
        spectrum_.significant_rank());
  }

  /// What r components leave is no more than rounding.
  /// `sides` is how many of the two were rounded.
  [[nodiscard]] bool ends_in_rounding(std::size_t r, int sides = 1) const {
    const double rest = (1 - spectrum_.energy(r)) * spectrum_.squares;
    return rest <= std::max(kRoundingRoom * rounding_ * sides,
                            kSmallRest * spectrum_.squares);
  }

  [[nodiscard]] bool is_flat_after(std::size_t r) const {
    const std::size_t last = r + kFlatComponents;
    return last < spectrum_.sigma.size() &&
           spectrum_.sigma[r] <= kFlat * spectrum_.sigma[last];
  }

  /// A few rows are of low rank whatever is in them.
  bool decide_lines() {
    const auto rows = static_cast<double>(spectrum_.rows);
    const auto columns = static_cast<double>(spectrum_.columns);
    if (static_cast<double>(spectrum_.rows_changed) > kFewLines * rows &&
        static_cast<double>(spectrum_.columns_changed) > kFewLines * columns) {
      return false;
    }
    found_.label = TensorLabel::sparse;
    found_.because = fmt::format(
        "{} of {} rows and {} of {} columns changed; {}",
        spectrum_.rows_changed, spectrum_.rows, spectrum_.columns_changed,
        spectrum_.columns, found_.because);
    return true;
  }

  bool decide_low_rank() {
    std::size_t best = 0;
    double step = 0;
    for (std::size_t r = 1; r <= most_; ++r) {
      if (spectrum_.gap(r) > found_.step) {
        found_.step = spectrum_.gap(r);
        found_.step_at = r;
      }
      const bool is_end =
          (spectrum_.gap(r) >= kLowRankStep && ends_in_rounding(r)) ||
          (spectrum_.gap(r) >= kLowRankStepTwice && ends_in_rounding(r, 2));
      if (spectrum_.gap(r) > step && is_end) {
        best = r;
        step = spectrum_.gap(r);
      }
    }
    // A change of few rows ends where the rows end, whatever it is.
    if (best == 0 || 2 * best > lines_) return false;
    found_.label = best == 1 ? TensorLabel::rank_one : TensorLabel::low_rank;
    found_.rank = best;
    found_.because = fmt::format(
        "rank {}: {} of the change, the rest is rounding, σ{}/σ{} {:.3g}; {}",
        best, percent(spectrum_.energy(best)), best, best + 1, step,
        found_.because);
    return true;
  }

  bool decide_sparse() {
    const double share = statistics_.changed_share();
    if (share >= kSparseShare) return false;
    found_.because =
        fmt::format("{} of the elements, {}", percent(share), found_.because);
    const bool is_spread = static_cast<double>(spectrum_.rows_changed) >
                               kSpread * static_cast<double>(spectrum_.rows) &&
                           static_cast<double>(spectrum_.columns_changed) >
                               kSpread * static_cast<double>(spectrum_.columns);
    if (is_spread && spectrum_.squares <= kRoundedAway * rounding_) {
      found_.label = TensorLabel::dense;
      found_.is_faint = true;
      found_.because +=
          "; smaller than the rounding of its type, so most of "
          "it was rounded away";
      return true;
    }
    found_.label = TensorLabel::sparse;
    return true;
  }

  void decide_dense() {
    found_.because =
        fmt::format("{} of the elements, {}",
                    percent(statistics_.changed_share()), found_.because);
    const std::size_t significant = spectrum_.significant_rank();
    found_.is_faint = spectrum_.squares <= kRoundedAway * rounding_;
    found_.is_noise =
        significant == 0 && spectrum_.squares > kClearOfRounding * rounding_;
    std::size_t edge = 0;
    double best = 0;
    for (std::size_t r = 1; r <= most_; ++r) {
      const double needed = r == 1 ? kHiddenStep : kHiddenStepLater;
      if (2 * r <= lines_ && spectrum_.gap(r) >= needed &&
          spectrum_.gap(r) > best) {
        edge = r;
        best = spectrum_.gap(r);
      }
    }
    const bool is_noise_after = edge == 0 && significant > 0 &&
                                significant < most_ &&
                                spectrum_.gap(significant) >= kStepToNoise &&
                                is_flat_after(significant);
    if (is_noise_after) edge = significant;
    if (is_noise_after && 2 * edge <= lines_ && ends_in_rounding(edge)) {
      // The noise is rounding: nothing dense is there.
      found_.label = edge == 1 ? TensorLabel::rank_one : TensorLabel::low_rank;
      found_.rank = edge;
      found_.because += fmt::format(
          "; the first {} hold {} of it, the rest is rounding, σ{}/σ{} {:.3g}",
          edge, percent(spectrum_.energy(edge)), edge, edge + 1,
          spectrum_.gap(edge));
      return;
    }
    if (edge > 0) {
      found_.label = TensorLabel::dense_low_rank;
      found_.rank = edge;
      found_.because += fmt::format("; the first {} hold {} of it", edge,
                                    percent(spectrum_.energy(edge)));
      return;
    }
    if (significant > 0 && ends_in_rounding(most_)) {
      // Fine-tunes fade into rounding as adapters of small last components do.
      found_.label = TensorLabel::unclassified;
      found_.is_faint = true;
      found_.because += fmt::format(
          "; beyond {} components there is only rounding, and they end without "
          "a step: an adapter and a small fine-tune look like this",
          most_);
      return;
    }
    found_.label = TensorLabel::dense;
  }

  const Spectrum& spectrum_;
  const DeltaStatistics& statistics_;
  double rounding_;
  std::size_t most_ = 0;
  std::size_t lines_ = 0;
  RankFindings found_;
};

RankFindings judge_vector(const Spectrum& spectrum,
                          const DeltaStatistics& statistics) {
  const double share = statistics.changed_share();
  return {
      .label = share < kSparseShare ? TensorLabel::sparse : TensorLabel::dense,
      .because =
          fmt::format("{} of the elements, relative change {:.3g}; "
                      "{}",
                      percent(share), statistics.relative(), spectrum.missing)};
}

}  // namespace

RankFindings judge_spectrum(const Spectrum& spectrum,
                            const DeltaStatistics& statistics,
                            double rounding) {
  if (spectrum.empty()) return judge_vector(spectrum, statistics);
  return SpectrumJudge(spectrum, statistics, rounding).judge();
}

std::string percent(double share) {
  if (share > 0 && share < 1e-4) return fmt::format("{:.2e}", share);
  return fmt::format("{:.4g} %", 100 * share);
}

}  // namespace impound
