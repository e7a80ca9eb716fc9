// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_pattern.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "core/compare/delta/delta_grid.hpp"
#include "core/formats/gguf/dequantise.hpp"
#include "core/formats/numbers.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kWindowNumbers = 1U << 19U;
/// Rows and columns whose digests are kept: 64 MiB for both sides.
constexpr std::uint64_t kMostLines = 4U << 20U;
/// How far sums in single precision, added up in double, can be believed.
constexpr double kSumsAgree = 1e-6;

/// Root of the mean square of rounding, relative to the numbers: a step of
/// 2^-bits at 1, 1/√12 of it, and 0.53 for where numbers lie between powers of
/// two. Measured on trained weights: BF16 1.64e-3, F16 2.06e-4 (tests/
/// calibration/README.md).
double rounding_of_bits(int mantissa) {
  return std::ldexp(1.0, -mantissa) * std::sqrt(0.53 / 12);
}

double rounding_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return rounding_of_bits(23);
    case Dtype::f16:
      return rounding_of_bits(10);
    case Dtype::bf16:
      return rounding_of_bits(7);
    case Dtype::f8_e4m3:
    case Dtype::f8_e4m3fnuz:
      return rounding_of_bits(3);
    case Dtype::f8_e5m2:
    case Dtype::f8_e5m2fnuz:
      return rounding_of_bits(2);
    default:
      return 0;
  }
}

/// Where a half float stops having relative precision: 2^-24 a step.
double subnormal_squares(Dtype dtype, double numbers) {
  return dtype == Dtype::f16 ? numbers * std::ldexp(1.0, -48) / 12 : 0;
}

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30U;
  x *= 0xBF58476D1CE4E5B9U;
  x ^= x >> 27U;
  x *= 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

/// Calls `use(first, before, after)` for windows of whole rows, where rows fit
/// one, until it returns false.
template <typename Use>
void each_window(const TensorBytes& before, const TensorBytes& after,
                 const Cancellation& cancellation, Use use) {
  const std::uint64_t columns = after.columns();
  const std::uint64_t window = columns <= kWindowNumbers
                                   ? kWindowNumbers / columns * columns
                                   : kWindowNumbers;
  std::vector<float> old;
  std::vector<float> now;
  for (std::uint64_t at = 0; at < after.numbers(); at += window) {
    if (cancellation.requested()) return;
    const auto count =
        static_cast<std::size_t>(std::min(window, after.numbers() - at));
    old.resize(count);
    now.resize(count);
    before.read_floats(at, old);
    after.read_floats(at, now);
    if (!use(at, old, now)) return;
  }
}

bool is_zeroed(const TensorBytes& before, const TensorBytes& after,
               const DeltaSums& sums, const Cancellation& cancellation) {
  // What is set to zero takes its square along.
  const double lost = sums.before_squares - sums.after_squares;
  if (std::abs(lost - sums.delta_squares) >
      1e-3 * sums.delta_squares + kSumsAgree * sums.before_squares) {
    return false;
  }
  bool all = true;
  each_window(before, after, cancellation,
              [&](std::uint64_t, const auto& old, const auto& now) {
                for (std::size_t i = 0; i < old.size() && all; ++i) {
                  all = now[i] == 0 || now[i] == old[i];
                }
                return all;
              });
  return all && !cancellation.requested();
}

std::optional<double> factor_of(const DeltaSums& sums, double rounding) {
  if (!(sums.before_squares > 0)) return std::nullopt;
  // b = c·a + r with r orthogonal to a: ‖b‖² − ‖a‖² − ‖d‖² = 2(c−1)‖a‖².
  const double less_one =
      (sums.after_squares - sums.before_squares - sums.delta_squares) /
      (2 * sums.before_squares);
  const double along = less_one * less_one * sums.before_squares;
  const double rest = sums.delta_squares - along;
  // A change that rounding could have made alone is no scaling.
  constexpr double kClear = 100;
  if (along < kClear * rounding || std::abs(less_one) < 1e-3) return {};
  const double unsure =
      4 * kSumsAgree * std::abs(less_one) * sums.before_squares;
  if (rest > 1.5 * rounding + 1e-5 * along + unsure) return std::nullopt;
  return 1 + less_one;
}

/// Digests of the rows and of the columns of a matrix; columns commute over
/// windows because a row's number is mixed in.
struct LineDigests {
  std::vector<std::uint64_t> rows;
  std::vector<std::uint64_t> columns;

  LineDigests(std::size_t m, std::size_t k) : rows(m, 0), columns(k, 0) {}

  void add(std::uint64_t first, const std::vector<float>& numbers) {
    const std::size_t k = columns.size();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::uint64_t row = (first + i) / k;
      const std::size_t column = i % k;
      const std::uint64_t bits = std::bit_cast<std::uint32_t>(numbers[i]);
      rows[static_cast<std::size_t>(row)] += mix(bits ^ (column << 32U));
      columns[column] += mix(bits ^ (row << 32U));
    }
  }

  void sort() {
    std::sort(rows.begin(), rows.end());
    std::sort(columns.begin(), columns.end());
  }
};

Pattern find_order(const TensorBytes& before, const TensorBytes& after,
                   const DeltaSums& sums, const Cancellation& cancellation) {
  const std::uint64_t m = after.rows();
  const std::uint64_t k = after.columns();
  // Rows are compared window by window, so a window must hold whole ones.
  if (before.dtype != after.dtype || before.columns() != k || m < 2 || k < 2 ||
      m + k > kMostLines || k > kWindowNumbers) {
    return Pattern::none;
  }
  if (std::abs(sums.after_squares - sums.before_squares) >
      kSumsAgree * sums.before_squares) {
    return Pattern::none;
  }
  LineDigests old(static_cast<std::size_t>(m), static_cast<std::size_t>(k));
  LineDigests now(static_cast<std::size_t>(m), static_cast<std::size_t>(k));
  each_window(before, after, cancellation,
              [&](std::uint64_t first, const auto& a, const auto& b) {
                old.add(first, a);
                now.add(first, b);
                return true;
              });
  if (cancellation.requested()) return Pattern::none;
  old.sort();
  now.sort();
  if (old.rows == now.rows) return Pattern::rows_reordered;
  if (old.columns == now.columns) return Pattern::columns_reordered;
  return Pattern::none;
}

/// Σstep²/12 over the numbers of Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0: each block of
/// 32 begins with its step, an F16.
double block_squares(const TensorBytes& tensor) {
  const DtypeTraits& type = traits(tensor.dtype);
  const std::size_t block = type.block_bits / 8;
  constexpr std::size_t kBlocks = 65'536;  // read at a time, about 2 MB
  const std::uint64_t count = tensor.size / block;
  Bytes bytes;
  double squares = 0;
  for (std::uint64_t first = 0; first < count; first += kBlocks) {
    const auto blocks = static_cast<std::size_t>(
        std::min<std::uint64_t>(kBlocks, count - first));
    bytes.resize(blocks * block);
    tensor.source->read(tensor.offset + first * block, bytes);
    for (std::size_t i = 0; i < blocks; ++i) {
      const ByteView step = ByteView(bytes).subspan(i * block, 2);
      float value = 0;
      decode_floats(Dtype::f16, step, std::span(&value, 1));
      if (std::isfinite(value)) squares += static_cast<double>(value) * value;
    }
  }
  return squares * type.block_elements / 12;
}

}  // namespace

std::string_view to_string(Pattern pattern) noexcept {
  switch (pattern) {
    case Pattern::none:
      return "none";
    case Pattern::zeroed:
      return "zeroed";
    case Pattern::scaled:
      return "scaled";
    case Pattern::rows_reordered:
      return "rows-reordered";
    case Pattern::columns_reordered:
      return "columns-reordered";
  }
  return "none";
}

double quantiser_error(Dtype dtype) {
  switch (dtype) {
    case Dtype::q2_k:
      return 0.40;
    case Dtype::q3_k:
      return 0.22;
    case Dtype::q4_0:
    case Dtype::q4_1:
    case Dtype::q4_k:
      return 0.13;
    case Dtype::q5_0:
    case Dtype::q5_1:
    case Dtype::q5_k:
      return 0.07;
    case Dtype::q6_k:
      return 0.035;
    case Dtype::q8_0:
    case Dtype::q8_k:
      return 0.012;
    default:
      return 0;
  }
}

ExactChange find_exact_change(const TensorBytes& before,
                              const TensorBytes& after,
                              const DeltaStatistics& statistics,
                              const Cancellation& cancellation) {
  const DeltaSums& sums = statistics.sums;
  if (is_zeroed(before, after, sums, cancellation)) {
    return {.pattern = Pattern::zeroed};
  }
  const std::optional<double> factor =
      factor_of(sums, rounding_squares(before, after, statistics));
  if (factor) return {.pattern = Pattern::scaled, .factor = *factor};
  return {.pattern = find_order(before, after, sums, cancellation)};
}

double rounding_squares(const TensorBytes& before, const TensorBytes& after,
                        const DeltaStatistics& statistics) {
  const auto numbers = static_cast<double>(statistics.elements);
  if (after.grid != nullptr || before.grid != nullptr) {
    const double both = (after.grid != nullptr ? grid_squares(after) : 0) +
                        (before.grid != nullptr ? grid_squares(before) : 0);
    return both;
  }
  // Old numbers through the same quantiser (without_noise()): both sides were
  // rounded, each to the step of its own blocks.
  if (has_one_quantiser(after.dtype)) return 2 * block_squares(after);
  if (has_one_quantiser(before.dtype)) return 2 * block_squares(before);
  const double quantised =
      std::max(quantiser_error(before.dtype), quantiser_error(after.dtype));
  if (quantised > 0) {
    return quantised * quantised *
           std::max(statistics.sums.before_squares,
                    statistics.sums.after_squares);
  }
  const auto squares = [&](Dtype dtype, double norm_squares) {
    const double share = rounding_of(dtype);
    return share * share * norm_squares + subnormal_squares(dtype, numbers);
  };
  return std::max(squares(before.dtype, statistics.sums.before_squares),
                  squares(after.dtype, statistics.sums.after_squares));
}

}  // namespace impound
