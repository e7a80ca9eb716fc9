// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Weights and what people do to them: edits, adapters, rounding, hidden data.
/// W ~ N(0, 0.02²), as in docs/diff.md.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/formats/numbers.hpp"
#include "tests/support/label_text.hpp"

namespace impound::test {

using Floats = std::vector<float>;

[[nodiscard]] inline Floats normal_numbers(std::size_t count, double deviation,
                                           unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, static_cast<float>(deviation));
  Floats numbers(count);
  for (float& each : numbers) each = normal(random);
  return numbers;
}

[[nodiscard]] inline double norm_of(const Floats& numbers) {
  double sum = 0;
  for (const float each : numbers) sum += static_cast<double>(each) * each;
  return std::sqrt(sum);
}

/// Some of W with something added, at a relative size.
struct Made {
  std::size_t rows = 256;
  std::size_t columns = 1024;

  [[nodiscard]] Floats weights(unsigned seed = 1) const {
    return normal_numbers(rows * columns, 0.02, seed);
  }

  /// W + B·A of this rank, ‖B·A‖ = relative·‖W‖.
  [[nodiscard]] Floats add_rank(Floats w, std::size_t rank, double relative,
                                unsigned seed = 2) const {
    const Floats left = normal_numbers(rows * rank, 1, seed);
    const Floats right = normal_numbers(rank * columns, 1, seed + 100);
    Floats delta(w.size(), 0.0F);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t r = 0; r < rank; ++r) {
        const float factor = left[i * rank + r];
        for (std::size_t j = 0; j < columns; ++j) {
          delta[i * columns + j] += factor * right[r * columns + j];
        }
      }
    }
    return add(std::move(w), delta, relative);
  }

  [[nodiscard]] Floats add_noise(Floats w, double relative,
                                 unsigned seed = 3) const {
    const Floats noise = normal_numbers(w.size(), 1, seed);
    return add(std::move(w), noise, relative);
  }

  /// W + what training does: many directions of falling strength (a trained
  /// model's spectrum, tests/calibration), where noise has none.
  [[nodiscard]] Floats add_training(Floats w, double relative,
                                    unsigned seed = 4) const {
    if (rows < 2) return add_noise(std::move(w), relative, seed);
    const std::size_t directions = std::min(rows, columns);
    const Floats left = normal_numbers(rows * directions, 1, seed);
    const Floats right = normal_numbers(directions * columns, 1, seed + 100);
    Floats delta(w.size(), 0.0F);
    for (std::size_t r = 0; r < directions; ++r) {
      const float strength = std::pow(static_cast<float>(r + 1), -0.6F);
      for (std::size_t i = 0; i < rows; ++i) {
        const float factor = strength * left[i * directions + r];
        for (std::size_t j = 0; j < columns; ++j) {
          delta[i * columns + j] += factor * right[r * columns + j];
        }
      }
    }
    return add(std::move(w), delta, relative);
  }

  [[nodiscard]] static Floats add(Floats w, const Floats& delta,
                                  double relative) {
    const auto factor =
        static_cast<float>(relative * norm_of(w) / norm_of(delta));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] += factor * delta[i];
    return w;
  }

  [[nodiscard]] std::vector<std::uint64_t> shape() const {
    return {rows, columns};
  }
};

/// The bytes of F32, F16 or BF16 numbers.
[[nodiscard]] inline Bytes encode(Dtype dtype, const Floats& numbers) {
  Bytes bytes(numbers.size() * (dtype == Dtype::f32 ? 4 : 2));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (dtype == Dtype::f32) {
      std::memcpy(bytes.data() + 4 * i, &numbers[i], 4);
    } else {
      const std::uint16_t bits =
          dtype == Dtype::f16 ? to_f16(numbers[i]) : to_bf16(numbers[i]);
      std::memcpy(bytes.data() + 2 * i, &bits, 2);
    }
  }
  return bytes;
}

/// Exchanges bits of one element.
inline void flip(Bytes& bytes, std::size_t width, std::size_t index,
                 std::uint64_t mask) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + index * width, width);
  word ^= mask;
  std::memcpy(bytes.data() + index * width, &word, width);
}

/// Writes `payload` into the low `bits` of the elements from `first` on, low
/// bit first.
inline void hide(Bytes& bytes, std::size_t width, std::size_t first,
                 unsigned bits, ByteView payload) {
  const std::size_t elements = payload.size() * 8 / bits;
  for (std::size_t i = 0; i < elements; ++i) {
    std::uint64_t low = 0;
    for (unsigned b = 0; b < bits; ++b) {
      const std::size_t at = i * bits + b;
      const auto byte = std::to_integer<std::uint64_t>(payload[at / 8]);
      low |= ((byte >> (at % 8)) & 1U) << b;
    }
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + (first + i) * width, width);
    word = (word & ~((std::uint64_t{1} << bits) - 1)) | low;
    std::memcpy(bytes.data() + (first + i) * width, &word, width);
  }
}

[[nodiscard]] inline Bytes random_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (std::byte& each : bytes) {
    each = static_cast<std::byte>(random() & 0xFFU);
  }
  return bytes;
}

}  // namespace impound::test
