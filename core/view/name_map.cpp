// SPDX-License-Identifier: Apache-2.0
#include "core/view/name_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Words at the front of a name that say who wraps the model, not what it is.
constexpr std::array<std::string_view, 14> kWrappers = {
    "state_dict",  "model_state_dict", "model",
    "module",      "_orig_mod",        "base_model",
    "transformer", "text_model",       "gpt_neox",
    "bert",        "roberta",          "distilbert",
    "electra",     "language_model"};

/// One tensor under GGUF's name and under those of three families.
struct GgufName {
  std::string_view gguf;
  std::string_view llama;  ///< Llama, Mistral, Qwen2, Qwen3, Phi-3
  std::string_view gptj;
  std::string_view gpt2;
};

constexpr std::array kWhole = {
    GgufName{"token_embd", "embed_tokens", "wte", ""},
    GgufName{"position_embd", "", "", "wpe"},
    GgufName{"output_norm", "norm", "ln_f", ""},
    GgufName{"output", "lm_head", "", ""},
};

/// Within "blk.N."; "layers.N." for Llama and "h.N." for the others.
constexpr std::array kBlock = {
    GgufName{"attn_norm", "input_layernorm", "ln_1", ""},
    GgufName{"attn_q", "self_attn.q_proj", "attn.q_proj", ""},
    GgufName{"attn_k", "self_attn.k_proj", "attn.k_proj", ""},
    GgufName{"attn_v", "self_attn.v_proj", "attn.v_proj", ""},
    GgufName{"attn_q_norm", "self_attn.q_norm", "", ""},
    GgufName{"attn_k_norm", "self_attn.k_norm", "", ""},
    GgufName{"attn_qkv", "self_attn.qkv_proj", "", "attn.c_attn"},
    GgufName{"attn_output", "self_attn.o_proj", "attn.out_proj", "attn.c_proj"},
    GgufName{"ffn_norm", "post_attention_layernorm", "", "ln_2"},
    GgufName{"ffn_gate", "mlp.gate_proj", "", ""},
    GgufName{"ffn_up", "mlp.up_proj", "mlp.fc_in", "mlp.c_fc"},
    GgufName{"ffn_down", "mlp.down_proj", "mlp.fc_out", "mlp.c_proj"},
};

/// Architectures whose converter reorders q and k (undo_permute).
constexpr std::array<std::string_view, 8> kPermuted = {
    "llama", "mistral", "granite", "granitemoe",
    "deci",  "minicpm", "arctic",  "olmo"};

bool is_in(std::string_view word, const auto& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// "weight" or "bias" behind the last dot.
std::pair<std::string_view, std::string_view> split_part(
    std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

void add_names(const GgufName& row, std::string_view layer,
               std::string_view part, std::vector<std::string>& names) {
  const auto add = [&](std::string_view block, std::string_view name) {
    if (name.empty()) return;
    names.push_back(layer.empty()
                        ? fmt::format("{}.{}", name, part)
                        : fmt::format("{}.{}.{}.{}", block, layer, name, part));
  };
  add("layers", row.llama);
  add("h", row.gptj);
  add("h", row.gpt2);
}

std::string_view text_of(const ModelView& view, std::string_view key) {
  const ViewMetadata* const text = view.find_metadata(key);
  return text == nullptr ? std::string_view() : text->value;
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end ? number : 0;
}

/// config.json of the other side, for a GGUF file without head counts.
Json config_of(const ModelView& view) {
  const ViewFile* const file = view.find_file("config.json");
  if (view.tree == nullptr || file == nullptr ||
      file->size > limits::kMaxSmallFile) {
    return nullptr;
  }
  try {
    const Bytes bytes = view.open("config.json")->head(0, file->size);
    return parse_json(as_text(bytes), "config.json");
  } catch (const Error&) {
    return nullptr;  // explain_files() says what is wrong with it
  }
}

struct HeadCounts {
  std::uint64_t query = 0;
  std::uint64_t key = 0;
};

HeadCounts head_counts(const ModelView& gguf, const ModelView& other) {
  const std::string arch(text_of(gguf, "general.architecture"));
  HeadCounts heads;
  heads.query = number_of(text_of(gguf, arch + ".attention.head_count"));
  heads.key = number_of(text_of(gguf, arch + ".attention.head_count_kv"));
  if (heads.query == 0) {
    const Json config = config_of(other);
    const auto count = [&](const char* key) -> std::uint64_t {
      if (!config.is_object()) return 0;
      const auto found = config.find(key);
      return found != config.end() && found->is_number_unsigned()
                 ? found->get<std::uint64_t>()
                 : 0;
    };
    heads.query = count("num_attention_heads");
    heads.key = count("num_key_value_heads");
  }
  if (heads.key == 0) heads.key = heads.query;
  return heads;
}

bool is_gguf_view(const ModelView& view) {
  return view.find_metadata("general.architecture") != nullptr ||
         std::any_of(view.tensors.begin(), view.tensors.end(),
                     [](const ViewTensor& tensor) {
                       return tensor.name.starts_with("blk.");
                     });
}

/// Bearers of each core name.
using ByCore = std::map<std::string, std::vector<const ViewTensor*>>;

ByCore by_core(const std::vector<const ViewTensor*>& tensors) {
  ByCore map;
  for (const ViewTensor* tensor : tensors) {
    map[core_name(tensor->name)].push_back(tensor);
  }
  return map;
}

class Matching {
 public:
  Matching(const ModelView& before, const ModelView& after)
      : before_(before), after_(after) {}

  std::vector<TensorMatch> run(const std::vector<const ViewTensor*>& old,
                               const std::vector<const ViewTensor*>& now) {
    const bool is_old_gguf = is_gguf_view(before_);
    const bool is_new_gguf = is_gguf_view(after_);
    const ByCore old_cores = by_core(old);
    const ByCore new_cores = by_core(now);
    for (const auto& [core, bearers] : new_cores) {
      const auto twin = old_cores.find(core);
      if (twin != old_cores.end() && twin->second.size() == 1 &&
          bearers.size() == 1) {
        add(twin->second[0], bearers[0], std::nullopt);
      }
    }
    if (is_new_gguf && !is_old_gguf) {
      by_gguf_names(now, old_cores, TensorReorder::Side::after);
    } else if (is_old_gguf && !is_new_gguf) {
      by_gguf_names(old, new_cores, TensorReorder::Side::before);
    }
    tie(old, now);
    return std::move(matches_);
  }

 private:
  void by_gguf_names(const std::vector<const ViewTensor*>& gguf,
                     const ByCore& others, TensorReorder::Side side) {
    const bool is_after = side == TensorReorder::Side::after;
    const ModelView& view = is_after ? after_ : before_;
    const HeadCounts heads = head_counts(view, is_after ? before_ : after_);
    const bool is_permuted =
        is_in(text_of(view, "general.architecture"), kPermuted);
    for (const ViewTensor* tensor : gguf) {
      for (const std::string& name : names_for_gguf(tensor->name)) {
        const auto twin = others.find(name);
        if (twin == others.end() || twin->second.size() != 1) continue;
        const ViewTensor* const other = twin->second[0];
        std::optional<TensorReorder> reorder;
        const std::string_view stem = split_part(tensor->name).first;
        const bool is_query = stem.ends_with(".attn_q");
        const std::uint64_t count = is_query ? heads.query : heads.key;
        if ((is_query || stem.ends_with(".attn_k")) && is_permuted &&
            count > 0) {
          reorder = {
              .kind = TensorReorder::Kind::heads, .side = side, .heads = count};
        } else if (other->name.find(".c_") != std::string::npos &&
                   other->shape.size() == 2) {
          reorder = {.kind = TensorReorder::Kind::transpose,
                     .side = is_after ? TensorReorder::Side::before
                                      : TensorReorder::Side::after};
        }
        if (is_after) {
          add(other, tensor, reorder);
        } else {
          add(tensor, other, reorder);
        }
        break;
      }
    }
  }

  /// An output matrix that only one side keeps, with the bytes of its own
  /// embedding: the other side's embedding is its twin.
  void tie(const std::vector<const ViewTensor*>& old,
           const std::vector<const ViewTensor*>& now) {
    const auto find_tied = [&](const ModelView& own, const ModelView& other,
                               const std::vector<const ViewTensor*>& left)
        -> std::pair<const ViewTensor*, const ViewTensor*> {
      for (const ViewTensor* output : left) {
        const std::string core = core_name(output->name);
        if (core != "lm_head.weight" && core != "output.weight" &&
            core != "embed_out.weight") {
          continue;
        }
        if (used_.contains(output)) continue;
        const ViewTensor* const mine = embedding(own);
        const ViewTensor* const theirs = embedding(other);
        if (mine != nullptr && theirs != nullptr &&
            same_bytes(*mine, *output) == SameBytes::yes) {
          return {output, theirs};
        }
      }
      return {nullptr, nullptr};
    };
    if (const auto [output, twin] = find_tied(after_, before_, now); output) {
      matches_.push_back({twin, output, std::nullopt, true});
    }
    if (const auto [output, twin] = find_tied(before_, after_, old); output) {
      matches_.push_back({output, twin, std::nullopt, true});
    }
  }

  static const ViewTensor* embedding(const ModelView& view) {
    constexpr std::array<std::string_view, 4> kNames = {
        "embed_tokens.weight", "wte.weight", "token_embd.weight",
        "embeddings.word_embeddings.weight"};
    const auto found = std::find_if(
        view.tensors.begin(), view.tensors.end(),
        [&](const ViewTensor& t) { return is_in(core_name(t.name), kNames); });
    return found == view.tensors.end() ? nullptr : &*found;
  }

  void add(const ViewTensor* before, const ViewTensor* after,
           const std::optional<TensorReorder>& reorder) {
    const auto one = element_count(before->shape);
    const auto two = element_count(after->shape);
    if (!one || one != two || used_.contains(before) || used_.contains(after)) {
      return;
    }
    used_.insert(before);
    used_.insert(after);
    matches_.push_back({before, after, reorder, false});
  }

  const ModelView& before_;
  const ModelView& after_;
  std::vector<TensorMatch> matches_;
  std::set<const ViewTensor*> used_;
};

}  // namespace

std::string TensorReorder::words() const {
  switch (kind) {
    case Kind::heads:
      return fmt::format(
          "rows of {} heads put back into the order of Hugging Face", heads);
    case Kind::transpose:
      return "rows and columns swapped";
  }
  return {};
}

std::optional<StridedLayout> reorder_layout(const ViewTensor& tensor,
                                            const TensorReorder& reorder) {
  if (tensor.shape.empty() || tensor.shape[0] == 0 || tensor.size == 0) {
    return std::nullopt;
  }
  const std::uint64_t rows = tensor.shape[0];
  if (reorder.kind == TensorReorder::Kind::heads) {
    if (reorder.heads == 0 || rows % reorder.heads != 0 ||
        rows / reorder.heads % 2 != 0 || tensor.size % rows != 0) {
      return std::nullopt;
    }
    const std::uint64_t dimension = rows / reorder.heads;
    return StridedLayout{.item = tensor.size / rows,
                         .shape = {reorder.heads, 2, dimension / 2},
                         .strides = {dimension, 1, 2},
                         .swap = 0};
  }
  const DtypeTraits& type = traits(tensor.dtype);
  if (tensor.shape.size() != 2 || type.block_elements != 1 ||
      type.block_bits % 8 != 0 || type.block_bits == 0) {
    return std::nullopt;
  }
  return StridedLayout{.item = type.block_bits / 8U,
                       .shape = {tensor.shape[1], rows},
                       .strides = {1, tensor.shape[1]},
                       .swap = 0};
}

std::string core_name(std::string_view name) {
  for (;;) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos ||
        name.find('.', dot + 1) == std::string_view::npos ||
        !is_in(name.substr(0, dot), kWrappers)) {
      break;
    }
    name.remove_prefix(dot + 1);
  }
  std::string core(name);
  for (const std::string_view inside : {".base_layer", "._orig_mod"}) {
    const std::size_t at = core.find(inside);
    if (at != std::string::npos) core.erase(at, inside.size());
  }
  return core;
}

std::vector<std::string> names_for_gguf(std::string_view name) {
  std::vector<std::string> names;
  auto [stem, part] = split_part(name);
  std::string_view layer;
  constexpr std::string_view kBlockPrefix = "blk.";
  if (stem.starts_with(kBlockPrefix)) {
    stem.remove_prefix(kBlockPrefix.size());
    const std::size_t dot = stem.find('.');
    if (dot == std::string_view::npos) return names;
    layer = stem.substr(0, dot);
    stem.remove_prefix(dot + 1);
  }
  const auto look = [&](const auto& table) {
    for (const GgufName& row : table) {
      if (row.gguf == stem) add_names(row, layer, part, names);
    }
  };
  if (layer.empty()) {
    look(kWhole);
  } else {
    look(kBlock);
  }
  return names;
}

std::vector<TensorMatch> match_names(
    const ModelView& before, const ModelView& after,
    const std::vector<const ViewTensor*>& left_before,
    const std::vector<const ViewTensor*>& left_after) {
  return Matching(before, after).run(left_before, left_after);
}

}  // namespace impound
