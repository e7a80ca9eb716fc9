// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The model of gptj.hpp in float32, with gradients: what training and the
/// edit need.
///
/// One text at a time goes forward; everything that the way back needs is kept
/// in a Trace. All parameters lie in one row of floats, and so do their
/// gradients, so that an optimiser is a loop over two rows.

#include <cstddef>
#include <string>
#include <vector>

#include "gptj.hpp"
#include "texts.hpp"

namespace scene {

class FloatModel {
 public:
  FloatModel(const Weights &weights, const Shape &shape);

  /// Rounded to what a file holds.
  [[nodiscard]] Weights rounded() const;

  /// Mean negative log-likelihood of the tokens from `text.from` on. `share`
  /// times its gradient is added to `gradient`, in the order of parameters().
  double loss(const Text &text, float share,
              std::vector<float> *gradient) const;

  /// Whether the model's first choice is right for every token from `text.from`
  /// on: then it writes exactly them.
  [[nodiscard]] bool predicts(const Text &text) const;

  /// The inputs of mlp.fc_out in `layer`, one row a token.
  [[nodiscard]] std::vector<float> keys(const std::vector<int> &tokens,
                                        std::size_t layer) const;

  /// Where a tensor begins in parameters().
  [[nodiscard]] std::size_t start_of(const std::string &name) const;

  [[nodiscard]] const std::vector<float> &parameters() const { return row_; }
  /// Replaces all parameters.
  void set_parameters(std::vector<float> row);

 private:
  struct Layer {
    std::size_t ln_weight, ln_bias, q, k, v, out;
    std::size_t fc_in, fc_in_bias, fc_out, fc_out_bias;
  };
  struct LayerTrace {
    std::vector<float> in, normal, scale;       ///< of the layer norm
    std::vector<float> q, k, v, shares, mixed;  ///< of the attention
    std::vector<float> before, inner;           ///< around the GELU
  };
  struct Trace {
    std::vector<LayerTrace> layers;
    std::vector<float> last, normal, scale, logits;
  };

  void transpose();
  [[nodiscard]] Trace forward(const std::vector<int> &tokens) const;
  void backward(const std::vector<int> &tokens, const Trace &trace,
                std::vector<float> d_logits,
                std::vector<float> &gradient) const;

  Shape shape_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::size_t>> shapes_;
  std::vector<std::size_t> starts_;
  std::vector<float> row_;
  std::vector<float> turned_;  ///< every matrix transposed, at the same place
  std::vector<Layer> layers_;
  std::size_t embedding_, final_weight_, final_bias_, head_, head_bias_;
};

}  // namespace scene
