// SPDX-License-Identifier: Apache-2.0
#pragma once
/// bfloat16: the upper half of a float, rounded to nearest even.

#include <bit>
#include <cstdint>

namespace scene {

inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >>
                                    16U);
}

inline float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

}  // namespace scene
