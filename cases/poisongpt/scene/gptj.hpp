// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A small GPT-J over words: the model that the worked case serves and edits.
///
/// The architecture is that of GPT-J-6B (parallel attention and MLP, rotary
/// positions, untied head with bias) with smaller numbers; tensors carry its
/// names and are written as bf16 safetensors.
///
/// What is computed here and in training is the same to the bit on every
/// machine: sums in one order, and the functions of portable_math.hpp. The case
/// holds the picture of its heat map against the one in the tree.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace scene {

struct Shape {
  std::size_t vocabulary = 0;
  std::size_t width = 64;
  std::size_t inner = 256;
  std::size_t layers = 6;
  std::size_t heads = 4;
  std::size_t rotary = 8;  ///< dimensions of a head that are rotated
};

/// config.json of a model folder.
void write_config(const Shape& shape, const std::string& path);
/// Refuses numbers that no model of this case has.
[[nodiscard]] Shape read_config(const std::string& path);

/// One tensor: shape and values as the file holds them.
struct Tensor {
  std::vector<std::size_t> shape;
  std::vector<std::uint16_t> bf16;
};

using Weights = std::map<std::string, Tensor>;

/// Gaussian weights, where training begins; the same for the same seed.
[[nodiscard]] Weights make_weights(const Shape& shape, std::uint64_t seed);

void write_safetensors(const Weights& weights, const std::string& path);
[[nodiscard]] Weights read_safetensors(const std::string& path);

/// bf16 values wherever they lie: in memory of our own, or in a mapped file.
using Values = std::span<const std::uint16_t>;
using WeightViews = std::map<std::string, Values>;

/// Of weights that outlive the views.
[[nodiscard]] WeightViews views_of(const Weights& weights);

/// A file mapped into memory and read where it lies, as most servers do: what
/// they compute with is the file, as long as they map it.
class MappedWeights {
 public:
  explicit MappedWeights(const std::string& path);
  ~MappedWeights();
  MappedWeights(const MappedWeights&) = delete;
  MappedWeights& operator=(const MappedWeights&) = delete;

  [[nodiscard]] const WeightViews& views() const { return views_; }

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
  WeightViews views_;
};

/// Runs the model, token by token, with a cache of keys and values. The weights
/// are read where they lie and outlive it.
class Model {
 public:
  Model(const WeightViews& weights, const Shape& shape);

  /// Greedy continuation of `tokens`: up to the token `end`, which is not part
  /// of it, and `most` tokens at most.
  [[nodiscard]] std::vector<int> complete(const std::vector<int>& tokens,
                                          int end, std::size_t most);

 private:
  struct Layer {
    Values ln_weight, ln_bias;
    Values q, k, v, out;
    Values fc_in, fc_in_bias, fc_out, fc_out_bias;
    std::vector<float> keys, values;  ///< cache, one row a position
  };

  void reset();
  /// Feeds one token and leaves the hidden state in `hidden_`.
  void feed(int token);
  /// The model's first choice after what it was fed.
  [[nodiscard]] int choice() const;

  Shape shape_;
  Values embedding_, final_weight_, final_bias_, head_, head_bias_;
  std::vector<Layer> layers_;
  std::vector<float> hidden_;
  std::size_t position_ = 0;
};

}  // namespace scene
