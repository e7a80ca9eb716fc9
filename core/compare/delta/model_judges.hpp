// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The parts of the verdict about a model, one for each family of changes.
/// Inside compare only.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/compare/delta/model_sentence.hpp"

namespace impound {

using SentenceGroup = std::vector<const SentenceTensor*>;

/// Where the tensors of a group stand.
struct GroupPlaces {
  std::set<std::uint64_t> layers;
  std::set<std::string> modules;
  bool all_mlp_down = true;
  bool has_norm = false;
  bool has_embedding = false;
};

[[nodiscard]] GroupPlaces places_of(const SentenceGroup& group);
/// "layer 5", "layers 3–8", "layers 1, 4, 9", empty where none has a layer.
[[nodiscard]] std::string layer_words(const std::set<std::uint64_t>& layers);
/// "q_proj, v_proj", printable.
[[nodiscard]] std::string joined(const std::set<std::string>& words);
/// "1 tensor", "3 tensors".
[[nodiscard]] std::string plural(std::size_t count, std::string_view word);
[[nodiscard]] double largest_relative(const SentenceGroup& group);

/// Every changed tensor is of rank one or low rank: an edit, an adapter, a
/// direction taken out.
[[nodiscard]] ModelVerdict judge_low_rank(
    const SentenceGroup& group, const std::vector<SentenceTensor>& tensors);

/// Most changed tensors are dense: a fine-tune, noise, or a fine-tune with an
/// edit in it.
[[nodiscard]] ModelVerdict judge_dense(
    const SentenceGroup& changed, const std::vector<SentenceTensor>& tensors);

}  // namespace impound
