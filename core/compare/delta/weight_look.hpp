// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One tensor's own numbers, read once: bit frequencies, low bits, row norms,
/// entropy and magics of low bytes, and its strongest direction.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

/// Elements whose bits are counted together: σ of a frequency is 0.002.
inline constexpr std::uint64_t kBitWindow = 1U << 16U;
/// Elements whose low bytes make one histogram.
inline constexpr std::uint64_t kEntropyWindow = 4096;
/// Leading mantissa bits that weights do not fill evenly.
inline constexpr std::size_t kTestableBits = 3;

/// Elements of an F32 tensor that a narrower type could not have given.
struct UpcastCheck {
  unsigned zero_bits = 0;  ///< low bits that the type leaves zero
  std::uint64_t violations = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

struct FoundMagic {
  std::string name;
  std::uint64_t element = 0;  ///< where its first bits lie
  unsigned bits = 0;          ///< of each element
};

struct WeightLook {
  std::uint64_t elements = 0;
  /// Share of ones of the leading mantissa bits, of each window.
  std::vector<std::array<float, kTestableBits>> bit_shares;
  std::array<UpcastCheck, 2> upcasts;  ///< from BF16, from F16; F32 only
  std::vector<float> row_norms;        ///< empty for vectors and huge matrices
  std::vector<float> low_entropy;      ///< bits a byte, of each window
  std::vector<FoundMagic> magics;
  double strongest = 0;  ///< σ1 against the edge of noise; 0 if not measured
};

[[nodiscard]] bool can_look_at(const TensorBytes& tensor);

/// Precondition: can_look_at(). Empty where it was told to stop.
/// @throws what the source throws.
[[nodiscard]] std::optional<WeightLook> look_at(
    const TensorBytes& tensor, const Cancellation& cancellation);

}  // namespace impound
