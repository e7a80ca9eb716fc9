// SPDX-License-Identifier: Apache-2.0
#include "core/compare/model_sentence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Editing methods make one small update for a handful of facts; adapters of
/// higher rank exist, edits of higher rank do not in practice (models.md 4.2).
constexpr std::size_t kMostEditRank = 64;

using Group = std::vector<const SentenceTensor*>;

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> words;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find_first_of("./"), name.size());
    if (end > 0) words.push_back(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return words;
}

std::optional<std::uint64_t> number_of(std::string_view word) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return {};
  return number;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + printable(word);
  }
  return text;
}

std::string plural(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

/// "layer 5", "layers 3–8", "layers 1, 4, 9", empty where none has a layer.
std::string layer_words(const std::set<std::uint64_t>& layers) {
  if (layers.empty()) return {};
  if (layers.size() == 1) return fmt::format("layer {}", *layers.begin());
  if (*layers.rbegin() - *layers.begin() + 1 == layers.size()) {
    return fmt::format("layers {}–{}", *layers.begin(), *layers.rbegin());
  }
  std::string text = "layers ";
  std::size_t shown = 0;
  for (const std::uint64_t layer : layers) {
    constexpr std::size_t kMost = 12;
    if (shown == kMost) return text + ", …";
    text += fmt::format("{}{}", shown++ == 0 ? "" : ", ", layer);
  }
  return text;
}

struct Places {
  std::set<std::uint64_t> layers;
  std::set<std::string> modules;
  bool all_mlp_down = true;
  bool has_norm = false;
  bool has_embedding = false;
};

Places places_of(const Group& group) {
  Places places;
  for (const SentenceTensor* tensor : group) {
    const TensorPlace place = place_of(tensor->name);
    if (place.layer) places.layers.insert(*place.layer);
    places.modules.insert(place.module);
    places.all_mlp_down = places.all_mlp_down && place.is_mlp_down;
    places.has_norm = places.has_norm || place.is_norm;
    places.has_embedding = places.has_embedding || place.is_embedding;
  }
  return places;
}

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

double largest_relative(const Group& group) {
  double most = 0;
  for (const SentenceTensor* tensor : group) {
    most = std::max(most, tensor->relative);
  }
  return most;
}

std::size_t largest_rank(const Group& group) {
  std::size_t most = 0;
  for (const SentenceTensor* tensor : group) {
    most = std::max(most, tensor->rank);
  }
  return most;
}

/// Every changed tensor is of rank one or low rank.
ModelVerdict judge_low_rank(const Group& group,
                            const std::vector<SentenceTensor>& tensors) {
  const Places places = places_of(group);
  const std::size_t rank = largest_rank(group);
  const double relative = largest_relative(group);
  const std::set<std::uint64_t> all = layers_with(tensors, places.modules);
  const bool is_every_layer = !all.empty() && places.layers == all;
  const std::string layers = is_every_layer && all.size() > 1
                                 ? "all layers"
                                 : layer_words(places.layers);
  if (group.size() == 1) {
    const SentenceTensor& only = *group.front();
    if (places.all_mlp_down && rank == 1) {
      return {"rome-like",
              fmt::format("ROME-like edit of one MLP down-projection: {}, rank "
                          "1, relative change {:.3g}; nothing else changed",
                          printable(only.name), relative)};
    }
    return {only.label,
            fmt::format("one tensor changed by a matrix of rank {}: {}, "
                        "relative change {:.3g}",
                        rank, printable(only.name), relative)};
  }
  const bool is_contiguous =
      !places.layers.empty() &&
      *places.layers.rbegin() - *places.layers.begin() + 1 ==
          places.layers.size();
  if (places.all_mlp_down && is_contiguous && !is_every_layer &&
      rank <= kMostEditRank) {
    return {"memit-like",
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
    return {"lora-merge",
            fmt::format("LoRA merge, rank {}, on {} of {} ({}, relative change "
                        "up to {:.3g})",
                        common->first, joined(places.modules),
                        layers.empty() ? "the model" : layers,
                        plural(group.size(), "tensor"), relative)};
  }
  return {"low-rank",
          fmt::format("low-rank changes of different ranks (up to {}) on {} of "
                      "{} ({}, relative change up to {:.3g})",
                      rank, joined(places.modules),
                      layers.empty() ? "the model" : layers,
                      plural(group.size(), "tensor"), relative)};
}

ModelVerdict judge_dense(const Group& changed, const Group& mixed,
                         std::size_t total) {
  const Places places = places_of(changed);
  std::string scope =
      fmt::format("{} of {} tensors, relative change up to {:.3g}",
                  changed.size(), total, largest_relative(changed));
  if (places.has_norm) scope += ", norms too";
  if (places.has_embedding) scope += ", embeddings too";
  const bool is_full = 10 * changed.size() >= 9 * total;
  if (!mixed.empty()) {
    return {"fine-tune+low-rank",
            fmt::format("{} with a low-rank component of rank up to {} in {} "
                        "(an edit can hide in a fine-tune); {}",
                        is_full ? "full fine-tune" : "partial fine-tune",
                        largest_rank(mixed), plural(mixed.size(), "tensor"),
                        scope)};
  }
  if (is_full && total > 1) {
    return {"fine-tune", "full fine-tune or retrained: " + scope};
  }
  const std::string layers = layer_words(places.layers);
  return {
      "partial-fine-tune",
      fmt::format("dense change of a part, {}{}{}: {}", joined(places.modules),
                  layers.empty() ? "" : " of ", layers, scope)};
}

ModelVerdict judge_rounding(const Group& group, std::size_t total,
                            bool is_quantised) {
  std::set<std::string> through;
  for (const SentenceTensor* tensor : group) {
    if (!tensor->through.empty()) through.insert(tensor->through);
  }
  return {is_quantised ? "re-quantised" : "cast",
          fmt::format("{} through {}: {} of {} tensors, relative change up to "
                      "{:.3g}",
                      is_quantised ? "re-quantised" : "cast",
                      through.empty() ? "another type" : joined(through),
                      group.size(), total, largest_relative(group))};
}

ModelVerdict judge_flips(const Group& group) {
  std::uint64_t bits = 0;
  bool is_exponent = true;
  for (const SentenceTensor* tensor : group) {
    bits += tensor->changed;
    is_exponent = is_exponent && tensor->is_exponent_flip;
  }
  return {"bit-flips",
          fmt::format("single bits flipped in {} of {}{}",
                      plural(static_cast<std::size_t>(bits), "element"),
                      plural(group.size(), "tensor"),
                      is_exponent ? ", all in the exponent's top bit: like a "
                                    "memory fault or rowhammer"
                                  : "")};
}

ModelVerdict judge_payload(const Group& group) {
  std::uint64_t bytes = 0;
  unsigned bits = 0;
  for (const SentenceTensor* tensor : group) {
    bytes += tensor->payload;
    bits = std::max(bits, tensor->low_bits);
  }
  return {
      "lsb-payload",
      fmt::format("data hidden in the low bits (up to {}) of {}: room for "
                  "{}",
                  bits, plural(group.size(), "tensor"), human_bytes(bytes))};
}

ModelVerdict judge_sparse(const Group& group) {
  std::uint64_t elements = 0;
  for (const SentenceTensor* tensor : group) elements += tensor->changed;
  return {
      "sparse",
      fmt::format("a few elements changed: {} in {}{}", elements,
                  plural(group.size(), "tensor"),
                  group.size() == 1 ? ", " + printable(group[0]->name) : "")};
}

std::string several_kinds(const std::map<std::string, Group>& kinds) {
  std::string text;
  for (const auto& [label, group] : kinds) {
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", group.size(), label);
    if (group.size() == 1) {
      text += fmt::format(" ({})", printable(group.front()->name));
    }
  }
  return "changes of several kinds: " + text;
}

ModelVerdict judge_changed(const std::vector<SentenceTensor>& tensors) {
  std::map<std::string, Group> kinds;
  Group changed;
  for (const SentenceTensor& tensor : tensors) {
    if (tensor.label == "identical") continue;
    kinds[tensor.label].push_back(&tensor);
    changed.push_back(&tensor);
  }
  const auto only = [&](std::initializer_list<std::string_view> labels) {
    return std::all_of(kinds.begin(), kinds.end(), [&](const auto& kind) {
      return std::find(labels.begin(), labels.end(), kind.first) !=
             labels.end();
    });
  };
  if (changed.empty()) return {"identical", "every tensor is identical"};
  const std::size_t total = tensors.size();
  if (only({"rank-one", "low-rank"})) return judge_low_rank(changed, tensors);
  if (only({"cast"})) return judge_rounding(changed, total, false);
  // Formats keep their norms in a float type beside quantised matrices.
  if (only({"quantised", "cast"})) {
    return judge_rounding(kinds["quantised"], total, true);
  }
  if (only({"bit-flips"})) return judge_flips(changed);
  if (only({"lsb-payload"})) return judge_payload(changed);
  if (only({"sparse"})) return judge_sparse(changed);
  if (only({"new-values"})) {
    return {"new-values", fmt::format("NaN or infinities introduced in {}",
                                      plural(changed.size(), "tensor"))};
  }
  // In 16 bits a small fine-tune leaves most of a norm as it was.
  if (only({"dense", "dense+low-rank", "sparse", "unclassified"}) &&
      (kinds.contains("dense") || kinds.contains("dense+low-rank")) &&
      2 * (kinds["dense"].size() + kinds["dense+low-rank"].size()) >=
          changed.size()) {
    return judge_dense(changed, kinds["dense+low-rank"], total);
  }
  std::erase_if(kinds, [](const auto& kind) { return kind.second.empty(); });
  if (kinds.size() == 1) {
    return {kinds.begin()->first,
            fmt::format("{}: {}", plural(changed.size(), "tensor"),
                        kinds.begin()->first)};
  }
  return {"mixed", several_kinds(kinds)};
}

}  // namespace

TensorPlace place_of(std::string_view tensor_name) {
  TensorPlace place;
  std::vector<std::string_view> words = words_of(tensor_name);
  constexpr std::array<std::string_view, 6> kParts = {
      "weight", "bias", "kernel", "qweight", "gamma", "beta"};
  while (words.size() > 1 && std::find(kParts.begin(), kParts.end(),
                                       words.back()) != kParts.end()) {
    words.pop_back();
  }
  bool is_in_mlp = false;
  for (const std::string_view word : words) {
    if (!place.layer) place.layer = number_of(word);
    is_in_mlp = is_in_mlp || word == "mlp" || word == "ffn" ||
                word == "feed_forward" || word == "block_sparse_moe";
  }
  if (words.empty()) return place;
  place.module = std::string(words.back());
  const auto has = [&](std::string_view part) {
    return place.module.find(part) != std::string::npos;
  };
  place.is_norm = has("norm") || has("ln_") || place.module.starts_with("ln");
  place.is_embedding = has("embed") || has("embd") || has("wte") ||
                       has("lm_head") || place.module == "output";
  constexpr std::array<std::string_view, 5> kDown = {
      "fc_out", "down_proj", "dense_4h_to_h", "ffn_down", "fc2"};
  // These names also stand for the output matrix of attention.
  constexpr std::array<std::string_view, 2> kDownInMlp = {"c_proj", "w2"};
  place.is_mlp_down =
      std::find(kDown.begin(), kDown.end(), place.module) != kDown.end() ||
      (is_in_mlp && std::find(kDownInMlp.begin(), kDownInMlp.end(),
                              place.module) != kDownInMlp.end());
  return place;
}

ModelVerdict judge_model(const std::vector<SentenceTensor>& tensors,
                         std::size_t added, std::size_t removed) {
  ModelVerdict verdict = judge_changed(tensors);
  if (std::any_of(tensors.begin(), tensors.end(), [](const SentenceTensor& t) {
        return t.has_new_values && t.label != "new-values";
      })) {
    verdict.sentence += "; NaN or infinities are new";
  }
  if (added + removed > 0) {
    if (verdict.label == "identical") {
      verdict.label = "tensors-added-or-removed";
      verdict.sentence = tensors.empty() ? "no tensor is on both sides"
                                         : "every common tensor is identical";
    }
    verdict.sentence +=
        fmt::format("; {} added, {} removed", plural(added, "tensor"), removed);
  }
  return verdict;
}

}  // namespace impound
