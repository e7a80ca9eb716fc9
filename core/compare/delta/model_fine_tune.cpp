// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/compare/delta/model_judges.hpp"

namespace impound {
namespace {

/// A tensor stands out of its siblings (the same module in other layers) where
/// its largest step is that much above the next largest. Measured on fine-tunes
/// and retrained models: ≤ 1.7; an edit inside one ≥ 40 where it is strong.
constexpr double kStandsOut = 2.5;
/// ... and is a step at all: fine-tunes' matrices have up to 3.4.
constexpr double kLeastStep = 4;
constexpr std::size_t kFewestSiblings = 3;
/// Two steps on few tokens are of low rank in the first layer, as many as there
/// were tokens: measured, rank 63. Edits have a handful.
constexpr std::size_t kMostHiddenRank = 32;
/// A module changed much more than the others: median relative change over its
/// layers against the median of modules. Measured: fine-tunes ≤ 1.7, a rank-8
/// adapter merged into one ≥ 4.8.
constexpr double kModuleStandsOut = 3;
constexpr std::size_t kFewestModules = 4;

bool is_mixed(const SentenceTensor& tensor) {
  // A matrix over the vocabulary has a mean row, which is a component of its
  // own: no sign of an edit.
  return tensor.label != TensorLabel::dense && tensor.rank > 0 &&
         tensor.rank <= kMostHiddenRank && !place_of(tensor.name).is_embedding;
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
        tensor->step_at > kMostHiddenRank || siblings == modules.end() ||
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

double median_of(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers.empty() ? 0 : numbers[numbers.size() / 2];
}

/// "q_proj, v_proj changed 4.9 times as much …"; empty where none did.
std::string loud_modules(const SentenceGroup& changed) {
  std::map<std::string, std::vector<double>> modules;
  for (const SentenceTensor* tensor : changed) {
    const TensorPlace place = place_of(tensor->name);
    if (place.layer && !tensor->is_vector) {
      modules[place.module].push_back(tensor->relative);
    }
  }
  if (modules.size() < kFewestModules) return {};
  std::vector<double> medians;
  for (const auto& [module, relative] : modules) {
    medians.push_back(median_of(relative));
  }
  // The lower of two middles: up to half of the modules may have an adapter.
  std::sort(medians.begin(), medians.end());
  const double usual = medians[(medians.size() - 1) / 2];
  std::set<std::string> loud;
  double least = medians.back();
  for (const auto& [module, relative] : modules) {
    const double median = median_of(relative);
    if (relative.size() < kFewestSiblings ||
        median < kModuleStandsOut * usual) {
      continue;
    }
    loud.insert(module);
    least = std::min(least, median);
  }
  // Many loud modules are no exception.
  if (loud.empty() || !(usual > 0) || 2 * loud.size() > modules.size()) {
    return {};
  }
  return fmt::format(
      "{} changed at least {:.2g} times as much as the other "
      "modules (fine-tunes: up to 1.7 times), as an adapter "
      "merged on top or another learning rate makes",
      joined(loud), least / usual);
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
    return {ModelLabel::fine_tune_low_rank,
            fmt::format("{} with a low-rank component in {} that a fine-tune "
                        "does not make by itself (an edit can hide in one): "
                        "{}; {}",
                        is_full ? "full fine-tune" : "partial fine-tune",
                        plural(hidden.size(), "tensor"), hidden_words(hidden),
                        scope)};
  }
  const std::string loud = loud_modules(changed);
  if (!loud.empty()) {
    return {ModelLabel::fine_tune_low_rank,
            fmt::format("{}, in which {}; {}",
                        is_full ? "full fine-tune" : "partial fine-tune", loud,
                        scope)};
  }
  const bool is_noise = std::all_of(
      changed.begin(), changed.end(), [](const SentenceTensor* tensor) {
        return tensor->is_vector || tensor->is_noise;
      });
  if (is_noise && changed_matrices > 0) {
    return {ModelLabel::noise,
            "noise without direction was added, as no training does: " + scope};
  }
  if (is_full && tensors.size() > 1) {
    return {ModelLabel::fine_tune, "full fine-tune or retrained: " + scope};
  }
  const std::string layers = layer_words(places.layers);
  return {
      ModelLabel::partial_fine_tune,
      fmt::format("dense change of a part, {}{}{}: {}", joined(places.modules),
                  layers.empty() ? "" : " of ", layers, scope)};
}

}  // namespace impound
