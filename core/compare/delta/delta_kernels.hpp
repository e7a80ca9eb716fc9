// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The inner loops of a numeric diff: everything about two runs of numbers in
/// one pass over them, with AVX-512 or AVX2 where the processor has it.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/formats/tensor.hpp"

namespace impound {

/// Elements that are measured together. Short enough that sums in float stay
/// exact to 1e-7 before they are added up in double.
inline constexpr std::size_t kTileElements = 4096;

/// Sums over elements; `+=` joins neighbouring runs.
struct DeltaSums {
  std::uint64_t changed = 0;     ///< elements whose bits differ
  std::uint64_t single_bit = 0;  ///< of these, those that differ in one bit
  std::uint64_t xor_mask = 0;    ///< OR over all a^b
  std::uint64_t max_ulp = 0;     ///< largest distance in units of last place
  double delta_squares = 0;      ///< Σ(b−a)² over finite pairs
  double before_squares = 0;     ///< Σa²
  double after_squares = 0;      ///< Σb²
  double max_delta = 0;          ///< max |b−a|
  std::uint64_t nan_introduced = 0;  ///< NaN in b where a has none
  std::uint64_t inf_introduced = 0;  ///< infinite in b where a is not
  std::uint64_t not_finite = 0;      ///< pairs left out of the sums

  DeltaSums& operator+=(const DeltaSums& other) noexcept;
};

enum class Instructions : std::uint8_t { portable, avx2, avx512 };

[[nodiscard]] std::string_view to_string(Instructions set) noexcept;
/// The best that this processor offers.
[[nodiscard]] Instructions best_instructions() noexcept;

/// Measures up to kTileElements elements of a type with whole bytes and bits
/// that mean something alone (not block-quantised, not F4 or F6).
/// `set` must not be above best_instructions().
[[nodiscard]] DeltaSums measure_tile(Dtype dtype, const std::byte* before,
                                     const std::byte* after,
                                     std::size_t elements, Instructions set);

/// The same where only values are at hand: two types, or blocks. `changed`
/// counts different values; masks and ulps stay 0.
[[nodiscard]] DeltaSums measure_values(const double* before,
                                       const double* after,
                                       std::size_t elements);

/// Vector forms, defined in delta_kernels_x86.cpp. Whole groups of elements
/// only; return how many they did. Not finite sums mean: measure again, slowly.
std::size_t measure_avx512(Dtype dtype, const std::byte* before,
                           const std::byte* after, std::size_t elements,
                           DeltaSums& sums);
std::size_t measure_avx2(Dtype dtype, const std::byte* before,
                         const std::byte* after, std::size_t elements,
                         DeltaSums& sums);

}  // namespace impound
