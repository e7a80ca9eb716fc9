// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/compare/delta/delta_bounds.hpp"
#include "core/compare/delta/delta_recast.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kWindowNumbers = 1U << 19U;
/// Half a step of rounding, and what arithmetic in single precision adds.
constexpr double kMostSteps = 0.5 + 1e-3;

struct IntegerFit {
  std::uint64_t unexplained = 0;
  std::uint64_t seen = 0;
  double rest = 0;     ///< Σ of squares
  double squares = 0;  ///< Σ a²
  /// Rows that no scale explains, the first of them.
  std::vector<std::uint64_t> rows;
  std::uint64_t rows_left_out = 0;
};

/// Scales s with which every b is a/s + zero, rounded: what is left of all of
/// them is one interval of 1/s, or none. The last codes may stand for more.
struct InverseScale {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();

  [[nodiscard]] bool empty() const { return !(least <= most); }
};

InverseScale inverse_scale_of(std::span<const float> a,
                              std::span<const float> b, double zero,
                              bool is_signed) {
  const double first = is_signed ? -128 : 0;
  const double last = is_signed ? 127 : 255;
  InverseScale found;
  for (std::size_t i = 0; i < a.size() && !found.empty(); ++i) {
    const double code = b[i] - zero;
    double low = code - kMostSteps;
    double high = code + kMostSteps;
    if (b[i] <= first) low = -std::numeric_limits<double>::infinity();
    if (b[i] >= last) high = std::numeric_limits<double>::infinity();
    const double x = a[i];
    if (x == 0) {
      if (low > 0 || high < 0) found.most = found.least - 1;
      continue;
    }
    low /= x;
    high /= x;
    if (x < 0) std::swap(low, high);
    found.least = std::max(found.least, low);
    found.most = std::min(found.most, high);
  }
  return found;
}

/// Whether the scale is the one that a row's numbers ask for: their extremes
/// are worth the last codes. One that is far from it, or turns the sign, was
/// not made of them.
bool is_scale_of(std::span<const float> a, const InverseScale& inverse,
                 bool is_signed) {
  constexpr double kFewest = 100;  // of 127, or of 255 with a zero point
  constexpr double kMost = 270;
  const auto [least, most] = std::minmax_element(a.begin(), a.end());
  const double width = is_signed
                           ? std::max(std::abs(static_cast<double>(*least)),
                                      std::abs(static_cast<double>(*most)))
                           : static_cast<double>(*most) - *least;
  if (width == 0) return true;
  return inverse.most * width >= kFewest && inverse.least * width <= kMost;
}

/// a ≈ scale·(b − zero), of one row.
void fit_row(std::uint64_t row, std::span<const float> a,
             std::span<const float> b, bool is_signed, IntegerFit& fit) {
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
  const double zero = scale != 0 ? std::round(-offset / scale) : 0;
  bool is_explained = false;
  for (const double tried : {0.0, zero, zero - 1, zero + 1}) {
    const InverseScale inverse = inverse_scale_of(a, b, tried, is_signed);
    if (inverse.empty() || !is_scale_of(a, inverse, is_signed)) continue;
    is_explained = true;
    break;
  }
  std::uint64_t bad = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double rest = a[i] - scale * b[i] - offset;
    fit.rest += rest * rest;
    fit.squares += static_cast<double>(a[i]) * a[i];
    // Of a row that no scale explains, those that the likeliest does not.
    bad += std::abs(rest) > std::abs(scale) ? 1U : 0U;
  }
  if (is_explained) return;
  constexpr std::size_t kMostRows = 8;
  fit.unexplained += bad == 0 ? a.size() : bad;
  if (fit.rows.size() < kMostRows) {
    fit.rows.push_back(row);
  } else {
    ++fit.rows_left_out;
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
      fit_row((at + i) / row, std::span(old).subspan(i, row),
              std::span(now).subspan(i, row), after.dtype == Dtype::i8, fit);
    }
    if (static_cast<double>(fit.unexplained) >
        delta_bounds::kMostUnexplained * static_cast<double>(fit.seen)) {
      return std::nullopt;
    }
  }
  if (!(fit.squares > 0) || !std::isfinite(fit.rest)) return std::nullopt;
  Recast found;
  found.through = "integers with one scale a row";
  found.is_quantised = true;
  found.share = static_cast<double>(fit.seen - fit.unexplained) /
                static_cast<double>(fit.seen);
  found.unexplained = fit.unexplained;
  found.relative = std::sqrt(fit.rest / fit.squares);
  if (fit.unexplained > 0) {
    found.rest = fmt::format(
        "row{} {}{}", fit.rows.size() == 1 ? "" : "s",
        fmt::join(fit.rows, ", "),
        fit.rows_left_out > 0 ? fmt::format(" and {} more", fit.rows_left_out)
                              : "");
  }
  return found;
}

}  // namespace impound
