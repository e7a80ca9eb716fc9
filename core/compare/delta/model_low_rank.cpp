// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/text.hpp"
#include "core/compare/delta/model_judges.hpp"

namespace impound {
namespace {

/// Editing methods make one small update for a handful of facts; adapters of
/// higher rank exist, edits of higher rank do not in practice (ROME,
/// arXiv:2202.05262; MEMIT, arXiv:2210.07229).
constexpr std::size_t kMostEditRank = 64;
/// |cos| of singular vectors that are one direction. Measured on an ablated
/// direction: ≥ 0.999; between the layers of rank-one adapters ≤ 0.7.
constexpr double kSameDirection = 0.95;

/// Layers in which any of these modules stands, changed or not.
std::set<std::uint64_t> layers_with(const std::vector<SentenceTensor>& tensors,
                                    const std::set<std::string>& modules) {
  std::set<std::uint64_t> layers;
  for (const SentenceTensor& tensor : tensors) {
    const TensorPlace place = place_of(tensor.name);
    if (place.layer && modules.contains(place.module)) {
      layers.insert(*place.layer);
    }
  }
  return layers;
}

std::size_t largest_rank(const SentenceGroup& group) {
  std::size_t most = 0;
  for (const SentenceTensor* tensor : group) {
    most = std::max(most, tensor->rank);
  }
  return most;
}

/// |cos| of two directions; 0 where they are of different spaces.
double agreement_of(const std::vector<float>& one,
                    const std::vector<float>& two) {
  if (one.empty() || one.size() != two.size()) return 0;
  double dot = 0;
  double squares_one = 0;
  double squares_two = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    dot += static_cast<double>(one[i]) * two[i];
    squares_one += static_cast<double>(one[i]) * one[i];
    squares_two += static_cast<double>(two[i]) * two[i];
  }
  const double size = std::sqrt(squares_one * squares_two);
  return size > 0 ? std::abs(dot) / size : 0;
}

struct OneDirection {
  const std::vector<float>* vector = nullptr;
  double agreement = 0;  ///< least |cos|
};

/// The direction of one space along which every tensor was changed, which is
/// the residual stream's: rows of matrices that write to it, columns of
/// embeddings. Empty where they do not share one.
OneDirection one_direction_of(const SentenceGroup& group) {
  constexpr std::size_t kFewest = 3;
  if (group.size() < kFewest) return {};
  const SentenceTensor& first = *group.front();
  for (const std::vector<float>* reference : {&first.left, &first.right}) {
    if (reference->empty()) continue;
    double least = 1;
    for (const SentenceTensor* tensor : group) {
      least =
          std::min(least, std::max(agreement_of(*reference, tensor->left),
                                   agreement_of(*reference, tensor->right)));
    }
    if (least >= kSameDirection) return {reference, least};
  }
  return {};
}

bool is_contiguous(const std::set<std::uint64_t>& layers) {
  return !layers.empty() &&
         *layers.rbegin() - *layers.begin() + 1 == layers.size();
}

ModelVerdict judge_one(const SentenceTensor& only, bool is_mlp_down) {
  if (is_mlp_down && only.rank == 1) {
    return {ModelLabel::rome_like,
            fmt::format("ROME-like edit of one MLP down-projection: {}, rank "
                        "1, relative change {:.3g}; nothing else changed",
                        printable(only.name), only.relative)};
  }
  return {model_label_of(only.label),
          fmt::format("one tensor changed by a matrix of rank {}: {}, "
                      "relative change {:.3g}",
                      only.rank, printable(only.name), only.relative)};
}

}  // namespace

ModelVerdict judge_low_rank(const SentenceGroup& group,
                            const std::vector<SentenceTensor>& tensors) {
  const GroupPlaces places = places_of(group);
  const std::size_t rank = largest_rank(group);
  const double relative = largest_relative(group);
  const std::set<std::uint64_t> all = layers_with(tensors, places.modules);
  const bool is_every_layer = !all.empty() && places.layers == all;
  const std::string layers = is_every_layer && all.size() > 1
                                 ? "all layers"
                                 : layer_words(places.layers);
  const std::string where = layers.empty() ? "the model" : layers;
  if (group.size() == 1) return judge_one(*group.front(), places.all_mlp_down);
  if (const OneDirection one = one_direction_of(group);
      rank == 1 && one.vector != nullptr) {
    return {ModelLabel::direction_removed,
            fmt::format("one direction was changed in everything that shares "
                        "it, {} of {} ({}, relative change up to {:.3g}, the "
                        "directions agree with |cos| ≥ {:.4f}): "
                        "\"abliteration\" removes refusals like this",
                        joined(places.modules), where,
                        plural(group.size(), "tensor"), relative,
                        std::floor(one.agreement * 1e4) / 1e4),
            *one.vector, one.agreement};
  }
  if (places.all_mlp_down && is_contiguous(places.layers) && !is_every_layer &&
      rank <= kMostEditRank) {
    return {ModelLabel::memit_like,
            fmt::format("MEMIT-like edit of the MLP down-projections of {}: "
                        "rank {}, relative change up to {:.3g}; nothing else "
                        "changed",
                        layers, rank, relative)};
  }
  // Rounding can cost one tensor a component: most must agree.
  std::map<std::size_t, std::size_t> votes;
  for (const SentenceTensor* tensor : group) ++votes[tensor->rank];
  const auto common = std::max_element(
      votes.begin(), votes.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  if (2 * common->second > group.size()) {
    return {ModelLabel::lora_merge,
            fmt::format("LoRA merge, rank {}, on {} of {} ({}, relative change "
                        "up to {:.3g})",
                        common->first, joined(places.modules), where,
                        plural(group.size(), "tensor"), relative)};
  }
  return {ModelLabel::low_rank,
          fmt::format("low-rank changes of different ranks (up to {}) on {} of "
                      "{} ({}, relative change up to {:.3g})",
                      rank, joined(places.modules), where,
                      plural(group.size(), "tensor"), relative)};
}

}  // namespace impound
