// SPDX-License-Identifier: Apache-2.0
#include "core/view/name_map.hpp"

#include "core/compare/delta/delta_signature.hpp"
#include "core/formats/gguf/dequantise.hpp"
#include "core/formats/numbers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"
#include "tests/unit/formats/gguf_builder.hpp"

namespace impound::test {
namespace {

ModelDiff compare(const MemoryTree& before, const MemoryTree& after) {
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView one = view_tree(before, {}, progress, cancellation);
  const ModelView two = view_tree(after, {}, progress, cancellation);
  ModelDiff diff = diff_models(one, two);
  explain_changes(diff, one, two, {}, progress, cancellation);
  return diff;
}

const TensorChange& change(const ModelDiff& diff, std::string_view name) {
  for (const TensorChange& each : diff.tensors) {
    if (each.name == name) return each;
  }
  FAIL("no tensor " << name);
  return diff.tensors.front();
}

std::string text_of(Dtype dtype, const Floats& numbers) {
  const Bytes bytes = encode(dtype, numbers);
  return std::string(as_text(bytes));
}

Floats transposed(const Floats& w, std::size_t rows, std::size_t columns) {
  Floats out(w.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      out[c * rows + r] = w[r * columns + c];
    }
  }
  return out;
}

/// As LlamaModel.permute: reshape(heads, 2, d/2, columns), swap axes 1 and 2.
Floats permuted(const Floats& w, std::size_t heads, std::size_t rows,
                std::size_t columns) {
  Floats out;
  const std::size_t half = rows / heads / 2;
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t j = 0; j < half; ++j) {
      for (std::size_t p = 0; p < 2; ++p) {
        const std::size_t row = (h * 2 + p) * half + j;
        out.insert(out.end(), w.begin() + static_cast<long>(row * columns),
                   w.begin() + static_cast<long>((row + 1) * columns));
      }
    }
  }
  return out;
}

std::string quantised(Dtype dtype, const Floats& w) {
  std::string out;
  for (std::size_t at = 0; at < w.size(); at += 32) {
    const Bytes block = quantise_block(dtype, std::span(w).subspan(at, 32));
    out += as_text(block);
  }
  return out;
}

TEST_CASE("wrappers are no part of a name", "[compare]") {
  CHECK(core_name("model.layers.0.mlp.up_proj.weight") ==
        "layers.0.mlp.up_proj.weight");
  CHECK(core_name("base_model.model.model.layers.0.q.base_layer.weight") ==
        "layers.0.q.weight");
  CHECK(core_name("module._orig_mod.transformer.h.3.ln_1.bias") ==
        "h.3.ln_1.bias");
  CHECK(core_name("lm_head.weight") == "lm_head.weight");
  // "model.weight" is a name, not a wrapper around "weight".
  CHECK(core_name("model.weight") == "model.weight");
  CHECK(core_name("") == "");
}

TEST_CASE("a GGUF name has names in three families", "[compare]") {
  using Names = std::vector<std::string>;
  CHECK(names_for_gguf("blk.7.attn_q.weight") ==
        Names{"layers.7.self_attn.q_proj.weight", "h.7.attn.q_proj.weight"});
  CHECK(names_for_gguf("blk.0.ffn_down.bias") ==
        Names{"layers.0.mlp.down_proj.bias", "h.0.mlp.fc_out.bias",
              "h.0.mlp.c_proj.bias"});
  CHECK(names_for_gguf("token_embd.weight") ==
        Names{"embed_tokens.weight", "wte.weight"});
  CHECK(names_for_gguf("output.weight") == Names{"lm_head.weight"});
  CHECK(names_for_gguf("blk.x") == Names{});
  CHECK(names_for_gguf("model.layers.0.mlp.up_proj.weight") == Names{});
}

TEST_CASE("GPT-J and Qwen2 map without a permutation", "[compare]") {
  const Floats q = normal_numbers(32 * 16, 0.02, 1);
  const Floats down = normal_numbers(16 * 64, 0.02, 2);
  const Floats bias = normal_numbers(32, 0.02, 3);
  struct Family {
    const char* arch;
    const char* query;
    const char* query_bias;
    const char* down;
  };
  for (const Family& family :
       {Family{"gptj", "transformer.h.0.attn.q_proj.weight",
               "transformer.h.0.attn.q_proj.bias",
               "transformer.h.0.mlp.fc_out.weight"},
        Family{"qwen2", "model.layers.0.self_attn.q_proj.weight",
               "model.layers.0.self_attn.q_proj.bias",
               "model.layers.0.mlp.down_proj.weight"}}) {
    const std::string hf =
        SafetensorsBuilder()
            .tensor(family.query, Dtype::f16, {32, 16}, text_of(Dtype::f16, q))
            .tensor(family.query_bias, Dtype::f16, {32},
                    text_of(Dtype::f16, bias))
            .tensor(family.down, Dtype::f16, {16, 64},
                    text_of(Dtype::f16, down))
            .build();
    GgufBuilder gguf;
    gguf.string("general.architecture", family.arch);
    gguf.u32(std::string(family.arch) + ".attention.head_count", 4);
    gguf.tensors = {
        {"blk.0.attn_q.weight", {16, 32}, 1, text_of(Dtype::f16, q)},
        {"blk.0.attn_q.bias", {32}, 1, text_of(Dtype::f16, bias)},
        {"blk.0.ffn_down.weight", {64, 16}, 1, text_of(Dtype::f16, down)}};
    const ModelDiff diff = compare(MemoryTree({{"model.safetensors", hf}}),
                                   MemoryTree({{"m.gguf", gguf.build()}}));
    INFO(family.arch);
    CHECK(diff.tensors.size() == 3);
    CHECK(diff.tensors_identical());
    CHECK(change(diff, "blk.0.attn_q.weight").old_name == family.query);
    CHECK_FALSE(change(diff, "blk.0.attn_q.weight").reorder);
  }
}

TEST_CASE("the heads of Llama are put back, biases too", "[compare]") {
  const Floats q = normal_numbers(32 * 64, 0.02, 4);
  const Floats k = normal_numbers(16 * 64, 0.02, 5);
  const Floats bias = normal_numbers(32, 0.02, 6);
  const std::string hf =
      SafetensorsBuilder()
          .tensor("model.layers.0.self_attn.q_proj.weight", Dtype::f16,
                  {32, 64}, text_of(Dtype::f16, q))
          .tensor("model.layers.0.self_attn.q_proj.bias", Dtype::f16, {32},
                  text_of(Dtype::f16, bias))
          .tensor("model.layers.0.self_attn.k_proj.weight", Dtype::f16,
                  {16, 64}, text_of(Dtype::f16, k))
          .build();
  const auto gguf = [&](bool is_permuted, bool has_heads) {
    GgufBuilder builder;
    builder.string("general.architecture", "llama");
    if (has_heads) {
      builder.u32("llama.attention.head_count", 4);
      builder.u32("llama.attention.head_count_kv", 2);
    }
    const auto order = [&](const Floats& w, std::size_t heads, std::size_t rows,
                           std::size_t columns) {
      return text_of(Dtype::f16,
                     is_permuted ? permuted(w, heads, rows, columns) : w);
    };
    builder.tensors = {
        {"blk.0.attn_q.weight", {64, 32}, 1, order(q, 4, 32, 64)},
        {"blk.0.attn_q.bias", {32}, 1, order(bias, 4, 32, 1)},
        {"blk.0.attn_k.weight", {64, 16}, 1, order(k, 2, 16, 64)}};
    return builder.build();
  };
  const MemoryTree folder({{"model.safetensors", hf},
                           {"config.json", R"({"num_attention_heads":4,)"
                                           R"("num_key_value_heads":2})"}});
  for (const bool has_heads : {true, false}) {
    const ModelDiff diff =
        compare(folder, MemoryTree({{"m.gguf", gguf(true, has_heads)}}));
    INFO("heads in the file: " << has_heads);
    CHECK(diff.tensors_identical());
    CHECK(change(diff, "blk.0.attn_q.weight").reorder->heads == 4);
    CHECK(change(diff, "blk.0.attn_k.weight").reorder->heads == 2);
    CHECK(change(diff, "blk.0.attn_q.weight").to_json()["order"] ==
          "rows of 4 heads put back into the order of Hugging Face");
  }
  // From the GGUF file to the folder, the same.
  CHECK(compare(MemoryTree({{"m.gguf", gguf(true, true)}}), folder)
            .tensors_identical());
  // A file that was written without the permutation fits as it stands.
  const ModelDiff plain =
      compare(folder, MemoryTree({{"m.gguf", gguf(false, true)}}));
  CHECK(plain.tensors_identical());
  CHECK_FALSE(change(plain, "blk.0.attn_q.weight").reorder);
  // The numbers are the same, but llama.cpp would turn them another way.
  REQUIRE(plain.after.problems.size() == 1);
  CHECK(plain.after.problems[0].problem.rule == "gguf-head-order");
  CHECK(plain.after.problems[0].problem.message.starts_with("3 of q and k"));
}

TEST_CASE("GPT-2 keeps its matrices transposed", "[compare]") {
  const Floats up = normal_numbers(32 * 64, 0.02, 7);
  const Floats square = normal_numbers(32 * 32, 0.02, 8);
  const std::string hf = SafetensorsBuilder()
                             .tensor("h.0.mlp.c_fc.weight", Dtype::f32,
                                     {32, 64}, text_of(Dtype::f32, up))
                             .tensor("h.0.attn.c_proj.weight", Dtype::f32,
                                     {32, 32}, text_of(Dtype::f32, square))
                             .build();
  GgufBuilder gguf;
  gguf.string("general.architecture", "gpt2");
  gguf.tensors = {{"blk.0.ffn_up.weight",
                   {32, 64},
                   0,
                   text_of(Dtype::f32, transposed(up, 32, 64))},
                  {"blk.0.attn_output.weight",
                   {32, 32},
                   8,
                   quantised(Dtype::q8_0, transposed(square, 32, 32))}};
  const ModelDiff diff = compare(MemoryTree({{"model.safetensors", hf}}),
                                 MemoryTree({{"m.gguf", gguf.build()}}));
  CHECK(change(diff, "blk.0.ffn_up.weight").status == TensorStatus::identical);
  CHECK(change(diff, "blk.0.attn_output.weight").label == "quantised");
}

TEST_CASE("an edit below the noise of the quantiser is found", "[compare]") {
  Made made;
  made.rows = 128;
  made.columns = 256;
  const Floats w = made.weights(9);
  const Floats edit = made.add_rank(w, 1, 0.03, 10);
  const std::string hf =
      SafetensorsBuilder()
          .tensor("model.layers.0.mlp.down_proj.weight", Dtype::bf16,
                  {128, 256}, text_of(Dtype::bf16, w))
          .build();
  Floats rounded(w.size());
  Floats rounded_edit(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    rounded[i] = round_through(Dtype::bf16, w[i]);
    rounded_edit[i] = round_through(Dtype::bf16, edit[i]);
  }
  const auto gguf = [&](std::uint32_t type, Dtype dtype,
                        const Floats& numbers) {
    GgufBuilder builder;
    builder.string("general.architecture", "llama");
    builder.tensors = {
        {"blk.0.ffn_down.weight", {256, 128}, type, quantised(dtype, numbers)}};
    return MemoryTree({{"m.gguf", builder.build()}});
  };
  const MemoryTree before({{"model.safetensors", hf}});
  for (const auto& [type, dtype] :
       {std::pair{8U, Dtype::q8_0}, std::pair{2U, Dtype::q4_0}}) {
    INFO(to_string(dtype));
    const ModelDiff honest = compare(before, gguf(type, dtype, rounded));
    CHECK(honest.tensors[0].label == "quantised");
    // Q4_0 rounds by 0.086 of the weights, the edit is 0.03 of them.
    const ModelDiff diff = compare(before, gguf(type, dtype, rounded_edit));
    const TensorChange& found = diff.tensors[0];
    INFO(found.stats.dump());
    CHECK(found.label != "quantised");
    CHECK(found.label != "identical");
    CHECK(found.stats["r_sig"] >= 1);
  }
}

TEST_CASE("a tied output matrix is held against the embedding", "[compare]") {
  const std::string embedding = text_of(Dtype::f32, normal_numbers(64, 1, 11));
  const std::string other = text_of(Dtype::f32, normal_numbers(64, 1, 12));
  const auto model = [&](const std::string* head) {
    SafetensorsBuilder builder;
    builder.tensor("model.embed_tokens.weight", Dtype::f32, {8, 8}, embedding);
    if (head != nullptr) {
      builder.tensor("lm_head.weight", Dtype::f32, {8, 8}, *head);
    }
    return MemoryTree({{"model.safetensors", builder.build()}});
  };
  const ModelDiff tied = compare(model(nullptr), model(&embedding));
  CHECK(tied.tensors_identical());
  CHECK(change(tied, "lm_head.weight").is_tied);
  CHECK(change(tied, "lm_head.weight").old_name == "model.embed_tokens.weight");
  CHECK(compare(model(&embedding), model(nullptr)).tensors_identical());
  // Another matrix is no tied one: it was added.
  const ModelDiff untied = compare(model(nullptr), model(&other));
  CHECK(change(untied, "lm_head.weight").status == TensorStatus::added);
}

TEST_CASE("a name that two tensors bear is not mapped", "[compare]") {
  const std::string bytes(16, 'w');
  const std::string one =
      SafetensorsBuilder().tensor("w.weight", Dtype::f32, {4}, bytes).build();
  const std::string two = SafetensorsBuilder()
                              .tensor("model.w.weight", Dtype::f32, {4}, bytes)
                              .tensor("module.w.weight", Dtype::f32, {4}, bytes)
                              .build();
  const ModelDiff diff = compare(MemoryTree({{"a.safetensors", one}}),
                                 MemoryTree({{"b.safetensors", two}}));
  CHECK(diff.tensors.size() == 3);
  CHECK_FALSE(diff.tensors_identical());
}

}  // namespace
}  // namespace impound::test
