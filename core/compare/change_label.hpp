// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the change of a tensor and of a model is called: two closed
/// vocabularies, each with one table to text. docs/diff.md tells what each
/// means.

#include <cstdint>
#include <optional>
#include <string_view>

namespace impound {

enum class TensorLabel : std::uint8_t {
  none,  ///< not asked for, or the other side has none: no text
  identical,
  cast,       ///< every number is the old one, rounded to a type
  quantised,  ///< … to a type whose numbers share scales
  bit_flips,
  new_values,  ///< NaN or infinities where there were none
  lsb_payload,
  rank_one,
  low_rank,
  dense,
  dense_low_rank,  ///< a low rank inside a dense change
  sparse,
  rows_added,    ///< the old rows are the same, and there are more
  rows_removed,  ///< … and there are fewer
  unclassified,  ///< no claim
};

/// "rank-one"; empty for `none`.
[[nodiscard]] std::string_view to_string(TensorLabel label) noexcept;

enum class ModelLabel : std::uint8_t {
  none,     ///< not asked for: no text
  unknown,  ///< tensors differ, and a side has no bytes
  stopped,  ///< told to stop before all was measured
  identical,
  tensors_added_or_removed,
  cast,
  re_quantised,
  bit_flips,
  lsb_payload,
  new_values,
  exchanged,          ///< tensors hold the bytes of others
  layers_rearranged,  ///< old layers repeated, left out or moved
  pruned,
  scaled,
  reordered,
  sparse,
  rows_added,    ///< matrices have the old rows and more
  rows_removed,  ///< … and fewer
  rank_one,
  low_rank,
  rome_like,
  memit_like,
  lora_merge,
  direction_removed,
  dense,
  fine_tune,
  partial_fine_tune,
  fine_tune_low_rank,  ///< … with an edit or an adapter in it
  noise,
  another_model,  ///< not made from the old one
  mixed,
  unclassified,
};

/// "rome-like"; empty for `none`.
[[nodiscard]] std::string_view to_string(ModelLabel label) noexcept;

/// What a model is called of which every change has this one label.
[[nodiscard]] ModelLabel model_label_of(TensorLabel label) noexcept;

}  // namespace impound
