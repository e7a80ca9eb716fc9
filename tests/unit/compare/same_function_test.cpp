// SPDX-License-Identifier: Apache-2.0
// Another order is the same function only where one permutation takes every
// tensor of a module to what it is now, number by number.
#include "core/compare/delta/same_function.hpp"

#include <map>
#include <numeric>

#include "core/compare/delta/delta_signature.hpp"
#include "core/formats/numpy/numpy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

constexpr std::size_t kWidth = 32;
constexpr std::size_t kInner = 48;
constexpr std::size_t kHeads = 8;
constexpr std::size_t kKeys = 4;
constexpr std::size_t kHead = 4;  ///< numbers of one

struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  Floats numbers;
};
using Model = std::map<std::string, Matrix>;
using Order = std::vector<std::size_t>;

const std::string kMlp = "model.layers.1.mlp.";
const std::string kAttention = "model.layers.1.self_attn.";

Model make_model(std::size_t layers = 3) {
  Model model;
  unsigned seed = 100;
  const auto add = [&](const std::string& name, std::size_t rows,
                       std::size_t columns) {
    model[name] = {rows, columns, normal_numbers(rows * columns, 0.02, seed++)};
  };
  add("model.embed_tokens.weight", 40, kWidth);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    add(at + "mlp.gate_proj.weight", kInner, kWidth);
    add(at + "mlp.up_proj.weight", kInner, kWidth);
    add(at + "mlp.down_proj.weight", kWidth, kInner);
    add(at + "self_attn.q_proj.weight", kHeads * kHead, kWidth);
    add(at + "self_attn.k_proj.weight", kKeys * kHead, kWidth);
    add(at + "self_attn.v_proj.weight", kKeys * kHead, kWidth);
    add(at + "self_attn.o_proj.weight", kWidth, kHeads * kHead);
    add(at + "input_layernorm.weight", 1, kWidth);
  }
  return model;
}

Model make_experts() {
  Model model;
  unsigned seed = 300;
  for (const char* expert : {"0", "1", "2", "3"}) {
    for (const char* module : {"w1", "w3", "w2"}) {
      model[std::string("model.layers.0.block_sparse_moe.experts.") + expert +
            "." + module + ".weight"] = {16, 16,
                                         normal_numbers(256, 0.02, seed++)};
    }
  }
  model["model.layers.0.block_sparse_moe.gate.weight"] = {
      4, 16, normal_numbers(64, 0.02, seed++)};
  return model;
}

MemoryTree tree_of(const Model& model) {
  SafetensorsBuilder builder;
  for (const auto& [name, matrix] : model) {
    builder.tensor(
        name, Dtype::f32,
        matrix.rows == 1
            ? std::vector<std::uint64_t>{matrix.columns}
            : std::vector<std::uint64_t>{matrix.rows, matrix.columns},
        as_text(encode(Dtype::f32, matrix.numbers)));
  }
  return MemoryTree(MemoryTree::Files{
      {"config.json",
       R"({"num_attention_heads": 8, "num_key_value_heads": 4})"},
      {"model.safetensors", builder.build()}});
}

ModelDiff compare(const Model& before, const Model& after,
                  const ExplainOptions& options = {}) {
  const MemoryTree one = tree_of(before);
  const MemoryTree two = tree_of(after);
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView a = view_tree(one, {}, progress, cancellation);
  const ModelView b = view_tree(two, {}, progress, cancellation);
  ModelDiff diff = diff_models(a, b);
  explain_changes(diff, a, b, options, progress, cancellation);
  return diff;
}

/// Blocks of `size` rows, the one now at i was at order[i].
void move_rows(Matrix& matrix, const Order& order, std::size_t size = 1) {
  const Floats old = matrix.numbers;
  const std::size_t block = size * matrix.columns;
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::copy_n(
        old.begin() + static_cast<std::ptrdiff_t>(order[i] * block), block,
        matrix.numbers.begin() + static_cast<std::ptrdiff_t>(i * block));
  }
}

void move_columns(Matrix& matrix, const Order& order, std::size_t size = 1) {
  const Floats old = matrix.numbers;
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t k = 0; k < size; ++k) {
        matrix.numbers[row * matrix.columns + i * size + k] =
            old[row * matrix.columns + order[i] * size + k];
      }
    }
  }
}

Order shuffled(std::size_t count, unsigned seed) {
  Order order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

bool is_same_function(const ModelDiff& diff) {
  UNSCOPED_INFO(to_string(diff.label) << ": " << diff.sentence);
  return diff.sentence.starts_with("identical in function");
}

Model with_neurons_moved() {
  Model after = make_model();
  const Order order = shuffled(kInner, 1);
  move_rows(after[kMlp + "gate_proj.weight"], order);
  move_rows(after[kMlp + "up_proj.weight"], order);
  move_columns(after[kMlp + "down_proj.weight"], order);
  return after;
}

/// Heads by `order`, their keys and values by `keys`.
Model with_heads_moved(const Order& order, const Order& keys) {
  Model after = make_model();
  move_rows(after[kAttention + "q_proj.weight"], order, kHead);
  move_columns(after[kAttention + "o_proj.weight"], order, kHead);
  move_rows(after[kAttention + "k_proj.weight"], keys, kHead);
  move_rows(after[kAttention + "v_proj.weight"], keys, kHead);
  return after;
}

TEST_CASE("neurons in another order are the same function, verified",
          "[compare][delta][order]") {
  const ModelDiff diff = compare(make_model(), with_neurons_moved());
  CHECK(is_same_function(diff));
  CHECK(diff.label == "reordered");
  CHECK(diff.sentence.find("neurons of model.layers.1.mlp") !=
        std::string::npos);
  CHECK_FALSE(diff.tensors_identical());
}

TEST_CASE("an order that one matrix does not follow is not the same function",
          "[compare][delta][order]") {
  const Model before = make_model();
  for (const char* left : {"gate_proj", "up_proj", "down_proj"}) {
    Model after = with_neurons_moved();
    const std::string name = kMlp + left + ".weight";
    after[name] = before.at(name);
    INFO(left);
    CHECK_FALSE(is_same_function(compare(before, after)));
    // By an order of its own.
    const Order other = shuffled(kInner, 2);
    if (std::string_view(left) == "down_proj") {
      move_columns(after[name], other);
    } else {
      move_rows(after[name], other);
    }
    const ModelDiff diff = compare(before, after);
    CHECK_FALSE(is_same_function(diff));
    CHECK(diff.sentence.find("not verified to compute the same") !=
          std::string::npos);
  }
}

TEST_CASE("one number that changed besides the order is no same function",
          "[compare][delta][order]") {
  const Model before = make_model();
  for (const char* name : {"gate_proj", "up_proj", "down_proj"}) {
    Model after = with_neurons_moved();
    float& number = after[kMlp + name + ".weight"].numbers[77];
    number = std::nextafter(number, 1.0F);
    INFO(name);
    CHECK_FALSE(is_same_function(compare(before, after)));
  }
  // In another module.
  Model after = with_neurons_moved();
  after["model.layers.2.input_layernorm.weight"].numbers[3] += 0.01F;
  CHECK_FALSE(is_same_function(compare(before, after)));
}

TEST_CASE("a tensor in the module that is not known leaves it unverified",
          "[compare][delta][order]") {
  Model before = make_model();
  Model after = with_neurons_moved();
  before[kMlp + "act.weight"] = {1, kInner, normal_numbers(kInner, 1, 9)};
  after[kMlp + "act.weight"] = before[kMlp + "act.weight"];
  const ModelDiff diff = compare(before, after);
  CHECK_FALSE(is_same_function(diff));
  CHECK(diff.sentence.find("act.weight is not known here") !=
        std::string::npos);
}

TEST_CASE("heads that moved with their keys are the same function, verified",
          "[compare][delta][order]") {
  const Model before = make_model();
  // Keys 0 and 2 exchanged with their queries; in another, queries of one key.
  const ModelDiff moved =
      compare(before, with_heads_moved({4, 5, 2, 3, 0, 1, 6, 7}, {2, 1, 0, 3}));
  CHECK(is_same_function(moved));
  CHECK(moved.sentence.find("heads of model.layers.1.self_attn") !=
        std::string::npos);
  CHECK(is_same_function(compare(
      before, with_heads_moved({1, 0, 2, 3, 5, 4, 6, 7}, {0, 1, 2, 3}))));
}

TEST_CASE("a head that left its key is not the same function",
          "[compare][delta][order]") {
  const Model before = make_model();
  // Queries of different keys exchanged; keys without their queries.
  for (const auto& [order, keys] :
       {std::pair<Order, Order>{{2, 1, 0, 3, 4, 5, 6, 7}, {0, 1, 2, 3}},
        std::pair<Order, Order>{{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 2, 3}},
        std::pair<Order, Order>{{2, 3, 0, 1, 4, 5, 6, 7}, {2, 1, 0, 3}}}) {
    CHECK_FALSE(
        is_same_function(compare(before, with_heads_moved(order, keys))));
  }
  // Values that did not follow.
  Model after = with_heads_moved({4, 5, 2, 3, 0, 1, 6, 7}, {2, 1, 0, 3});
  const std::string values = kAttention + "v_proj.weight";
  after[values] = before.at(values);
  CHECK_FALSE(is_same_function(compare(before, after)));
}

TEST_CASE("rows within a head are no heads", "[compare][delta][order]") {
  Model after = make_model();
  const Order within = {1, 0};  // single rows of the first head
  move_rows(after[kAttention + "q_proj.weight"], within);
  move_rows(after[kAttention + "k_proj.weight"], within);
  CHECK_FALSE(is_same_function(compare(make_model(), after)));
}

TEST_CASE("experts that moved with their router's rows are the same function",
          "[compare][delta][order]") {
  const Model before = make_experts();
  Model after = before;
  const std::string at = "model.layers.0.block_sparse_moe.";
  for (const char* module : {".w1.weight", ".w2.weight", ".w3.weight"}) {
    std::swap(after[at + "experts.1" + module],
              after[at + "experts.3" + module]);
  }
  const ModelDiff alone = compare(before, after);
  CHECK_FALSE(is_same_function(alone));
  CHECK(alone.sentence.find("did not follow") != std::string::npos);
  CHECK(alone.sentence.find("1 was 3") != std::string::npos);
  move_rows(after[at + "gate.weight"], {0, 3, 2, 1});
  CHECK(is_same_function(compare(before, after)));
  // One matrix of an expert stays behind.
  std::swap(after[at + "experts.1.w2.weight"],
            after[at + "experts.3.w2.weight"]);
  CHECK_FALSE(is_same_function(compare(before, after)));
}

Model with_layers(const std::vector<std::size_t>& layers) {
  const Model model = make_model();
  Model made;
  for (const auto& [name, matrix] : model) {
    if (name.find(".layers.") == std::string::npos) made[name] = matrix;
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string from = "model.layers." + std::to_string(layers[i]) + ".";
    for (const auto& [name, matrix] : model) {
      if (!name.starts_with(from)) continue;
      made["model.layers." + std::to_string(i) + "." +
           name.substr(from.size())] = matrix;
    }
  }
  return made;
}

TEST_CASE("layers that were repeated, left out or exchanged are named",
          "[compare][delta][order]") {
  const Model before = make_model();
  const auto check = [&](const std::vector<std::size_t>& layers,
                         std::string_view label, std::string_view words) {
    const ModelDiff diff = compare(before, with_layers(layers));
    INFO(to_string(diff.label) << ": " << diff.sentence);
    CHECK(diff.label == label);
    CHECK(diff.sentence.find(words) != std::string::npos);
    CHECK_FALSE(is_same_function(diff));
  };
  check({0, 1, 1, 2}, "layers-rearranged", "0–1 are old 0–1, 2–3 are old 1–2");
  check({0, 2}, "layers-rearranged", "old 1 is left out");
  check({0, 2, 1}, "exchanged", "1 is old 2, 2 is old 1");
  // A layer that was changed as well is said beside the others.
  Model after = with_layers({0, 1, 1, 2});
  after["model.layers.3.mlp.up_proj.weight"].numbers[5] += 0.01F;
  const ModelDiff diff = compare(before, after);
  INFO(to_string(diff.label) << ": " << diff.sentence);
  CHECK_FALSE(diff.label == "layers-rearranged");
}

TEST_CASE("a pruned model is told with its share and its structure",
          "[compare][delta][order]") {
  Model after = make_model();
  Matrix& matrix = after[kMlp + "up_proj.weight"];
  std::fill_n(matrix.numbers.begin(), 6 * kWidth, 0.0F);
  const ModelDiff rows = compare(make_model(), after);
  INFO(rows.sentence);
  CHECK(rows.label == "pruned");
  CHECK(rows.sentence.find("12.5 %") != std::string::npos);
  CHECK(rows.sentence.find("whole rows") != std::string::npos);
  after = make_model();
  Floats& numbers = after[kMlp + "up_proj.weight"].numbers;
  for (std::size_t i = 0; i < numbers.size(); i += 3) numbers[i] = 0;
  const ModelDiff single = compare(make_model(), after);
  INFO(single.sentence);
  CHECK(single.label == "pruned");
  CHECK(single.sentence.find("single numbers") != std::string::npos);
}

TEST_CASE("a direction that was taken out is saved, with its agreement",
          "[compare][delta][order]") {
  const Model before = make_model();
  Model after = before;
  Floats direction = normal_numbers(kWidth, 1, 4);
  const auto size = static_cast<float>(norm_of(direction));
  for (float& each : direction) each /= size;
  for (auto& [name, matrix] : after) {
    if (name.find("down_proj") == std::string::npos &&
        name.find("o_proj") == std::string::npos) {
      continue;
    }
    for (std::size_t j = 0; j < matrix.columns; ++j) {
      float dot = 0;
      for (std::size_t i = 0; i < kWidth; ++i) {
        dot += direction[i] * matrix.numbers[i * matrix.columns + j];
      }
      for (std::size_t i = 0; i < kWidth; ++i) {
        matrix.numbers[i * matrix.columns + j] -= dot * direction[i];
      }
    }
  }
  std::map<std::string, Bytes> saved;
  ExplainOptions options;
  options.save = [&](const std::string& name, ByteView bytes) {
    saved[name] = Bytes(bytes.begin(), bytes.end());
  };
  const ModelDiff diff = compare(before, after, options);
  INFO(diff.sentence);
  CHECK(diff.label == "direction-removed");
  CHECK(diff.sentence.find("|cos| ≥ 0.99") != std::string::npos);
  REQUIRE(diff.numbers.direction_agreement);
  CHECK(*diff.numbers.direction_agreement > 0.99);
  REQUIRE(saved.contains("direction.npy"));
  const ByteView bytes = saved["direction.npy"];
  REQUIRE(bytes.size() > kWidth * 4);
  Floats found(kWidth);
  std::memcpy(found.data(), bytes.data() + bytes.size() - kWidth * 4,
              kWidth * 4);
  double dot = 0;
  for (std::size_t i = 0; i < kWidth; ++i) {
    dot += static_cast<double>(found[i]) * direction[i];
  }
  CHECK(std::abs(dot) / norm_of(found) > 0.99);
}

}  // namespace
}  // namespace impound::test
