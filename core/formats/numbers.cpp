// SPDX-License-Identifier: Apache-2.0
#include "core/formats/numbers.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/formats/gguf/dequantise.hpp"

namespace impound {
namespace {

/// A small floating-point format. OCP 8-bit and MX formats, and the FNUZ ones
/// of AMD and Graphcore (no negative zero: that code is NaN).
struct SmallFloat {
  Dtype dtype;
  int exponent_bits;
  int mantissa_bits;
  int bias;
  enum class Special : std::uint8_t {
    none,      // every code is a number
    ieee,      // largest exponent: infinity and NaN
    all_ones,  // only S.1…1 is NaN
    fnuz,      // only 1.0…0 is NaN
  } special;
};

constexpr auto kSmallFloats = std::to_array<SmallFloat>({
    {Dtype::f4, 2, 1, 1, SmallFloat::Special::none},
    {Dtype::f6_e2m3, 2, 3, 1, SmallFloat::Special::none},
    {Dtype::f6_e3m2, 3, 2, 3, SmallFloat::Special::none},
    {Dtype::f8_e5m2, 5, 2, 15, SmallFloat::Special::ieee},
    {Dtype::f8_e4m3, 4, 3, 7, SmallFloat::Special::all_ones},
    {Dtype::f8_e4m3fnuz, 4, 3, 8, SmallFloat::Special::fnuz},
    {Dtype::f8_e5m2fnuz, 5, 2, 16, SmallFloat::Special::fnuz},
    {Dtype::f16, 5, 10, 15, SmallFloat::Special::ieee},
    {Dtype::bf16, 8, 7, 127, SmallFloat::Special::ieee},
});

const SmallFloat* find_small(Dtype dtype) noexcept {
  for (const SmallFloat& each : kSmallFloats) {
    if (each.dtype == dtype) return &each;
  }
  return nullptr;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float decode(const SmallFloat& type, unsigned code) noexcept {
  const unsigned mantissa_mask = (1U << type.mantissa_bits) - 1U;
  const unsigned exponent_mask = (1U << type.exponent_bits) - 1U;
  const unsigned mantissa = code & mantissa_mask;
  const unsigned exponent = (code >> type.mantissa_bits) & exponent_mask;
  const unsigned sign =
      (code >> (type.mantissa_bits + type.exponent_bits)) & 1U;
  switch (type.special) {
    case SmallFloat::Special::none:
      break;
    case SmallFloat::Special::ieee:
      if (exponent == exponent_mask) {
        if (mantissa != 0) return kNan;
        const float infinity = std::numeric_limits<float>::infinity();
        return sign != 0 ? -infinity : infinity;
      }
      break;
    case SmallFloat::Special::all_ones:
      if (exponent == exponent_mask && mantissa == mantissa_mask) return kNan;
      break;
    case SmallFloat::Special::fnuz:
      if (sign != 0 && exponent == 0 && mantissa == 0) return kNan;
      break;
  }
  const int shown = static_cast<int>(exponent);
  const float value =
      exponent == 0
          ? std::ldexp(static_cast<float>(mantissa),
                       1 - type.bias - type.mantissa_bits)
          : std::ldexp(static_cast<float>(mantissa + mantissa_mask + 1U),
                       shown - type.bias - type.mantissa_bits);
  return sign != 0 ? -value : value;
}

/// The largest finite number of the type.
float largest(const SmallFloat& type) noexcept {
  const unsigned codes =
      1U << static_cast<unsigned>(type.exponent_bits + type.mantissa_bits);
  for (unsigned code = codes; code-- > 0;) {
    const float value = decode(type, code);
    if (std::isfinite(value)) return value;
  }
  return 0;
}

template <typename Out, typename Word, typename Convert>
void decode_words(ByteView bytes, std::span<Out> out, Convert convert) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Word word;
    std::memcpy(&word, bytes.data() + i * sizeof(Word), sizeof(Word));
    out[i] = static_cast<Out>(convert(word));
  }
}

template <typename Out, typename Word>
void decode_plain(ByteView bytes, std::span<Out> out) {
  decode_words<Out, Word>(bytes, out, [](Word word) { return word; });
}

template <typename Out>
void decode_table(Dtype dtype, ByteView bytes, std::span<Out> out) {
  std::array<float, 256> table;
  for (unsigned code = 0; code < table.size(); ++code) {
    table[code] = from_small_float(dtype, static_cast<std::uint8_t>(code));
  }
  decode_words<Out, std::uint8_t>(
      bytes, out, [&](std::uint8_t code) { return table[code]; });
}

/// F4: two a byte, the low half first.
template <typename Out>
void decode_halves(ByteView bytes, std::span<Out> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const unsigned byte = std::to_integer<unsigned>(bytes[i / 2]);
    out[i] = static_cast<Out>(from_small_float(
        Dtype::f4,
        static_cast<std::uint8_t>(i % 2 == 0 ? byte & 15U : byte >> 4U)));
  }
}

template <typename Out>
void decode_any(Dtype dtype, ByteView bytes, std::span<Out> out) {
  switch (dtype) {
    case Dtype::f16:
    case Dtype::c32:
      return decode_words<Out, std::uint16_t>(bytes, out, from_f16);
    case Dtype::bf16:
      return decode_words<Out, std::uint16_t>(
          bytes, out, [](std::uint16_t bits) { return from_bf16(bits); });
    case Dtype::f32:
    case Dtype::c64:
      return decode_plain<Out, float>(bytes, out);
    case Dtype::f64:
    case Dtype::c128:
      return decode_plain<Out, double>(bytes, out);
    case Dtype::boolean:
    case Dtype::u8:
    case Dtype::qu8:
      return decode_plain<Out, std::uint8_t>(bytes, out);
    case Dtype::i8:
    case Dtype::qi8:
      return decode_plain<Out, std::int8_t>(bytes, out);
    case Dtype::u16:
      return decode_plain<Out, std::uint16_t>(bytes, out);
    case Dtype::i16:
      return decode_plain<Out, std::int16_t>(bytes, out);
    case Dtype::u32:
      return decode_plain<Out, std::uint32_t>(bytes, out);
    case Dtype::i32:
    case Dtype::qi32:
      return decode_plain<Out, std::int32_t>(bytes, out);
    case Dtype::u64:
      return decode_plain<Out, std::uint64_t>(bytes, out);
    case Dtype::i64:
      return decode_plain<Out, std::int64_t>(bytes, out);
    case Dtype::f4:
      return decode_halves(bytes, out);
    case Dtype::f8_e5m2:
    case Dtype::f8_e4m3:
    case Dtype::f8_e8m0:
    case Dtype::f8_e4m3fnuz:
    case Dtype::f8_e5m2fnuz:
      return decode_table(dtype, bytes, out);
    default: {  // the block types: a list of its own in dequantise.cpp
      if constexpr (std::is_same_v<Out, float>) {
        dequantise(dtype, bytes, out);
      } else {
        std::vector<float> floats(out.size());
        dequantise(dtype, bytes, floats);
        std::copy(floats.begin(), floats.end(), out.begin());
      }
    }
  }
}

}  // namespace

float from_f16(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 31U;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormal: exact in float
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide =
      exponent == 31 ? 0x7F800000U | (mantissa << 13U)
                     : ((exponent + 112U) << 23U) | (mantissa << 13U);
  return std::bit_cast<float>(sign | wide);
}

std::uint16_t to_f16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00U;
  } else if (magnitude >= 0x477FF000U) {  // rounds above 65504
    half = 0x7C00U;
  } else if (magnitude < 0x38800000U) {  // below 2^-14: subnormal
    // Adding 0.5 puts the units of 2^-24 at the end of the mantissa.
    const float scaled = std::bit_cast<float>(magnitude) + 0.5F;
    half = std::bit_cast<std::uint32_t>(scaled) - 0x3F000000U;
  } else {
    const std::uint32_t odd = (magnitude >> 13U) & 1U;
    half = (magnitude - 0x38000000U + 0xFFFU + odd) >> 13U;
  }
  return static_cast<std::uint16_t>(sign | half);
}

std::uint16_t to_bf16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
    return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
  }
  const std::uint32_t odd = (bits >> 16U) & 1U;
  return static_cast<std::uint16_t>((bits + 0x7FFFU + odd) >> 16U);
}

float from_small_float(Dtype dtype, std::uint8_t code) noexcept {
  if (dtype == Dtype::f8_e8m0) {
    return code == 255 ? kNan : std::ldexp(1.0F, static_cast<int>(code) - 127);
  }
  const SmallFloat* type = find_small(dtype);
  return type == nullptr ? kNan : decode(*type, code);
}

float round_through(Dtype dtype, float value) noexcept {
  if (dtype == Dtype::f16) return from_f16(to_f16(value));
  if (dtype == Dtype::bf16) return from_bf16(to_bf16(value));
  if (dtype == Dtype::f32) return value;
  const SmallFloat* type = find_small(dtype);
  if (type == nullptr || std::isnan(value)) return kNan;
  if (value == 0) return value;
  int exponent = 0;
  static_cast<void>(std::frexp(value, &exponent));  // |value| in [.5, 1)·2^e
  const int lowest = 1 - type->bias;                // of a normal number
  const int unit = std::max(exponent - 1, lowest) - type->mantissa_bits;
  const float rounded =
      std::ldexp(std::nearbyint(std::ldexp(value, -unit)), unit);
  return std::abs(rounded) > largest(*type) ? kNan : rounded;
}

std::string_view to_string(Rounding rounding) noexcept {
  return rounding == Rounding::nearest ? "nearest" : "toward_zero";
}

float truncate_through(Dtype dtype, float value) noexcept {
  if (std::isnan(value)) return value;
  if (dtype == Dtype::bf16) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) &
                                0xFFFF0000U);
  }
  if (dtype != Dtype::f16) return kNan;
  const std::uint16_t nearest = to_f16(value);
  const float rounded = from_f16(nearest);
  // One code below is the next number towards zero, below infinity too.
  return std::abs(rounded) > std::abs(value)
             ? from_f16(static_cast<std::uint16_t>(nearest - 1U))
             : rounded;
}

bool is_decodable(Dtype dtype) noexcept {
  if (can_dequantise(dtype)) return true;
  switch (traits(dtype).kind) {
    case NumberKind::floating:
      return dtype != Dtype::f6_e2m3 && dtype != Dtype::f6_e3m2;
    case NumberKind::integer:
    case NumberKind::boolean:
    case NumberKind::complex:
      return true;
    case NumberKind::unknown:
    case NumberKind::block_quantised:
      return false;
  }
  return false;
}

std::uint64_t number_count(Dtype dtype, std::uint64_t bytes) noexcept {
  const DtypeTraits& type = traits(dtype);
  if (type.block_bits == 0) return 0;
  const std::uint64_t parts = type.kind == NumberKind::complex ? 2 : 1;
  if (type.block_bits < 8) return bytes * 8 / type.block_bits;
  return bytes / (type.block_bits / 8) * type.block_elements * parts;
}

void decode_floats(Dtype dtype, ByteView bytes, std::span<float> out) {
  decode_any(dtype, bytes, out);
}

void decode_doubles(Dtype dtype, ByteView bytes, std::span<double> out) {
  decode_any(dtype, bytes, out);
}

}  // namespace impound
