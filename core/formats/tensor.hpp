// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Words that all model formats share: the type of numbers and where a tensor
/// lies.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// Every number type of safetensors, GGUF, NumPy and PyTorch that we can name.
enum class Dtype : std::uint8_t {
  unknown,
  boolean,
  // Floating point, small to large.
  f4,  ///< E2M1, two a byte
  f6_e2m3,
  f6_e3m2,
  f8_e5m2,
  f8_e4m3,  ///< E4M3FN: no infinities, NaN is S.1111.111
  f8_e8m0,  ///< a power of two, as in MX scales
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  f16,
  bf16,
  f32,
  f64,
  c32,  ///< two F16
  c64,  ///< two F32
  c128,
  // Integers.
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  // PyTorch quantised storages; scale and zero point lie elsewhere.
  qi8,
  qu8,
  qi32,
  qu4x2,
  qu2x4,
  // GGUF blocks.
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q8_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq2_xxs,
  iq2_xs,
  iq3_xxs,
  iq1_s,
  iq4_nl,
  iq3_s,
  iq2_s,
  iq4_xs,
  iq1_m,
  tq1_0,
  tq2_0,
  mxfp4,
};

/// What the bits of one element mean.
enum class NumberKind : std::uint8_t {
  unknown,
  floating,
  integer,
  boolean,
  complex,
  block_quantised,  ///< a block shares a scale: elements have no bits alone
};

/// The fixed facts of a type. Elements come in blocks of `block_elements` that
/// take `block_bits` bits; most types have blocks of one element.
struct DtypeTraits {
  Dtype dtype = Dtype::unknown;
  std::string_view name;  ///< "F32", "BF16", "Q4_K": safetensors' or ggml's
  NumberKind kind = NumberKind::unknown;
  std::uint32_t block_elements = 1;
  std::uint32_t block_bits = 0;
};

[[nodiscard]] const DtypeTraits& traits(Dtype dtype) noexcept;

/// "F32", "BF16", "Q4_K"; "unknown" for Dtype::unknown.
[[nodiscard]] inline std::string_view to_string(Dtype dtype) noexcept {
  return traits(dtype).name;
}

/// The type with exactly this name (case matters), as to_string() writes it.
[[nodiscard]] std::optional<Dtype> dtype_from(std::string_view name) noexcept;

/// The types that a safetensors header may name (huggingface/safetensors,
/// tensor.rs, enum Dtype); a GGUF name there is an error of the file.
[[nodiscard]] std::optional<Dtype> safetensors_dtype(
    std::string_view name) noexcept;

/// ggml_type numbers (ggml.h, enum ggml_type); empty for unknown or removed.
[[nodiscard]] std::optional<Dtype> ggml_dtype(std::uint32_t number) noexcept;

/// Product of the dimensions; 1 for rank 0. Empty on overflow of 64 bits.
[[nodiscard]] std::optional<std::uint64_t> element_count(
    std::span<const std::uint64_t> shape) noexcept;

/// Bytes that such a tensor takes, without padding. Empty on overflow, if the
/// elements do not fill whole blocks, or if the bits do not fill whole bytes.
[[nodiscard]] std::optional<std::uint64_t> tensor_bytes(
    Dtype dtype, std::span<const std::uint64_t> shape) noexcept;

/// "[4096, 16384]"; "[]" for a scalar.
[[nodiscard]] std::string shape_text(std::span<const std::uint64_t> shape);

/// A tensor as its file describes it. Row-major; the last dimension is
/// contiguous (GGUF's ne[] is reversed by its reader).
struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::unknown;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  ///< of the first byte, in its file
  std::uint64_t size = 0;    ///< bytes in its file

  friend bool operator==(const TensorInfo&, const TensorInfo&) = default;
};

}  // namespace impound
