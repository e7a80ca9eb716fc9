// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_truncation.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace impound {
namespace {

/// Numbers that are looked at: the mean of so many is known to a thousandth of
/// a step.
constexpr std::uint64_t kSample = 1U << 20U;
/// Fewer say nothing: the mean would be off by 0.01 of a step.
constexpr std::uint64_t kFewest = 2048;
/// How far the mean of a half may be from half a step. A matrix that was scaled
/// down has means that differ by a factor of 1.4 between the halves: one of
/// them is off by 0.08 at least.
constexpr double kMeanRoom = 0.06;
/// Numbers below this share of their root mean square have steps so small that
/// an error of the components, which is of one size for all, hides them.
constexpr double kLeastSize = 0.5;
/// The components are known only as well as what covers them.
constexpr double kEdgeRoom = 0.15;
/// Of numbers that were finer before, some lie half a step beyond the edges:
/// 84 % are inside. Of rounded ones 65 %.
constexpr double kInside = 0.8;

struct Steps {
  int mantissa = 0;
  int lowest_exponent = 0;  ///< of a normal number
};

std::optional<Steps> steps_of(Dtype dtype) {
  if (dtype == Dtype::bf16) return Steps{7, -126};
  if (dtype == Dtype::f16) return Steps{10, -14};
  return std::nullopt;
}

/// One half of the numbers between two powers of two.
struct Half {
  double sum = 0;
  std::uint64_t count = 0;
  [[nodiscard]] double mean() const {
    return count == 0 ? 0 : sum / static_cast<double>(count);
  }
};

}  // namespace

bool Residual::is_truncation() const {
  return numbers >= kFewest && std::abs(mean_below_half + 0.5) <= kMeanRoom &&
         std::abs(mean_above_half + 0.5) <= kMeanRoom &&
         share_inside >= kInside;
}

std::optional<Residual> measure_residual(const TensorBytes& before,
                                         const TensorBytes& after,
                                         const DeltaStatistics& statistics,
                                         const Spectrum& spectrum,
                                         std::size_t rank) {
  const std::optional<Steps> steps = steps_of(after.dtype);
  const auto rows = static_cast<std::size_t>(spectrum.rows);
  const auto columns = static_cast<std::size_t>(spectrum.columns);
  if (!steps || rank == 0 || rank > spectrum.kept ||
      after.columns() != columns || before.columns() != columns) {
    return std::nullopt;
  }
  std::vector<float> old(columns);
  std::vector<float> now(columns);
  std::vector<double> edit(columns);
  const double least = kLeastSize * statistics.after_norm() /
                       std::sqrt(static_cast<double>(statistics.elements));
  Half below;
  Half above;
  std::uint64_t inside = 0;
  const std::size_t stride = std::max<std::size_t>(1, rows * columns / kSample);
  for (std::size_t row = 0; row < rows; row += stride) {
    before.read_floats(row * columns, old);
    after.read_floats(row * columns, now);
    std::fill(edit.begin(), edit.end(), 0.0);
    for (std::size_t r = 0; r < rank; ++r) {
      const double factor = spectrum.sigma[r] * spectrum.left[r * rows + row];
      const float* right = spectrum.right.data() + r * columns;
      for (std::size_t j = 0; j < columns; ++j) edit[j] += factor * right[j];
    }
    for (std::size_t j = 0; j < columns; ++j) {
      if (std::abs(now[j]) < least || !std::isfinite(now[j]) ||
          !std::isfinite(old[j])) {
        continue;
      }
      int exponent = 0;
      const double part =
          2 * std::frexp(std::abs(static_cast<double>(now[j])), &exponent);
      const double step =
          std::ldexp(1.0, std::max(exponent - 1, steps->lowest_exponent) -
                              steps->mantissa);
      const double left =
          static_cast<double>(now[j]) - static_cast<double>(old[j]) - edit[j];
      const double outward = (now[j] > 0 ? left : -left) / step;
      Half& half = part < 1.5 ? below : above;
      half.sum += outward;
      ++half.count;
      inside += outward >= -1 - kEdgeRoom && outward <= kEdgeRoom ? 1U : 0U;
    }
  }
  Residual residual;
  residual.numbers = below.count + above.count;
  // What `rank` components of these sides take of anything.
  const auto m = static_cast<double>(rows);
  const auto k = static_cast<double>(columns);
  const auto r = static_cast<double>(rank);
  const double left = std::max(0.1, 1 - r * (m + k - r) / (m * k));
  residual.mean_below_half = below.mean() / left;
  residual.mean_above_half = above.mean() / left;
  if (residual.numbers > 0) {
    residual.share_inside =
        static_cast<double>(inside) / static_cast<double>(residual.numbers);
  }
  return residual;
}

}  // namespace impound
