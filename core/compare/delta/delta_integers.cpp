// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/compare/delta/delta_recast.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kWindowNumbers = 1U << 19U;
/// Half a step of rounding, and what fitting the scale adds to it.
constexpr double kMostSteps = 0.6;
constexpr double kEnough = 0.999;

struct IntegerFit {
  std::uint64_t close = 0;
  std::uint64_t seen = 0;
  double rest = 0;     ///< Σ of squares
  double squares = 0;  ///< Σ a²
};

/// a ≈ scale·b + offset, by least squares over one row.
void fit_row(std::span<const float> a, std::span<const float> b,
             IntegerFit& fit) {
  const auto n = static_cast<double>(a.size());
  double sum_a = 0;
  double sum_b = 0;
  double sum_ab = 0;
  double sum_bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum_a += a[i];
    sum_b += b[i];
    sum_ab += static_cast<double>(a[i]) * b[i];
    sum_bb += static_cast<double>(b[i]) * b[i];
  }
  const double spread = sum_bb - sum_b * sum_b / n;
  const double scale = spread > 0 ? (sum_ab - sum_a * sum_b / n) / spread : 0;
  const double offset = (sum_a - scale * sum_b) / n;
  fit.seen += a.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double rest = a[i] - scale * b[i] - offset;
    fit.rest += rest * rest;
    fit.squares += static_cast<double>(a[i]) * a[i];
    if (std::abs(rest) <= kMostSteps * std::abs(scale)) ++fit.close;
  }
}

}  // namespace

std::optional<Recast> find_integer_rows(const TensorBytes& before,
                                        const TensorBytes& after,
                                        const Cancellation& cancellation) {
  const bool is_integer = after.dtype == Dtype::i8 || after.dtype == Dtype::u8;
  const std::uint64_t columns = after.columns();
  constexpr std::uint64_t kFewestColumns = 16;
  if (!is_integer || traits(before.dtype).kind != NumberKind::floating ||
      before.shape != after.shape || columns < kFewestColumns ||
      columns > kWindowNumbers) {
    return std::nullopt;
  }
  const std::uint64_t window = kWindowNumbers / columns * columns;
  std::vector<float> old;
  std::vector<float> now;
  IntegerFit fit;
  for (std::uint64_t at = 0; at < after.numbers(); at += window) {
    if (cancellation.requested()) return std::nullopt;
    const auto count =
        static_cast<std::size_t>(std::min(window, after.numbers() - at));
    old.resize(count);
    now.resize(count);
    before.read_floats(at, old);
    after.read_floats(at, now);
    const auto row = static_cast<std::size_t>(columns);
    for (std::size_t i = 0; i < count; i += row) {
      fit_row(std::span(old).subspan(i, row), std::span(now).subspan(i, row),
              fit);
    }
    if (static_cast<double>(fit.close) <
        kEnough * static_cast<double>(fit.seen)) {
      return std::nullopt;
    }
  }
  if (!(fit.squares > 0) || !std::isfinite(fit.rest)) return std::nullopt;
  return Recast{
      .through = "integers with one scale a row",
      .is_quantised = true,
      .share = static_cast<double>(fit.close) / static_cast<double>(fit.seen),
      .relative = std::sqrt(fit.rest / fit.squares)};
}

}  // namespace impound
