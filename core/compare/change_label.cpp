// SPDX-License-Identifier: Apache-2.0
#include "core/compare/change_label.hpp"

#include <algorithm>
#include <array>

namespace impound {
namespace {

template <typename Label>
struct Word {
  Label label;
  std::string_view text;
};

constexpr auto kTensorWords = std::to_array<Word<TensorLabel>>({
    {TensorLabel::none, ""},
    {TensorLabel::identical, "identical"},
    {TensorLabel::cast, "cast"},
    {TensorLabel::quantised, "quantised"},
    {TensorLabel::bit_flips, "bit-flips"},
    {TensorLabel::new_values, "new-values"},
    {TensorLabel::lsb_payload, "lsb-payload"},
    {TensorLabel::rank_one, "rank-one"},
    {TensorLabel::low_rank, "low-rank"},
    {TensorLabel::dense, "dense"},
    {TensorLabel::dense_low_rank, "dense+low-rank"},
    {TensorLabel::sparse, "sparse"},
    {TensorLabel::rows_added, "rows-added"},
    {TensorLabel::rows_removed, "rows-removed"},
    {TensorLabel::unclassified, "unclassified"},
});

constexpr auto kModelWords = std::to_array<Word<ModelLabel>>({
    {ModelLabel::none, ""},
    {ModelLabel::unknown, "unknown"},
    {ModelLabel::stopped, "stopped"},
    {ModelLabel::identical, "identical"},
    {ModelLabel::tensors_added_or_removed, "tensors-added-or-removed"},
    {ModelLabel::cast, "cast"},
    {ModelLabel::re_quantised, "re-quantised"},
    {ModelLabel::bit_flips, "bit-flips"},
    {ModelLabel::lsb_payload, "lsb-payload"},
    {ModelLabel::new_values, "new-values"},
    {ModelLabel::exchanged, "exchanged"},
    {ModelLabel::layers_rearranged, "layers-rearranged"},
    {ModelLabel::pruned, "pruned"},
    {ModelLabel::scaled, "scaled"},
    {ModelLabel::reordered, "reordered"},
    {ModelLabel::sparse, "sparse"},
    {ModelLabel::rows_added, "rows-added"},
    {ModelLabel::rows_removed, "rows-removed"},
    {ModelLabel::rank_one, "rank-one"},
    {ModelLabel::low_rank, "low-rank"},
    {ModelLabel::rome_like, "rome-like"},
    {ModelLabel::memit_like, "memit-like"},
    {ModelLabel::lora_merge, "lora-merge"},
    {ModelLabel::direction_removed, "direction-removed"},
    {ModelLabel::dense, "dense"},
    {ModelLabel::fine_tune, "fine-tune"},
    {ModelLabel::partial_fine_tune, "partial-fine-tune"},
    {ModelLabel::fine_tune_low_rank, "fine-tune+low-rank"},
    {ModelLabel::noise, "noise"},
    {ModelLabel::another_model, "another-model"},
    {ModelLabel::mixed, "mixed"},
    {ModelLabel::unclassified, "unclassified"},
});

template <typename Words, typename Label>
std::string_view text_of(const Words& words, Label label) noexcept {
  const auto found = std::ranges::find(words, label, &Word<Label>::label);
  return found == words.end() ? std::string_view() : found->text;
}

}  // namespace

std::string_view to_string(TensorLabel label) noexcept {
  return text_of(kTensorWords, label);
}

std::string_view to_string(ModelLabel label) noexcept {
  return text_of(kModelWords, label);
}

ModelLabel model_label_of(TensorLabel label) noexcept {
  switch (label) {
    case TensorLabel::none:
      return ModelLabel::none;
    case TensorLabel::identical:
      return ModelLabel::identical;
    case TensorLabel::cast:
      return ModelLabel::cast;
    case TensorLabel::quantised:
      return ModelLabel::re_quantised;
    case TensorLabel::bit_flips:
      return ModelLabel::bit_flips;
    case TensorLabel::new_values:
      return ModelLabel::new_values;
    case TensorLabel::lsb_payload:
      return ModelLabel::lsb_payload;
    case TensorLabel::rank_one:
      return ModelLabel::rank_one;
    case TensorLabel::low_rank:
      return ModelLabel::low_rank;
    case TensorLabel::dense:
      return ModelLabel::dense;
    case TensorLabel::dense_low_rank:
      return ModelLabel::fine_tune_low_rank;
    case TensorLabel::sparse:
      return ModelLabel::sparse;
    case TensorLabel::rows_added:
      return ModelLabel::rows_added;
    case TensorLabel::rows_removed:
      return ModelLabel::rows_removed;
    case TensorLabel::unclassified:
      return ModelLabel::unclassified;
  }
  return ModelLabel::unclassified;
}

}  // namespace impound
