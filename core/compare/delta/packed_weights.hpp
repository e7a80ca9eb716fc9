// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Weights that several tensors hold together: codes, scales, zero points.
///
///   GPTQ   X.qweight I32 [in·b/32, out], X.qzeros, X.scales [groups, out],
///          X.g_idx [in]; the first code of a word in its lowest bits. Files of
///          version 1 keep a zero point less 1, files of version 2 ("gptq_v2")
///          as it is: which one, the config says, else the numbers.
///   AWQ    X.qweight I32 [in, out/8], X.qzeros [groups, out/8], X.scales
///          [groups, out]; of eight columns, the codes stand in the order
///          0 2 4 6 1 3 5 7 (casper-hansen/AutoAWQ, awq/utils/packing_utils.py)
///   packed X.weight_packed I32 [out, in·b/32], X.weight_scale [out, groups]:
///          compressed-tensors, codes are offset by half their range
///   F8     X.weight F8 [out, in], X.weight_scale_inv [out/128, in/128]
///          (DeepSeek-V3), or X.weight_scale, one a row or one
///   NF4    X.weight U8 [n/2, 1], X.weight.absmax, X.weight.quant_map and
///          X.weight.quant_state.bitsandbytes__nf4 (JSON), absmax itself in
///          eight bits where X.weight.nested_absmax is there; high half first
///   INT8   X.weight I8 [out, in], X.SCB [out]: number = code·SCB/127
///
/// What is none of these, or does not fit its own shapes, stays what it is:
/// tensors of their own.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/compare/delta/code_grid.hpp"
#include "core/compare/delta/open_tensors.hpp"
#include "core/compare/tensor_diff.hpp"

namespace impound {

enum class PackedLayout : std::uint8_t {
  gptq,
  awq,
  compressed,  ///< compressed-tensors, "pack-quantized"
  scaled_f8,   ///< blocks, rows or a tensor
  bitsandbytes_4bit,
  bitsandbytes_8bit,
};

/// One weight of one side, with the tensors that hold it.
struct PackedWeight {
  PackedLayout layout = PackedLayout::gptq;
  ViewTensor codes;
  ViewTensor scales;
  std::optional<ViewTensor> zeros;
  std::optional<ViewTensor> order;  ///< GPTQ's g_idx
  // bitsandbytes in four bits.
  std::optional<ViewTensor> quant_map;
  std::optional<ViewTensor> state;
  std::optional<ViewTensor> nested_scales;
  std::optional<ViewTensor> nested_map;
  unsigned bits = 4;
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
};

/// A weight that is packed on one side at least.
struct PackedPair {
  std::optional<PackedWeight> before;  ///< absent: TensorChange::before is it
  std::optional<PackedWeight> after;
};

/// The packed weights of a comparison, by the name of the change that they are
/// compared as ("X.weight"), which is made where there is none. Its parts are
/// marked (TensorChange::part_of): they say nothing of their own.
[[nodiscard]] std::map<std::string, PackedPair> join_packed(
    std::vector<TensorChange>& changes);

/// A packed weight as numbers in F32, [out, in], with its grid. Scales are kept
/// in memory, codes are read as they are asked for.
/// `is_version_2`: of GPTQ, zero points are kept as they are.
/// @throws Error{malformed} where parts do not fit each other, Error{limit} of
///         more than 16 Mi scales, what reading throws.
[[nodiscard]] OpenTensor open_packed(const PackedWeight& packed,
                                     bool is_version_2, OpenTensors& files);

/// Both sides of a packed weight. Where a GPTQ file does not say its version,
/// the one that is nearer to the other side.
[[nodiscard]] OpenPair open_packed_pair(const TensorChange& change,
                                        const PackedPair& packed,
                                        OpenTensors& before,
                                        OpenTensors& after);

}  // namespace impound
