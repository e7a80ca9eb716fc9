// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/model_sentence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "core/base/text.hpp"
#include "core/compare/delta/delta_rank.hpp"
#include "core/compare/delta/model_judges.hpp"

namespace impound {
namespace {

/// Stable rank, against noise's, of a change that training made. Measured:
/// fine-tunes of the size of their rounding ≤ 0.15; noise ≥ 0.33.
constexpr double kStructured = 0.2;

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

ModelVerdict judge_rounding(const SentenceGroup& group, std::size_t total,
                            bool is_quantised) {
  std::set<std::string> through;
  for (const SentenceTensor* tensor : group) {
    if (!tensor->through.empty()) through.insert(tensor->through);
  }
  return {is_quantised ? ModelLabel::re_quantised : ModelLabel::cast,
          fmt::format("{} through {}: {} of {} tensors, relative change up to "
                      "{:.3g}",
                      is_quantised ? "re-quantised" : "cast",
                      through.empty() ? "another type" : joined(through),
                      group.size(), total, largest_relative(group))};
}

ModelVerdict judge_flips(const SentenceGroup& group) {
  std::uint64_t bits = 0;
  bool is_exponent = true;
  for (const SentenceTensor* tensor : group) {
    bits += tensor->changed;
    is_exponent = is_exponent && tensor->is_exponent_flip;
  }
  return {ModelLabel::bit_flips,
          fmt::format("single bits flipped in {} of {}{}",
                      plural(static_cast<std::size_t>(bits), "element"),
                      plural(group.size(), "tensor"),
                      is_exponent ? ", all in the exponent's top bit: like a "
                                    "memory fault or rowhammer"
                                  : "")};
}

ModelVerdict judge_payload(const SentenceGroup& group) {
  std::uint64_t room = 0;
  std::uint64_t elements = 0;
  unsigned bits = 0;
  std::set<std::string> places;
  for (const SentenceTensor* tensor : group) {
    room += tensor->payload;
    elements += tensor->changed;
    bits = std::max(bits, tensor->low_bits);
    places.insert(tensor->payload_places == PayloadPlaces::contiguous
                      ? "one behind the other"
                  : tensor->payload_places == PayloadPlaces::stride
                      ? "at a fixed stride"
                      : "at places without a pattern");
  }
  constexpr std::uint64_t kBitsPerByte = 8;
  return {ModelLabel::lsb_payload,
          fmt::format("payload or watermark: data in the low bits (up to {}) "
                      "of {}, nothing above them differs; {} changed elements, "
                      "{}, room for {} bits ({})",
                      bits, plural(group.size(), "tensor"), elements,
                      joined(places), room, human_bytes(room / kBitsPerByte))};
}

/// Only rows were added to matrices, or taken away: another vocabulary.
ModelVerdict judge_rows(const SentenceGroup& group, bool is_added) {
  std::string text;
  for (const SentenceTensor* tensor : group) {
    text += fmt::format(
        "{}{} {} {} {}", text.empty() ? "" : ", ", std::abs(tensor->rows_added),
        std::abs(tensor->rows_added) == 1 ? "row" : "rows",
        is_added ? "added to" : "removed from", printable(tensor->name));
  }
  return {is_added ? ModelLabel::rows_added : ModelLabel::rows_removed,
          text + "; the rows that both have are the same"};
}

ModelVerdict judge_sparse(const SentenceGroup& group) {
  constexpr std::size_t kMostNamed = 4;
  std::uint64_t elements = 0;
  std::string places;
  std::size_t named = 0;
  for (const SentenceTensor* tensor : group) {
    elements += tensor->changed;
    if (group.size() > 1 && (tensor->where.empty() || named == kMostNamed)) {
      continue;
    }
    ++named;
    places += fmt::format(", {}{}{}", printable(tensor->name),
                          tensor->where.empty() ? "" : ": ", tensor->where);
  }
  return {ModelLabel::sparse,
          fmt::format("a few elements changed: {} in {}{}", elements,
                      plural(group.size(), "tensor"), places)};
}

std::string several_kinds(const std::map<TensorLabel, SentenceGroup>& kinds) {
  std::string text;
  for (const auto& [label, group] : kinds) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", group.size(),
                        to_string(label));
    if (group.size() == 1) {
      text += fmt::format(" ({})", printable(group.front()->name));
    }
  }
  return "changes of several kinds: " + text;
}

/// Every tensor changed in the same exact way.
std::optional<ModelVerdict> judge_exact(const SentenceGroup& changed) {
  const auto all = [&](auto is) {
    return std::all_of(
        changed.begin(), changed.end(),
        [&](const SentenceTensor* tensor) { return is(*tensor); });
  };
  const GroupPlaces places = places_of(changed);
  const std::string layers = layer_words(places.layers);
  const std::string where =
      joined(places.modules) + (layers.empty() ? "" : " of " + layers);
  if (all([](const SentenceTensor& t) { return !t.moved_from.empty(); })) {
    const SentenceTensor& first = *changed.front();
    return ModelVerdict{
        ModelLabel::exchanged,
        fmt::format("tensors changed places, {}: {} hold the bytes of others "
                    "({} those of {})",
                    layers, plural(changed.size(), "tensor"),
                    printable(first.name), printable(first.moved_from))};
  }
  if (all([](const SentenceTensor& t) {
        return t.pattern == Pattern::zeroed;
      })) {
    std::uint64_t elements = 0;
    double least = 1;
    double most = 0;
    std::set<std::string> structure;
    for (const SentenceTensor* tensor : changed) {
      elements += tensor->changed;
      least = std::min(least, tensor->share);
      most = std::max(most, tensor->share);
      structure.insert(tensor->structure.empty() ? "single numbers"
                                                 : tensor->structure);
    }
    const std::string share =
        changed.size() == 1
            ? percent(most)
            : fmt::format("{} to {} of each", percent(least), percent(most));
    return ModelVerdict{
        ModelLabel::pruned,
        fmt::format("pruned: {} numbers in {} were set to zero ({}; {}), {}",
                    elements, plural(changed.size(), "tensor"), share,
                    joined(structure), where)};
  }
  if (all([](const SentenceTensor& t) {
        return t.pattern == Pattern::scaled;
      })) {
    return ModelVerdict{ModelLabel::scaled,
                        fmt::format("multiplied by a number: {}, {}", where,
                                    plural(changed.size(), "tensor"))};
  }
  const auto is_reordered = [](const SentenceTensor& t) {
    return t.pattern == Pattern::rows_reordered ||
           t.pattern == Pattern::columns_reordered;
  };
  if (all([&](const SentenceTensor& t) {
        return is_reordered(t) && t.label == TensorLabel::sparse;
      })) {
    return ModelVerdict{
        ModelLabel::sparse,
        fmt::format("a few rows or columns changed places in {}", where)};
  }
  if (all([&](const SentenceTensor& t) {
        return is_reordered(t) || t.is_vector;
      }) &&
      std::any_of(changed.begin(), changed.end(),
                  [](const SentenceTensor* t) { return !t->is_vector; })) {
    return ModelVerdict{
        ModelLabel::reordered,
        fmt::format("rows or columns in another order: {}; not verified to "
                    "compute the same",
                    where)};
  }
  return std::nullopt;
}

/// Most of what changed is dense. In 16 bits a small fine-tune leaves most of a
/// norm as it was, and matrices of which little can be seen.
bool is_fine_tune(const SentenceGroup& changed) {
  std::size_t dense = 0;
  std::size_t faint = 0;
  std::size_t vectors = 0;
  std::size_t structured = 0;
  for (const SentenceTensor* tensor : changed) {
    constexpr std::array kPossible = {
        TensorLabel::dense,    TensorLabel::dense_low_rank,
        TensorLabel::sparse,   TensorLabel::rank_one,
        TensorLabel::low_rank, TensorLabel::unclassified};
    // Of a norm that moved by single units in the last place, a few numbers
    // may differ in single bits.
    const bool is_moved =
        tensor->label == TensorLabel::bit_flips && tensor->is_last_places;
    if (!is_moved && std::find(kPossible.begin(), kPossible.end(),
                               tensor->label) == kPossible.end()) {
      return false;
    }
    structured += !tensor->is_vector && tensor->spread <= kStructured ? 1U : 0U;
    if (tensor->is_vector) {
      ++vectors;
    } else if (tensor->is_faint) {
      ++faint;
    } else if (tensor->label == TensorLabel::dense ||
               tensor->label == TensorLabel::dense_low_rank) {
      ++dense;
    }
  }
  const std::size_t matrices = changed.size() - vectors;
  // Rounding hides what it is, and little shows a direction.
  if (2 * structured < matrices && faint == matrices) return false;
  // Adapters leave norms, biases and embeddings alone.
  const GroupPlaces places = places_of(changed);
  const bool is_beyond_adapters =
      dense > 0 || places.has_norm || places.has_embedding;
  return is_beyond_adapters && 2 * (dense + faint) >= matrices;
}

/// No matrix changed: norms or biases.
ModelVerdict judge_vectors(const SentenceGroup& changed, std::size_t total) {
  const GroupPlaces places = places_of(changed);
  const std::string layers = layer_words(places.layers);
  const bool all_norms = std::all_of(
      changed.begin(), changed.end(),
      [](const SentenceTensor* t) { return place_of(t->name).is_norm; });
  return {
      ModelLabel::dense,
      fmt::format("only vectors changed, no matrix: {}{}{}, {} of {} "
                  "tensors, relative change up to {:.3g}{}",
                  joined(places.modules), layers.empty() ? "" : " of ", layers,
                  changed.size(), total, largest_relative(changed),
                  all_norms ? ""
                            : "; a direction added to a bias steers what "
                              "the model says, and so does a trained bias")};
}

/// An adapter most of whose tensors end in a step, and some, whose last
/// components are below their rounding, do not: those make no claim of their
/// own.
std::optional<ModelVerdict> judge_fading(
    const SentenceGroup& changed, const std::vector<SentenceTensor>& tensors) {
  SentenceGroup low;
  std::size_t faded = 0;
  for (const SentenceTensor* tensor : changed) {
    const bool is_low = tensor->label == TensorLabel::rank_one ||
                        tensor->label == TensorLabel::low_rank;
    const bool is_faded =
        tensor->label == TensorLabel::unclassified && tensor->is_faint;
    if (!is_low && !is_faded) return std::nullopt;
    if (is_low) low.push_back(tensor);
    faded += is_faded ? 1U : 0U;
  }
  if (faded == 0 || 2 * low.size() < changed.size()) return std::nullopt;
  ModelVerdict verdict = judge_low_rank(low, tensors);
  // One edit, and something that nobody can tell: no verdict on the whole.
  if (low.size() < 2) return std::nullopt;
  verdict.sentence += fmt::format(
      "; of {} the last components are below rounding, their rank was not "
      "measured",
      plural(faded, "tensor"));
  return verdict;
}

/// Numbers that have nothing to do with the old ones: two independent matrices
/// of one size differ by √2 of it, and have a cosine of 0.
std::optional<ModelVerdict> judge_unrelated(const SentenceGroup& changed,
                                            std::size_t total) {
  constexpr double kFewestUnrelated = 0.9;
  constexpr double kMostCosine = 0.2;
  constexpr double kLeastRelative = 0.9;
  constexpr double kSameNorm = 2e-3;
  std::size_t matrices = 0;
  std::size_t unrelated = 0;
  std::size_t kept_norm = 0;
  double most_cosine = 0;
  for (const SentenceTensor* tensor : changed) {
    if (tensor->is_vector) continue;
    ++matrices;
    if (tensor->label == TensorLabel::new_values ||
        std::abs(tensor->cosine) > kMostCosine ||
        tensor->relative < kLeastRelative) {
      continue;
    }
    ++unrelated;
    most_cosine = std::max(most_cosine, std::abs(tensor->cosine));
    kept_norm += std::abs(tensor->norm_ratio - 1) <= kSameNorm ? 1U : 0U;
  }
  constexpr std::size_t kFewestMatrices = 3;
  if (unrelated < kFewestMatrices ||
      static_cast<double>(unrelated) <
          kFewestUnrelated * static_cast<double>(matrices)) {
    return std::nullopt;
  }
  const std::string scope = fmt::format(
      "{} of {} changed matrices (of {} tensors) have nothing in common with "
      "the old ones in their places, |cosine| up to {:.3g}, relative change up "
      "to {:.3g}",
      unrelated, matrices, total, most_cosine, largest_relative(changed));
  if (kept_norm == unrelated) {
    return ModelVerdict{
        ModelLabel::unclassified,
        fmt::format("rotated, permuted or exchanged, or another model: {}; but "
                    "each has the norm of the old one within 0.2 %, which "
                    "another training does not keep",
                    scope)};
  }
  return ModelVerdict{
      ModelLabel::another_model,
      fmt::format("another model, or one that was trained from the beginning: "
                  "{}; nothing of a fine-tune, an edit or a rounding was found",
                  scope)};
}

/// Every matrix is kept as codes that are not the nearest ones, and nothing
/// stands out of any.
std::optional<ModelVerdict> judge_packed(const SentenceGroup& changed,
                                         std::size_t total) {
  std::set<std::string> packed;
  std::size_t matrices = 0;
  double most = 0;
  for (const SentenceTensor* tensor : changed) {
    if (tensor->is_vector) continue;
    if (tensor->packed.empty() || !tensor->is_faint ||
        tensor->label != TensorLabel::unclassified) {
      return std::nullopt;
    }
    ++matrices;
    packed.insert(tensor->packed);
    most = std::max(most, tensor->grid_error);
  }
  if (matrices == 0) return std::nullopt;
  return ModelVerdict{
      ModelLabel::unclassified,
      fmt::format(
          "packed as {}: {} of {} tensors, relative change up to "
          "{:.3g}, {:.3g} times what rounding to the nearest codes "
          "makes, nothing stands out; quantisers that make up for "
          "errors (GPTQ) or scale columns (AWQ) do so, and a change as "
          "small looks the same: not cleared{}",
          joined(packed), matrices, total, largest_relative(changed), most,
          matrices < changed.size() ? "; norms or biases changed too" : "")};
}

ModelVerdict judge_changed(const std::vector<SentenceTensor>& tensors) {
  std::map<TensorLabel, SentenceGroup> kinds;
  SentenceGroup changed;
  for (const SentenceTensor& tensor : tensors) {
    if (tensor.label == TensorLabel::identical) continue;
    kinds[tensor.label].push_back(&tensor);
    changed.push_back(&tensor);
  }
  const auto only = [&](std::initializer_list<TensorLabel> labels) {
    return std::all_of(kinds.begin(), kinds.end(), [&](const auto& kind) {
      return std::find(labels.begin(), labels.end(), kind.first) !=
             labels.end();
    });
  };
  if (changed.empty())
    return {ModelLabel::identical, "every tensor is identical"};
  const std::size_t total = tensors.size();
  if (only({TensorLabel::rank_one, TensorLabel::low_rank}))
    return judge_low_rank(changed, tensors);
  if (only({TensorLabel::cast})) return judge_rounding(changed, total, false);
  // Formats keep their norms in a float type beside quantised matrices.
  if (only({TensorLabel::quantised, TensorLabel::cast})) {
    return judge_rounding(kinds[TensorLabel::quantised], total, true);
  }
  if (only({TensorLabel::rows_added})) return judge_rows(changed, true);
  if (only({TensorLabel::rows_removed})) return judge_rows(changed, false);
  if (only({TensorLabel::bit_flips})) return judge_flips(changed);
  if (only({TensorLabel::lsb_payload})) return judge_payload(changed);
  if (std::optional<ModelVerdict> exact = judge_exact(changed)) return *exact;
  if (std::optional<ModelVerdict> codes = judge_packed(changed, total)) {
    return *codes;
  }
  if (std::optional<ModelVerdict> other = judge_unrelated(changed, total)) {
    return *other;
  }
  if (only({TensorLabel::sparse})) return judge_sparse(changed);
  if (only({TensorLabel::new_values})) {
    return {ModelLabel::new_values,
            fmt::format("NaN or infinities introduced in {}",
                        plural(changed.size(), "tensor"))};
  }
  if (is_fine_tune(changed)) return judge_dense(changed, tensors);
  std::erase_if(kinds, [](const auto& kind) { return kind.second.empty(); });
  const bool has_matrix =
      std::any_of(changed.begin(), changed.end(),
                  [](const SentenceTensor* t) { return !t->is_vector; });
  if (!has_matrix) return judge_vectors(changed, total);
  if (std::optional<ModelVerdict> adapter = judge_fading(changed, tensors)) {
    return *adapter;
  }
  const bool is_faint = std::all_of(
      changed.begin(), changed.end(),
      [](const SentenceTensor* t) { return t->is_faint || t->is_vector; });
  if (is_faint) {
    return {ModelLabel::unclassified,
            fmt::format("too small for its type to say what it was, an "
                        "adapter, a fine-tune or noise: {} of {} tensors, "
                        "relative change up "
                        "to {:.3g}",
                        changed.size(), total, largest_relative(changed))};
  }
  if (kinds.size() == 1) {
    return {model_label_of(kinds.begin()->first),
            fmt::format("{}: {}", plural(changed.size(), "tensor"),
                        to_string(kinds.begin()->first))};
  }
  return {ModelLabel::mixed, several_kinds(kinds)};
}

/// Rows that were added beside another change are said beside it.
ModelVerdict judge_beside_rows(const std::vector<SentenceTensor>& tensors) {
  const auto is_rows = [](const SentenceTensor& tensor) {
    return tensor.label == TensorLabel::rows_added ||
           tensor.label == TensorLabel::rows_removed;
  };
  std::vector<SentenceTensor> others = tensors;
  std::string rows;
  bool has_other = false;
  for (SentenceTensor& tensor : others) {
    if (tensor.rows_added != 0) {
      rows += fmt::format("{}{:+} rows of {}", rows.empty() ? "" : ", ",
                          tensor.rows_added, printable(tensor.name));
    }
    if (is_rows(tensor)) {
      tensor.label = TensorLabel::identical;
    } else {
      has_other = has_other || tensor.label != TensorLabel::identical;
    }
  }
  if (rows.empty() || !has_other) return judge_changed(tensors);
  ModelVerdict verdict = judge_changed(others);
  verdict.sentence += "; besides, " + rows;
  return verdict;
}

}  // namespace

GroupPlaces places_of(const SentenceGroup& group) {
  GroupPlaces places;
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

double largest_relative(const SentenceGroup& group) {
  double most = 0;
  for (const SentenceTensor* tensor : group) {
    most = std::max(most, tensor->relative);
  }
  return most;
}

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
  ModelVerdict verdict = judge_beside_rows(tensors);
  if (std::any_of(tensors.begin(), tensors.end(), [](const SentenceTensor& t) {
        return t.has_new_values && t.label != TensorLabel::new_values;
      })) {
    verdict.sentence += "; NaN or infinities are new";
  }
  if (added + removed > 0) {
    if (verdict.label == ModelLabel::identical) {
      verdict.label = ModelLabel::tensors_added_or_removed;
      verdict.sentence = tensors.empty() ? "no tensor is on both sides"
                                         : "every common tensor is identical";
    }
    verdict.sentence +=
        fmt::format("; {} added, {} removed", plural(added, "tensor"), removed);
  }
  return verdict;
}

}  // namespace impound
