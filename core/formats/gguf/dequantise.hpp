// SPDX-License-Identifier: Apache-2.0
#pragma once
/// GGUF's block-quantised numbers as floats, and the way there for the formats
/// whose quantiser is one rule. Layouts: ggml/src/ggml-common.h; arithmetic:
/// ggml/src/ggml-quants.c, the reference functions.

#include <span>

#include "core/base/bytes.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// Q4_0 Q4_1 Q5_0 Q5_1 Q8_0, Q2_K to Q6_K, Q8_K.
[[nodiscard]] bool can_dequantise(Dtype dtype) noexcept;

/// Decodes whole blocks. Preconditions: can_dequantise(dtype), `bytes` is a
/// whole number of blocks and `out` has room for exactly their elements.
void dequantise(Dtype dtype, ByteView bytes, std::span<float> out);

/// Q4_0 Q4_1 Q5_0 Q5_1 Q8_0: types that quantise_and_back() knows. The K-quants
/// search for scales and have no single answer.
[[nodiscard]] bool has_one_quantiser(Dtype dtype) noexcept;

/// What 32 numbers become when they are quantised by the reference quantiser
/// and decoded again. `out` and `in` have 32 elements.
void quantise_and_back(Dtype dtype, std::span<const float> in,
                       std::span<float> out);

/// Quantises 32 numbers into one block, as the reference does.
[[nodiscard]] Bytes quantise_block(Dtype dtype, std::span<const float> in);

}  // namespace impound
