// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/compare/model_judges.hpp"

namespace impound {
namespace {

/// A tensor stands out of its siblings (the same module in other layers) where
/// its largest step is that much above the next largest. Measured on fine-tunes
/// and retrained models: ≤ 1.7; an edit inside one ≥ 40 where it is strong.
constexpr double kStandsOut = 2.5;
/// ... and is a step at all: fine-tunes' matrices have up to 3.4.
constexpr double kLeastStep = 4;
constexpr std::size_t kFewestSiblings = 3;

bool is_mixed(const SentenceTensor& tensor) {
  // A matrix over the vocabulary has a mean row, which is a component of its
  // own: no sign of an edit.
  return tensor.label != "dense" && tensor.rank > 0 &&
         !place_of(tensor.name).is_embedding;
}

/// Tensors with a low-rank part that a fine-tune does not make by itself.
SentenceGroup find_hidden(const SentenceGroup& changed) {
  std::map<std::string, SentenceGroup> modules;
  for (const SentenceTensor* tensor : changed) {
    const TensorPlace place = place_of(tensor->name);
    if (place.layer && !tensor->is_vector) {
      modules[place.module].push_back(tensor);
    }
  }
  SentenceGroup hidden;
  for (const SentenceTensor* tensor : changed) {
    if (is_mixed(*tensor)) {
      hidden.push_back(tensor);
      continue;
    }
    const TensorPlace place = place_of(tensor->name);
    const auto siblings = modules.find(place.module);
    if (!place.layer || tensor->is_vector || tensor->step < kLeastStep ||
        siblings == modules.end() ||
        siblings->second.size() < kFewestSiblings) {
      continue;
    }
    const bool stands_out = std::all_of(
        siblings->second.begin(), siblings->second.end(),
        [&](const SentenceTensor* other) {
          return other == tensor || tensor->step >= kStandsOut * other->step;
        });
    if (stands_out) hidden.push_back(tensor);
  }
  return hidden;
}

/// "layer 5's mlp.down_proj (σ1/σ2 131)".
std::string hidden_words(const SentenceGroup& hidden) {
  constexpr std::size_t kMost = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(hidden.size(), kMost); ++i) {
    const SentenceTensor& tensor = *hidden[i];
    text += fmt::format("{}{}", i == 0 ? "" : ", ", printable(tensor.name));
    if (tensor.step > 0) {
      text += fmt::format(" (σ{}/σ{} {:.3g}, relative change {:.3g})",
                          tensor.step_at, tensor.step_at + 1, tensor.step,
                          tensor.relative);
    }
  }
  if (hidden.size() > kMost)
    text += fmt::format(", {} more", hidden.size() - kMost);
  return text;
}

}  // namespace

ModelVerdict judge_dense(const SentenceGroup& changed,
                         const std::vector<SentenceTensor>& tensors) {
  const GroupPlaces places = places_of(changed);
  std::string scope =
      fmt::format("{} of {} tensors, relative change up to {:.3g}",
                  changed.size(), tensors.size(), largest_relative(changed));
  if (places.has_norm) scope += ", norms too";
  if (places.has_embedding) scope += ", embeddings too";
  // Small steps do not show in the norms of a 16-bit model: matrices count.
  const auto matrices = std::count_if(
      tensors.begin(), tensors.end(),
      [](const SentenceTensor& tensor) { return !tensor.is_vector; });
  const auto changed_matrices = std::count_if(
      changed.begin(), changed.end(),
      [](const SentenceTensor* tensor) { return !tensor->is_vector; });
  const bool is_full = 10 * changed_matrices >= 9 * matrices;
  const SentenceGroup hidden = find_hidden(changed);
  if (!hidden.empty()) {
    return {"fine-tune+low-rank",
            fmt::format("{} with a low-rank component in {} that a fine-tune "
                        "does not make by itself (an edit can hide in one): "
                        "{}; {}",
                        is_full ? "full fine-tune" : "partial fine-tune",
                        plural(hidden.size(), "tensor"), hidden_words(hidden),
                        scope)};
  }
  const bool is_noise = std::all_of(
      changed.begin(), changed.end(), [](const SentenceTensor* tensor) {
        return tensor->is_vector || tensor->is_noise;
      });
  if (is_noise && changed_matrices > 0) {
    return {"noise",
            "noise without direction was added, as no training does: " + scope};
  }
  if (is_full && tensors.size() > 1) {
    return {"fine-tune", "full fine-tune or retrained: " + scope};
  }
  const std::string layers = layer_words(places.layers);
  return {
      "partial-fine-tune",
      fmt::format("dense change of a part, {}{}{}: {}", joined(places.modules),
                  layers.empty() ? "" : " of ", layers, scope)};
}

}  // namespace impound
