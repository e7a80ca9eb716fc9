// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/weight_look.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "core/compare/delta/delta_places.hpp"
#include "core/compare/delta/low_byte_magic.hpp"
#include "core/formats/numbers.hpp"

namespace impound {
namespace {

/// Elements of one window: whole windows of bits and of entropy.
constexpr std::uint64_t kWindow = 8 * kBitWindow;
constexpr std::uint64_t kMostRows = 4U << 20U;
/// The strongest direction, of matrices that have one.
constexpr std::uint64_t kSmallestSide = 32;
constexpr std::uint64_t kMostColumns = 1U << 20U;
constexpr int kPowerSteps = 3;

unsigned mantissa_of(Dtype dtype) {
  return dtype == Dtype::f32 ? 23 : dtype == Dtype::f16 ? 10 : 7;
}

std::uint64_t width_of(Dtype dtype) { return traits(dtype).block_bits / 8; }

template <typename Word>
Word word_at(const Bytes& raw, std::size_t i) {
  Word word = 0;
  std::memcpy(&word, raw.data() + i * sizeof(Word), sizeof(Word));
  return word;
}

template <typename Word>
void count_bits(const Bytes& raw, std::size_t count, unsigned mantissa,
                WeightLook& look) {
  for (std::size_t at = 0; at < count; at += kBitWindow) {
    const std::size_t end = std::min<std::size_t>(count, at + kBitWindow);
    // A short window says little.
    if (end - at < kBitWindow / 4 && !look.bit_shares.empty()) break;
    std::array<std::uint64_t, kTestableBits> ones{};
    for (std::size_t i = at; i < end; ++i) {
      const Word word = word_at<Word>(raw, i);
      for (unsigned b = 0; b < kTestableBits; ++b) {
        ones[b] += (word >> (mantissa - 1 - b)) & 1U;
      }
    }
    auto& shares = look.bit_shares.emplace_back();
    for (std::size_t b = 0; b < kTestableBits; ++b) {
      shares[b] = static_cast<float>(static_cast<double>(ones[b]) /
                                     static_cast<double>(end - at));
    }
  }
}

void check_upcasts(const Bytes& raw, std::uint64_t first, std::size_t count,
                   WeightLook& look) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto word = word_at<std::uint32_t>(raw, i);
    for (UpcastCheck& check : look.upcasts) {
      if ((word & ((1U << check.zero_bits) - 1)) == 0) continue;
      if (check.violations++ == 0) check.first = first + i;
      check.last = first + i;
    }
  }
}

void measure_entropy(const Bytes& raw, std::size_t count, std::size_t width,
                     WeightLook& look) {
  Bytes low(kEntropyWindow);
  for (std::size_t at = 0; at + kEntropyWindow <= count; at += kEntropyWindow) {
    for (std::size_t i = 0; i < kEntropyWindow; ++i) {
      low[i] = raw[(at + i) * width];
    }
    look.low_entropy.push_back(static_cast<float>(byte_entropy(low)));
  }
}

/// σ1 by power steps, and Σw², in windows of whole rows.
class StrongestDirection {
 public:
  StrongestDirection(const TensorBytes& tensor,
                     const Cancellation& cancellation)
      : tensor_(tensor), cancellation_(cancellation) {}

  [[nodiscard]] double against_noise() {
    const std::uint64_t m = tensor_.rows();
    const std::uint64_t k = tensor_.columns();
    if (std::min(m, k) < kSmallestSide || k > kMostColumns) return 0;
    std::mt19937 random(20260102U);  // the same evidence, the same numbers
    std::normal_distribution<double> normal;
    std::vector<double> x(static_cast<std::size_t>(k));
    for (double& each : x) each = normal(random);
    double squares = 0;
    double sigma = 0;
    for (int step = 0; step < kPowerSteps; ++step) {
      normalise(x);
      std::vector<double> next(x.size(), 0.0);
      squares = 0;
      const double image = multiply(x, next, squares);
      if (cancellation_.requested() || !std::isfinite(image)) return 0;
      sigma = std::sqrt(image);
      x.swap(next);
    }
    const double rows = static_cast<double>(m);
    const double columns = static_cast<double>(k);
    const double edge = std::sqrt(squares / (rows * columns)) *
                        (std::sqrt(rows) + std::sqrt(columns));
    return edge > 0 ? sigma / edge : 0;
  }

 private:
  static void normalise(std::vector<double>& x) {
    double squares = 0;
    for (const double each : x) squares += each * each;
    const double norm = std::sqrt(squares);
    if (norm > 0) {
      for (double& each : x) each /= norm;
    }
  }

  /// ‖W·x‖², with WᵀW·x added to `next` and ‖W‖² to `squares`.
  double multiply(const std::vector<double>& x, std::vector<double>& next,
                  double& squares) {
    const std::size_t k = x.size();
    const std::uint64_t rows_at_once = std::max<std::uint64_t>(1, kWindow / k);
    double image = 0;
    std::vector<float> window;
    for (std::uint64_t row = 0; row < tensor_.rows(); row += rows_at_once) {
      if (cancellation_.requested()) return 0;
      const auto rows = static_cast<std::size_t>(
          std::min(rows_at_once, tensor_.rows() - row));
      window.resize(rows * k);
      tensor_.read_floats(row * k, window);
      for (std::size_t i = 0; i < rows; ++i) {
        const float* w = window.data() + i * k;
        double dot = 0;
        double own = 0;
        for (std::size_t j = 0; j < k; ++j) {
          dot += static_cast<double>(w[j]) * x[j];
          own += static_cast<double>(w[j]) * w[j];
        }
        for (std::size_t j = 0; j < k; ++j) next[j] += dot * w[j];
        image += dot * dot;
        squares += own;
      }
    }
    return image;
  }

  const TensorBytes& tensor_;
  const Cancellation& cancellation_;
};

void add_row_norms(const std::vector<float>& numbers, std::uint64_t first,
                   std::uint64_t columns, std::vector<double>& squares) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    squares[static_cast<std::size_t>((first + i) / columns)] +=
        static_cast<double>(numbers[i]) * numbers[i];
  }
}

}  // namespace

bool can_look_at(const TensorBytes& tensor) {
  const bool is_known = tensor.dtype == Dtype::f32 ||
                        tensor.dtype == Dtype::f16 ||
                        tensor.dtype == Dtype::bf16;
  return is_known && is_measurable(tensor);
}

std::optional<WeightLook> look_at(const TensorBytes& tensor,
                                  const Cancellation& cancellation) {
  WeightLook look;
  look.elements = tensor.numbers();
  look.upcasts[0].zero_bits = 16;
  look.upcasts[1].zero_bits = 13;
  const std::uint64_t width = width_of(tensor.dtype);
  const bool has_rows = tensor.rows() > 1 && tensor.rows() <= kMostRows;
  std::vector<double> squares(has_rows ? static_cast<std::size_t>(tensor.rows())
                                       : 0);
  LowByteMagics magics(tensor.dtype);
  Bytes raw;
  std::vector<float> numbers;
  for (std::uint64_t at = 0; at < look.elements; at += kWindow) {
    if (cancellation.requested()) return std::nullopt;
    const auto count =
        static_cast<std::size_t>(std::min(kWindow, look.elements - at));
    raw.resize(count * static_cast<std::size_t>(width));
    tensor.source->read(tensor.offset + at * width, raw);
    if (tensor.dtype == Dtype::f32) {
      count_bits<std::uint32_t>(raw, count, mantissa_of(tensor.dtype), look);
      check_upcasts(raw, at, count, look);
    } else {
      count_bits<std::uint16_t>(raw, count, mantissa_of(tensor.dtype), look);
    }
    measure_entropy(raw, count, static_cast<std::size_t>(width), look);
    magics.feed(raw, at, look.magics);
    if (has_rows) {
      numbers.resize(count);
      decode_floats(tensor.dtype, raw, numbers);
      add_row_norms(numbers, at, tensor.columns(), squares);
    }
  }
  look.row_norms.reserve(squares.size());
  for (const double each : squares) {
    look.row_norms.push_back(static_cast<float>(std::sqrt(each)));
  }
  look.strongest = StrongestDirection(tensor, cancellation).against_noise();
  return cancellation.requested() ? std::nullopt
                                  : std::optional(std::move(look));
}

}  // namespace impound
