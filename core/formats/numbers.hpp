// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The numbers inside tensors: from their bytes to float or double and back.

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// IEEE 754 binary16; every value is exact as a float.
[[nodiscard]] float from_f16(std::uint16_t bits) noexcept;
/// Rounds to nearest even, overflows to infinity.
[[nodiscard]] std::uint16_t to_f16(float value) noexcept;

[[nodiscard]] inline float from_bf16(std::uint16_t bits) noexcept {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16U;
  float value = 0;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}
/// Rounds to nearest even; NaN stays NaN.
[[nodiscard]] std::uint16_t to_bf16(float value) noexcept;

/// The value of one byte (or half byte, or six bits) of a small float type:
/// F4, F6_*, F8_*. NaN for codes that mean NaN.
[[nodiscard]] float from_small_float(Dtype dtype, std::uint8_t code) noexcept;

/// `value` rounded to the nearest number of the type (ties to even) and back
/// to float; NaN where the type cannot hold it. For F16, BF16, F8_* types.
[[nodiscard]] float round_through(Dtype dtype, float value) noexcept;

/// How a number goes into a type that cannot hold it.
enum class Rounding : std::uint8_t {
  nearest,      ///< ties to even: what libraries do
  toward_zero,  ///< cut off: what a shift of the bits does
};

[[nodiscard]] std::string_view to_string(Rounding rounding) noexcept;

/// `value` cut off to a number of the type, and back to float: never further
/// from zero. For F16 and BF16; NaN for other types, and stays NaN.
[[nodiscard]] float truncate_through(Dtype dtype, float value) noexcept;

/// True if decode_floats() and decode_doubles() know the type: all floating
/// point and integer types of whole bytes, BOOL, F4, complex numbers (as real
/// and imaginary part in turn), and the GGUF types that dequantise.hpp knows.
[[nodiscard]] bool is_decodable(Dtype dtype) noexcept;

/// Numbers that `bytes` hold. `bytes` must be whole blocks of the type.
[[nodiscard]] std::uint64_t number_count(Dtype dtype,
                                         std::uint64_t bytes) noexcept;

/// Decodes whole blocks. F64 and large integers lose precision as floats.
/// Preconditions: is_decodable(dtype), out.size() == number_count(…).
void decode_floats(Dtype dtype, ByteView bytes, std::span<float> out);
void decode_doubles(Dtype dtype, ByteView bytes, std::span<double> out);

}  // namespace impound
