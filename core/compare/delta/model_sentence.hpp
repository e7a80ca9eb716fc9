// SPDX-License-Identifier: Apache-2.0
#pragma once
/// From the changes of tensors to one sentence about the model: an edit, a
/// merged adapter, a fine-tune, another quantisation.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/compare/change_label.hpp"
#include "core/compare/delta/delta_pattern.hpp"
#include "core/compare/delta/delta_places.hpp"

namespace impound {

/// What a tensor's name says about its place in a transformer.
struct TensorPlace {
  std::optional<std::uint64_t> layer;
  std::string module;  ///< "q_proj", "fc_out", "ffn_down"; last word of a name
  bool is_mlp_down = false;   ///< the second matrix of an MLP
  bool is_embedding = false;  ///< token embeddings or the output matrix
  bool is_norm = false;
};

[[nodiscard]] TensorPlace place_of(std::string_view tensor_name);

/// Units in the last place that a fine-tune in 16 bits moves a few numbers by.
inline constexpr std::uint64_t kLastPlaces = 4;

/// One tensor of the comparison, as far as the sentence needs it.
struct SentenceTensor {
  std::string name;
  TensorLabel label = TensorLabel::identical;
  std::size_t rank = 0;
  double relative = 0;
  double cosine = 1;      ///< of old and new numbers
  double norm_ratio = 1;  ///< ‖B‖/‖A‖
  /// No number moved by more than kLastPlaces units in the last place.
  bool is_last_places = false;
  std::uint64_t changed = 0;  ///< elements
  double share = 0;           ///< of its elements that changed
  std::string structure;      ///< "whole rows" of a pruned matrix; else empty
  std::string through;        ///< of a cast or a quantised tensor
  unsigned low_bits = 0;      ///< of a payload
  std::uint64_t payload = 0;  ///< bits
  PayloadPlaces payload_places = PayloadPlaces::contiguous;
  bool is_exponent_flip = false;
  bool has_new_values = false;  ///< NaN or infinities introduced
  bool is_vector = false;
  std::string where;             ///< rows or columns, of a sparse change
  std::set<std::uint64_t> rows;  ///< that are named there
  std::int64_t rows_added = 0;   ///< TensorFindings::rows_added
  Pattern pattern = Pattern::none;
  std::string moved_from;   ///< the tensor whose old bytes it has now
  double step = 0;          ///< largest σ_r/σ_{r+1} of the visible part
  std::size_t step_at = 0;  ///< its r
  bool is_noise = false;    ///< dense, and nothing stands out of it
  double spread = 1;        ///< RankFindings::spread
  std::string packed;       ///< what codes it was unpacked from; else empty
  double grid_error = 0;    ///< GridLook::error of it
  bool is_faint = false;    ///< so small that rounding hides what it is
  /// First singular vectors of a change of rank one; else empty.
  std::vector<float> left;
  std::vector<float> right;
};

struct ModelVerdict {
  ModelLabel label = ModelLabel::unclassified;
  std::string sentence = {};  ///< printable
  /// The one direction of a model that lost or got one; else empty.
  std::vector<float> direction = {};
  /// Least |cos| of it and what another tensor changed along.
  double agreement = 0;
};

/// `tensors` are those on both sides, unchanged ones included; `added` and
/// `removed` count those on one side only.
[[nodiscard]] ModelVerdict judge_model(
    const std::vector<SentenceTensor>& tensors, std::size_t added,
    std::size_t removed);

}  // namespace impound
