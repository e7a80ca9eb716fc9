// SPDX-License-Identifier: Apache-2.0
#include "core/formats/tensor.hpp"

#include <array>

namespace impound {
namespace {

using enum Dtype;
constexpr auto kFloat = NumberKind::floating;
constexpr auto kInt = NumberKind::integer;
constexpr auto kComplex = NumberKind::complex;
constexpr auto kBlock = NumberKind::block_quantised;

// In the order of the enum, so that traits() is an index. Block sizes of GGUF
// types: ggml/src/ggml-common.h, sizeof(block_…).
constexpr auto kTraits = std::to_array<DtypeTraits>({
    {unknown, "unknown", NumberKind::unknown, 1, 0},
    {boolean, "BOOL", NumberKind::boolean, 1, 8},
    {f4, "F4", kFloat, 1, 4},
    {f6_e2m3, "F6_E2M3", kFloat, 1, 6},
    {f6_e3m2, "F6_E3M2", kFloat, 1, 6},
    {f8_e5m2, "F8_E5M2", kFloat, 1, 8},
    {f8_e4m3, "F8_E4M3", kFloat, 1, 8},
    {f8_e8m0, "F8_E8M0", kFloat, 1, 8},
    {f8_e4m3fnuz, "F8_E4M3FNUZ", kFloat, 1, 8},
    {f8_e5m2fnuz, "F8_E5M2FNUZ", kFloat, 1, 8},
    {f16, "F16", kFloat, 1, 16},
    {bf16, "BF16", kFloat, 1, 16},
    {f32, "F32", kFloat, 1, 32},
    {f64, "F64", kFloat, 1, 64},
    {c32, "C32", kComplex, 1, 32},
    {c64, "C64", kComplex, 1, 64},
    {c128, "C128", kComplex, 1, 128},
    {u8, "U8", kInt, 1, 8},
    {i8, "I8", kInt, 1, 8},
    {u16, "U16", kInt, 1, 16},
    {i16, "I16", kInt, 1, 16},
    {u32, "U32", kInt, 1, 32},
    {i32, "I32", kInt, 1, 32},
    {u64, "U64", kInt, 1, 64},
    {i64, "I64", kInt, 1, 64},
    {qi8, "QINT8", kInt, 1, 8},
    {qu8, "QUINT8", kInt, 1, 8},
    {qi32, "QINT32", kInt, 1, 32},
    {qu4x2, "QUINT4X2", kBlock, 2, 8},
    {qu2x4, "QUINT2X4", kBlock, 4, 8},
    {q4_0, "Q4_0", kBlock, 32, 18 * 8},
    {q4_1, "Q4_1", kBlock, 32, 20 * 8},
    {q5_0, "Q5_0", kBlock, 32, 22 * 8},
    {q5_1, "Q5_1", kBlock, 32, 24 * 8},
    {q8_0, "Q8_0", kBlock, 32, 34 * 8},
    {q8_1, "Q8_1", kBlock, 32, 36 * 8},
    {q2_k, "Q2_K", kBlock, 256, 84 * 8},
    {q3_k, "Q3_K", kBlock, 256, 110 * 8},
    {q4_k, "Q4_K", kBlock, 256, 144 * 8},
    {q5_k, "Q5_K", kBlock, 256, 176 * 8},
    {q6_k, "Q6_K", kBlock, 256, 210 * 8},
    {q8_k, "Q8_K", kBlock, 256, 292 * 8},
    {iq2_xxs, "IQ2_XXS", kBlock, 256, 66 * 8},
    {iq2_xs, "IQ2_XS", kBlock, 256, 74 * 8},
    {iq3_xxs, "IQ3_XXS", kBlock, 256, 98 * 8},
    {iq1_s, "IQ1_S", kBlock, 256, 50 * 8},
    {iq4_nl, "IQ4_NL", kBlock, 32, 18 * 8},
    {iq3_s, "IQ3_S", kBlock, 256, 110 * 8},
    {iq2_s, "IQ2_S", kBlock, 256, 82 * 8},
    {iq4_xs, "IQ4_XS", kBlock, 256, 136 * 8},
    {iq1_m, "IQ1_M", kBlock, 256, 56 * 8},
    {tq1_0, "TQ1_0", kBlock, 256, 54 * 8},
    {tq2_0, "TQ2_0", kBlock, 256, 66 * 8},
    {mxfp4, "MXFP4", kBlock, 32, 17 * 8},
});

consteval bool traits_follow_the_enum() {
  for (std::size_t i = 0; i < kTraits.size(); ++i) {
    if (static_cast<std::size_t>(kTraits[i].dtype) != i) return false;
  }
  return kTraits.size() == static_cast<std::size_t>(mxfp4) + 1;
}
static_assert(traits_follow_the_enum());

// ggml.h, enum ggml_type; `unknown` marks removed numbers.
constexpr auto kGgml = std::to_array<Dtype>({
    f32,     f16,     q4_0,    q4_1,  unknown, unknown, q5_0,    q5_1,
    q8_0,    q8_1,    q2_k,    q3_k,  q4_k,    q5_k,    q6_k,    q8_k,
    iq2_xxs, iq2_xs,  iq3_xxs, iq1_s, iq4_nl,  iq3_s,   iq2_s,   iq4_xs,
    i8,      i16,     i32,     i64,   f64,     iq1_m,   bf16,    unknown,
    unknown, unknown, tq1_0,   tq2_0, unknown, unknown, unknown, mxfp4,
});

}  // namespace

const DtypeTraits& traits(Dtype dtype) noexcept {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kTraits.size() ? kTraits[index] : kTraits[0];
}

std::optional<Dtype> dtype_from(std::string_view name) noexcept {
  for (const DtypeTraits& each : kTraits) {
    if (each.name == name && each.dtype != unknown) return each.dtype;
  }
  return std::nullopt;
}

std::optional<Dtype> safetensors_dtype(std::string_view name) noexcept {
  const std::optional<Dtype> dtype = dtype_from(name);
  if (!dtype || *dtype == c32 || *dtype == c128 || *dtype >= qi8) {
    return std::nullopt;
  }
  return dtype;
}

std::optional<Dtype> ggml_dtype(std::uint32_t number) noexcept {
  if (number >= kGgml.size() || kGgml[number] == unknown) return std::nullopt;
  return kGgml[number];
}

std::optional<std::uint64_t> element_count(
    std::span<const std::uint64_t> shape) noexcept {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) {
    // As the reference readers do: an overflow counts even where a later
    // dimension is zero.
    if (__builtin_mul_overflow(count, dimension, &count)) return std::nullopt;
  }
  return count;
}

std::optional<std::uint64_t> tensor_bytes(
    Dtype dtype, std::span<const std::uint64_t> shape) noexcept {
  const DtypeTraits& type = traits(dtype);
  const std::optional<std::uint64_t> count = element_count(shape);
  if (!count || type.block_bits == 0 || *count % type.block_elements != 0) {
    return std::nullopt;
  }
  std::uint64_t bits = 0;
  if (__builtin_mul_overflow(*count / type.block_elements,
                             std::uint64_t{type.block_bits}, &bits) ||
      bits % 8 != 0) {
    return std::nullopt;
  }
  return bits / 8;
}

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (const std::uint64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

}  // namespace impound
