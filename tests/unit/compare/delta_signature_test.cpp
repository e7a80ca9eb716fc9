// SPDX-License-Identifier: Apache-2.0
// Whole models: what the sentence says, what is saved, what it costs to stop.
#include "core/compare/delta/delta_signature.hpp"

#include <bit>
#include <map>

#include "core/compare/delta/delta_label.hpp"
#include "core/compare/delta/heat_map.hpp"
#include "core/compare/delta/model_sentence.hpp"
#include "core/formats/numpy/numpy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

constexpr std::size_t kLayers = 4;

/// A transformer's weights, by tensor name.
using Model = std::map<std::string, Floats>;

Made made_for(const std::string& name) {
  Made made;
  const bool is_vector = name.find("norm") != std::string::npos ||
                         name.find("bias") != std::string::npos;
  made.rows = is_vector ? 1 : 64;
  made.columns = 96;
  return made;
}

Model make_model() {
  std::vector<std::string> names = {"model.embed_tokens.weight"};
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    for (const char* module :
         {"self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj",
          "mlp.down_proj", "input_layernorm"}) {
      names.push_back(prefix + module + ".weight");
    }
  }
  Model model;
  unsigned seed = 10;
  for (const std::string& name : names) {
    model[name] = made_for(name).weights(seed++);
  }
  return model;
}

/// Applies `edit` to the tensors whose name has `part` in it.
template <typename Edit>
Model edited(Model model, const std::vector<std::string>& parts, Edit edit) {
  unsigned seed = 500;
  for (auto& [name, weights] : model) {
    for (const std::string& part : parts) {
      if (name.find(part) == std::string::npos) continue;
      weights = edit(made_for(name), weights, seed++);
      break;
    }
  }
  return model;
}

MemoryTree tree_of(const Model& model) {
  SafetensorsBuilder builder;
  for (const auto& [name, weights] : model) {
    const Made made = made_for(name);
    const Bytes bytes = encode(Dtype::f32, weights);
    builder.tensor(name, Dtype::f32,
                   made.rows == 1 ? std::vector<std::uint64_t>{made.columns}
                                  : made.shape(),
                   as_text(bytes));
  }
  return MemoryTree(MemoryTree::Files{{"model.safetensors", builder.build()}});
}

ModelDiff explain(const Tree& before, const Tree& after,
                  const ExplainOptions& options = {}) {
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView one = view_tree(before, {}, progress, cancellation);
  const ModelView two = view_tree(after, {}, progress, cancellation);
  ModelDiff diff = diff_models(one, two);
  explain_changes(diff, one, two, options, progress, cancellation);
  return diff;
}

ModelDiff explain(const Model& before, const Model& after,
                  const ExplainOptions& options = {}) {
  return explain(tree_of(before), tree_of(after), options);
}

Floats rank_edit(std::size_t rank, const Made& made, const Floats& w,
                 unsigned seed) {
  return made.add_rank(w, rank, 0.05, seed);
}

TEST_CASE("one edited down-projection is ROME-like", "[compare][delta]") {
  const Model model = make_model();
  const Model after =
      edited(model, {"layers.2.mlp.down_proj"},
             [](const Made& made, const Floats& w, unsigned seed) {
               return rank_edit(1, made, w, seed);
             });
  const ModelDiff diff = explain(model, after);
  INFO(diff.sentence);
  CHECK(diff.label == "rome-like");
  CHECK(
      diff.sentence.starts_with("ROME-like edit of one MLP down-projection: "
                                "model.layers.2.mlp.down_proj.weight"));
  const Json json = diff.to_json();
  CHECK(json["model"]["label"] == "rome-like");
  CHECK(json["model"]["sentence"] == diff.sentence);
  std::size_t edits = 0;
  for (const Json& tensor : json["tensors"]) {
    if (tensor["status"] == "identical") {
      CHECK(tensor["label"] == "identical");
      continue;
    }
    ++edits;
    CHECK(tensor["label"] == "rank-one");
    const Json& stats = tensor["stats"];
    CHECK(stats["n"] == 64 * 96);
    CHECK(stats["rel"].get<double>() == Approx(0.05).epsilon(0.01));
    CHECK(stats["sigma"].size() == 8);
    CHECK(stats["energy_1"].get<double>() > 0.999);
    CHECK(stats["rank"] == 1);
  }
  CHECK(edits == 1);
  const std::string text = diff.to_text();
  CHECK(text.find("ROME-like") != std::string::npos);
  CHECK(text.find("σ1²/F²") != std::string::npos);
}

TEST_CASE("edits of neighbouring layers are MEMIT-like", "[compare][delta]") {
  const Model model = make_model();
  const Model after =
      edited(model, {"layers.1.mlp.down_proj", "layers.2.mlp.down_proj"},
             [](const Made& made, const Floats& w, unsigned seed) {
               return rank_edit(5, made, w, seed);
             });
  const ModelDiff diff = explain(model, after);
  INFO(diff.sentence);
  CHECK(diff.label == "memit-like");
  CHECK(diff.sentence.find("layers 1–2: rank 5") != std::string::npos);
}

TEST_CASE("a merged adapter is named with rank and modules",
          "[compare][delta]") {
  const Model model = make_model();
  const Model after =
      edited(model, {"q_proj", "v_proj"},
             [](const Made& made, const Floats& w, unsigned seed) {
               return rank_edit(8, made, w, seed);
             });
  const ModelDiff diff = explain(model, after);
  INFO(diff.sentence);
  CHECK(diff.label == "lora-merge");
  CHECK(diff.sentence.starts_with(
      "LoRA merge, rank 8, on q_proj, v_proj of all layers"));
}

TEST_CASE("everything changed is a fine-tune; with an edit in it, it says so",
          "[compare][delta]") {
  const Model model = make_model();
  const auto tune = [](const Made& made, const Floats& w, unsigned seed) {
    return made.add_training(w, 0.02, seed);
  };
  const Model tuned = edited(model, {""}, tune);
  const ModelDiff diff = explain(model, tuned);
  INFO(diff.sentence);
  CHECK(diff.label == "fine-tune");
  CHECK(diff.sentence.find("norms too, embeddings too") != std::string::npos);

  const Model hidden =
      edited(tuned, {"layers.2.mlp.down_proj"},
             [](const Made& made, const Floats& w, unsigned seed) {
               return rank_edit(1, made, w, seed);
             });
  const ModelDiff mixed = explain(model, hidden);
  INFO(mixed.sentence);
  CHECK(mixed.label == "fine-tune+low-rank");

  const ModelDiff part =
      explain(model, edited(model, {"layers.3.mlp.up_proj"}, tune));
  INFO(part.sentence);
  CHECK(part.label == "partial-fine-tune");
}

TEST_CASE("noise is no training: it has no direction", "[compare][delta]") {
  const Model model = make_model();
  const ModelDiff diff = explain(
      model,
      edited(model, {""}, [](const Made& made, const Floats& w, unsigned seed) {
        return made.add_noise(w, 0.02, seed);
      }));
  INFO(diff.sentence);
  CHECK(diff.label == "noise");
}

TEST_CASE("changes that are exactly one thing are called by it",
          "[compare][delta]") {
  const Model model = make_model();
  const auto label_of = [&](const char* where, auto change) {
    const ModelDiff diff = explain(model, edited(model, {where}, change));
    INFO(diff.sentence);
    return diff.label;
  };
  CHECK(label_of("proj", [](const Made&, Floats w, unsigned) {
          for (float& each : w) each = std::abs(each) < 0.01F ? 0 : each;
          return w;
        }) == "pruned");
  CHECK(label_of("layers.1.mlp", [](const Made&, Floats w, unsigned) {
          for (float& each : w) each *= 1.1F;
          return w;
        }) == "scaled");
  CHECK(label_of("layers.1.mlp.up_proj",
                 [](const Made& made, Floats w, unsigned) {
                   const auto row = static_cast<std::ptrdiff_t>(made.columns);
                   std::rotate(w.begin(), w.begin() + 5 * row, w.end());
                   return w;
                 }) == "reordered");
}

TEST_CASE("one direction taken out of all that writes it is no adapter",
          "[compare][delta]") {
  const Model model = make_model();
  const ModelDiff diff = explain(
      model,
      edited(model, {"down_proj"}, [](const Made& made, Floats w, unsigned) {
        const Floats r = normal_numbers(made.rows, 1, 77);
        const double squares = norm_of(r) * norm_of(r);
        for (std::size_t j = 0; j < made.columns; ++j) {
          double dot = 0;
          for (std::size_t i = 0; i < made.rows; ++i) {
            dot += static_cast<double>(r[i]) * w[i * made.columns + j];
          }
          for (std::size_t i = 0; i < made.rows; ++i) {
            w[i * made.columns + j] -= static_cast<float>(dot / squares * r[i]);
          }
        }
        return w;
      }));
  INFO(diff.sentence);
  CHECK(diff.label == "direction-removed");
}

TEST_CASE("rounding a model is a cast; what was edited besides is said first",
          "[compare][delta]") {
  const Model model = make_model();
  const auto round = [](const Made&, const Floats& w, unsigned) {
    Floats rounded(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      rounded[i] = round_through(Dtype::bf16, w[i]);
    }
    return rounded;
  };
  const Model rounded = edited(model, {""}, round);
  const ModelDiff diff = explain(model, rounded);
  CHECK(diff.label == "cast");
  CHECK(diff.sentence.starts_with("cast through BF16: 21 of 21 tensors"));

  const Model both = edited(
      rounded, {"layers.0.mlp.down_proj"},
      [&](const Made& made, const Floats&, unsigned seed) {
        return rank_edit(1, made,
                         model.at("model.layers.0.mlp.down_proj.weight"), seed);
      });
  const ModelDiff mixed = explain(model, both);
  INFO(mixed.sentence);
  CHECK(mixed.label == "rome-like");
  CHECK(mixed.sentence.find("besides, 20 tensors were only converted") !=
        std::string::npos);
}

TEST_CASE("another training is another model, no fine-tune",
          "[compare][delta]") {
  const Model model = make_model();
  const ModelDiff diff = explain(
      model,
      edited(model, {""}, [](const Made& made, const Floats&, unsigned seed) {
        return made.weights(seed + 77);
      }));
  INFO(diff.sentence);
  CHECK(diff.label == "another-model");
  // The same numbers, turned: their norms stay.
  const ModelDiff turned = explain(
      model, edited(model, {"proj"}, [](const Made& made, Floats w, unsigned) {
        for (std::size_t at = 0; at < w.size(); at += made.columns) {
          // Reflections: rows are mirrored, and every second number's sign.
          std::reverse(
              w.begin() + static_cast<std::ptrdiff_t>(at),
              w.begin() + static_cast<std::ptrdiff_t>(at + made.columns));
          for (std::size_t j = 0; j < made.columns; j += 2) w[at + j] *= -1;
        }
        return w;
      }));
  INFO(turned.sentence);
  CHECK(turned.label == "unclassified");
  CHECK(turned.sentence.starts_with("rotated, permuted or exchanged"));
}

TEST_CASE("a vector alone is no small change of a matrix", "[compare][delta]") {
  const std::string bias = "model.layers.2.self_attn.q_proj.bias";
  Model model = make_model();
  model[bias] = made_for(bias).weights(3);
  const ModelDiff diff = explain(
      model, edited(model, {bias},
                    [](const Made& made, const Floats& w, unsigned seed) {
                      return made.add_noise(w, 0.1, seed);
                    }));
  INFO(diff.sentence);
  CHECK(diff.label == "dense");
  CHECK(diff.sentence.starts_with("only vectors changed, no matrix"));
  CHECK(diff.sentence.find("too small") == std::string::npos);
}

TEST_CASE("a fine-tune of which norms moved by single units is a fine-tune",
          "[compare][delta]") {
  const Model model = make_model();
  Model after = edited(model, {"proj", "embed"},
                       [](const Made& made, const Floats& w, unsigned seed) {
                         return made.add_training(w, 0.02, seed);
                       });
  for (auto& [name, weights] : after) {
    if (name.find("norm") == std::string::npos) continue;
    for (const std::size_t at : {3U, 40U}) {
      auto bits = std::bit_cast<std::uint32_t>(weights[at]);
      weights[at] = std::bit_cast<float>(bits ^ 2U);
    }
  }
  const ModelDiff diff = explain(model, after);
  INFO(diff.sentence);
  CHECK(diff.label == "fine-tune");
}

/// Two matrices over a vocabulary, of so many rows of 96, and a tokenizer.
MemoryTree vocabulary_tree(const Floats& embedding, const std::string& tokens) {
  const Bytes bytes = encode(Dtype::f32, embedding);
  return MemoryTree(MemoryTree::Files{
      {"model.safetensors",
       SafetensorsBuilder()
           .tensor("model.embed_tokens.weight", Dtype::f32,
                   {embedding.size() / 96, 96}, as_text(bytes))
           .build()},
      {"tokenizer.json", tokens}});
}

TEST_CASE("a grown vocabulary is added rows", "[compare][delta]") {
  const Floats old = Made{200, 96}.weights();
  Floats grown = old;
  const Floats more = Made{3, 96}.weights(9);
  grown.insert(grown.end(), more.begin(), more.end());
  const ModelDiff diff =
      explain(vocabulary_tree(old, "{}"), vocabulary_tree(grown, "{}"));
  INFO(diff.sentence);
  CHECK(diff.label == "rows-added");
  CHECK(diff.sentence.starts_with("3 rows added to model.embed_tokens.weight"));
  const Json json = diff.to_json()["tensors"][0];
  CHECK(json["label"] == "rows-added");
  CHECK(json["stats"]["rows_added"] == 3);
  // One of the old rows was changed besides: that is what is said.
  grown[5 * 96 + 1] = 4;
  const ModelDiff changed =
      explain(vocabulary_tree(old, "{}"), vocabulary_tree(grown, "{}"));
  INFO(changed.sentence);
  CHECK(changed.label == "sparse");
  CHECK(changed.sentence.find("row 5") != std::string::npos);
  CHECK(explain(vocabulary_tree(grown, "{}"), vocabulary_tree(old, "{}"))
            .to_json()["tensors"][0]["stats"]["rows_added"] == -3);
}

TEST_CASE("a row of an embedding is named with its token", "[compare][delta]") {
  const Floats old = Made{200, 96}.weights();
  Floats now = old;
  for (std::size_t j = 0; j < 96; ++j) now[17 * 96 + j] *= -1.5F;
  const std::string tokens =
      R"({"model":{"vocab":{"hello":16,"Paris":17}},"added_tokens":[]})";
  const ModelDiff diff =
      explain(vocabulary_tree(old, tokens), vocabulary_tree(now, tokens));
  INFO(diff.sentence);
  CHECK(diff.label == "sparse");
  CHECK(diff.sentence.find("row 17 (times -1.5), token \"Paris\"") !=
        std::string::npos);
  CHECK(diff.to_json()["tensors"][0]["stats"]["tokens"][0]["token"] == "Paris");
  const ModelDiff without =
      explain(vocabulary_tree(old, "{}"), vocabulary_tree(now, "{}"));
  CHECK(without.sentence.find("token \"") == std::string::npos);
}

TEST_CASE("an edit's vectors are saved under safe names", "[compare][delta]") {
  const Model before = {{"../../etc/down_proj", Made{64, 96}.weights()}};
  Model after = before;
  for (auto& [name, weights] : after) {
    weights = rank_edit(1, Made{64, 96}, weights, 7);
  }
  std::map<std::string, Bytes> saved;
  ExplainOptions options;
  options.save = [&](const std::string& name, ByteView bytes) {
    saved[name] = Bytes(bytes.begin(), bytes.end());
  };
  const ModelDiff diff = explain(before, after, options);
  REQUIRE(saved.size() == 3);
  for (const auto& [name, bytes] : saved) {
    CHECK(name.find('/') == std::string::npos);
    CHECK(name.front() != '.');
    const SpanSource source(bytes);
    CHECK(read_numpy(source).is_understood);
  }
  CHECK(diff.to_json()["tensors"][0]["stats"]["saved"].size() == 3);

  // σ1·u·vᵀ is the edit.
  const auto array = [&](const std::string& ending) {
    for (const auto& [name, bytes] : saved) {
      if (!name.ends_with(ending)) continue;
      const SpanSource source(bytes);
      const NumpyArray header = read_numpy(source);
      Floats numbers(header.info.size / 4);
      decode_floats(Dtype::f32, ByteView(bytes).subspan(header.info.offset),
                    numbers);
      return numbers;
    }
    return Floats();
  };
  const Floats sigma = array(".sigma.npy");
  const Floats left = array(".left.npy");
  const Floats right = array(".right.npy");
  REQUIRE(left.size() == 64);
  REQUIRE(right.size() == 96);
  const Floats& a = before.begin()->second;
  const Floats& b = after.begin()->second;
  Floats rest(a.size());
  for (std::size_t i = 0; i < 64; ++i) {
    for (std::size_t j = 0; j < 96; ++j) {
      const std::size_t at = i * 96 + j;
      rest[at] = b[at] - a[at] - sigma[0] * left[i] * right[j];
    }
  }
  CHECK(norm_of(rest) < 1e-3 * static_cast<double>(sigma[0]));
}

TEST_CASE("a payload of a whole model is saved", "[compare][delta]") {
  const Floats w = Made{64, 96}.weights();
  Bytes hidden = encode(Dtype::f32, w);
  const Bytes payload = random_bytes(64 * 96, 4);
  hide(hidden, 4, 0, 8, payload);
  const auto tree = [](const Bytes& bytes) {
    return MemoryTree(MemoryTree::Files{
        {"m.safetensors", SafetensorsBuilder()
                              .tensor("w", Dtype::f32, {64, 96}, as_text(bytes))
                              .build()}});
  };
  Bytes saved;
  ExplainOptions options;
  options.save = [&](const std::string& name, ByteView bytes) {
    CHECK(name == "00000-w.payload.bin");
    saved.assign(bytes.begin(), bytes.end());
  };
  const ModelDiff diff =
      explain(tree(encode(Dtype::f32, w)), tree(hidden), options);
  CHECK(diff.label == "lsb-payload");
  REQUIRE(saved.size() > payload.size() - 16);
  CHECK(std::equal(saved.begin(), saved.end(), payload.begin()));
}

TEST_CASE("without the bytes there are no numbers; told to stop, it says so",
          "[compare][delta]") {
  const Model model = make_model();
  const Model after = edited(model, {"layers.0.mlp.down_proj"},
                             [](const Made& made, const Floats& w, unsigned s) {
                               return rank_edit(1, made, w, s);
                             });
  const MemoryTree one = tree_of(model);
  const MemoryTree two = tree_of(after);
  SilentProgress progress;
  Cancellation cancellation;
  ModelView before = view_tree(one, {}, progress, cancellation);
  const ModelView now = view_tree(two, {}, progress, cancellation);
  ModelDiff stopped = diff_models(before, now);
  cancellation.request();
  explain_changes(stopped, before, now, {}, progress, cancellation);
  CHECK(stopped.label == "stopped");

  const Cancellation calm;
  before.tree = nullptr;
  before.kind = "baseline";
  ModelDiff blind = diff_models(before, now);
  explain_changes(blind, before, now, {}, progress, calm);
  CHECK(blind.label == "unknown");
  CHECK(blind.to_json()["model"]["numbers"]["tensors_changed"] == 1);
  CHECK_FALSE(blind.to_json()["model"]["numbers"].contains("relative_change"));
  CHECK(blind.to_text().find("Numbers need the bytes of both sides") !=
        std::string::npos);
}

TEST_CASE("shapes that do not fit are said, not measured", "[compare][delta]") {
  const auto tree = [](Dtype dtype, std::vector<std::uint64_t> shape,
                       const std::string& bytes) {
    return MemoryTree(MemoryTree::Files{
        {"m.safetensors",
         SafetensorsBuilder().tensor("w", dtype, shape, bytes).build()}});
  };
  const ModelDiff diff =
      explain(tree(Dtype::u8, {4}, "abcd"), tree(Dtype::u8, {5}, "abcde"));
  CHECK(diff.tensors[0].label == "unclassified");
  CHECK(diff.tensors[0].stats["because"] == "4 numbers before, 5 now");
}

TEST_CASE("the heat map shows the edited cell and escapes names",
          "[compare][delta]") {
  Model model = make_model();
  model["a.<script>.&"] = Made{64, 96}.weights();
  const Model after = edited(model, {"layers.2.mlp.down_proj"},
                             [](const Made& made, const Floats& w, unsigned s) {
                               return rank_edit(1, made, w, s);
                             });
  const std::string svg = heat_map_svg(explain(model, after));
  CHECK(svg.find("<script>") == std::string::npos);
  CHECK(svg.find("&lt;script&gt;") != std::string::npos);
  CHECK(svg.find("down_proj.weight: rank-one, relative change 0.05") !=
        std::string::npos);
  CHECK(svg.find("layers.1.mlp.down_proj.weight: identical") !=
        std::string::npos);
  CHECK(svg.ends_with("</svg>\n"));
}

TEST_CASE("names tell places", "[compare][delta]") {
  const TensorPlace rome = place_of("transformer.h.5.mlp.fc_out.weight");
  CHECK(rome.layer == 5);
  CHECK(rome.module == "fc_out");
  CHECK(rome.is_mlp_down);
  CHECK(place_of("transformer.h.5.mlp.c_proj.weight").is_mlp_down);
  CHECK_FALSE(place_of("transformer.h.5.attn.c_proj.weight").is_mlp_down);
  CHECK(place_of("blk.3.ffn_down.weight").is_mlp_down);
  CHECK(place_of("blk.3.ffn_down.weight").layer == 3);
  CHECK(place_of("model.norm.weight").is_norm);
  CHECK(place_of("lm_head.weight").is_embedding);
  CHECK_FALSE(place_of("").layer);
}

}  // namespace
}  // namespace impound::test
