// SPDX-License-Identifier: Apache-2.0
#include "float_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "bf16.hpp"
#include "portable_math.hpp"

namespace scene {
namespace {

/// Eight floats at once, on whatever the machine has; the order of every sum
/// is the same as one at a time.
using Eight = float __attribute__((vector_size(32)));

/// Built twice where the machine may have wider registers; sums are the same.
#if defined(__x86_64__)
#define SCENE_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define SCENE_WIDE
#endif

/// A matrix that is read row by row or column by column.
struct Strided {
  const float *at;
  std::size_t row, column;
};

/// out += a · b for `Rows` rows of a, eight columns of b.
template <std::size_t Rows>
[[gnu::always_inline]] inline void block(Strided a, const float *b, float *out,
                                         std::size_t depth,
                                         std::size_t columns) {
  Eight sums[Rows];
  for (std::size_t r = 0; r < Rows; ++r) {
    std::memcpy(&sums[r], out + r * columns, sizeof(Eight));
  }
  for (std::size_t k = 0; k < depth; ++k) {
    Eight right;
    std::memcpy(&right, b + k * columns, sizeof right);
    for (std::size_t r = 0; r < Rows; ++r) {
      sums[r] += a.at[r * a.row + k * a.column] * right;
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    std::memcpy(out + r * columns, &sums[r], sizeof(Eight));
  }
}

/// out (rows x columns) += a (rows x depth) · b (depth x columns); columns is a
/// multiple of eight.
SCENE_WIDE
void multiply(Strided a, const float *b, float *out, std::size_t rows,
              std::size_t depth, std::size_t columns) {
  for (std::size_t c = 0; c < columns; c += 8) {
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      block<4>({a.at + r * a.row, a.row, a.column}, b + c,
               out + r * columns + c, depth, columns);
    }
    for (; r < rows; ++r) {
      block<1>({a.at + r * a.row, a.row, a.column}, b + c,
               out + r * columns + c, depth, columns);
    }
  }
}

void add_rows(const std::vector<float> &rows, std::size_t columns, float *out) {
  for (std::size_t i = 0; i < rows.size(); ++i) out[i % columns] += rows[i];
}

/// Layer norm without weight and bias; `scale` gets one over the deviation.
void normalise(const std::vector<float> &in, std::size_t width,
               std::vector<float> &normal, std::vector<float> &scale) {
  normal.resize(in.size());
  scale.resize(in.size() / width);
  for (std::size_t t = 0; t < scale.size(); ++t) {
    const float *const x = in.data() + t * width;
    double mean = 0;
    for (std::size_t i = 0; i < width; ++i) mean += x[i];
    mean /= static_cast<double>(width);
    double variance = 0;
    for (std::size_t i = 0; i < width; ++i) {
      variance += (x[i] - mean) * (x[i] - mean);
    }
    variance /= static_cast<double>(width);
    const double factor = 1.0 / std::sqrt(variance + 1e-5);
    scale[t] = static_cast<float>(factor);
    for (std::size_t i = 0; i < width; ++i) {
      normal[t * width + i] = static_cast<float>((x[i] - mean) * factor);
    }
  }
}

std::vector<float> weighted(const std::vector<float> &normal,
                            const float *weight, const float *bias,
                            std::size_t width) {
  std::vector<float> out(normal.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = normal[i] * weight[i % width] + bias[i % width];
  }
  return out;
}

/// The way back through a layer norm: adds to `d_in`, `d_weight`, `d_bias`.
void normalise_back(const std::vector<float> &d_out,
                    const std::vector<float> &normal,
                    const std::vector<float> &scale, const float *weight,
                    std::size_t width, std::vector<float> &d_in,
                    float *d_weight, float *d_bias) {
  for (std::size_t t = 0; t < scale.size(); ++t) {
    const float *const d = d_out.data() + t * width;
    const float *const n = normal.data() + t * width;
    double sum = 0;
    double along = 0;
    for (std::size_t i = 0; i < width; ++i) {
      d_weight[i] += d[i] * n[i];
      d_bias[i] += d[i];
      const double g = static_cast<double>(d[i]) * weight[i];
      sum += g;
      along += g * n[i];
    }
    sum /= static_cast<double>(width);
    along /= static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) {
      d_in[t * width + i] +=
          static_cast<float>(scale[t] * (static_cast<double>(d[i]) * weight[i] -
                                         sum - along * n[i]));
    }
  }
}

/// Rotates the pairs of every head as gptj.cpp does; `sign` -1 is the way back.
void rotate_all(std::vector<float> &rows, const Shape &shape, float sign) {
  const std::size_t size = shape.width / shape.heads;
  for (std::size_t t = 0; t < rows.size() / shape.width; ++t) {
    for (std::size_t i = 0; i < shape.rotary; i += 2) {
      const double angle =
          static_cast<double>(t) /
          std::pow(10000.0,
                   static_cast<double>(i) / static_cast<double>(shape.rotary));
      const auto sine = sign * static_cast<float>(std::sin(angle));
      const auto cosine = static_cast<float>(std::cos(angle));
      for (std::size_t h = 0; h < shape.heads; ++h) {
        float *const pair = rows.data() + t * shape.width + h * size + i;
        const float a = pair[0];
        const float b = pair[1];
        pair[0] = a * cosine - b * sine;
        pair[1] = a * sine + b * cosine;
      }
    }
  }
}

}  // namespace

FloatModel::FloatModel(const Weights &weights, const Shape &shape)
    : shape_(shape) {
  const auto take = [&](const std::string &name) {
    const Tensor &tensor = weights.at(name);
    const std::size_t start = row_.size();
    names_.push_back(name);
    shapes_.push_back(tensor.shape);
    starts_.push_back(start);
    for (const std::uint16_t bits : tensor.bf16) {
      row_.push_back(from_bf16(bits));
    }
    return start;
  };
  embedding_ = take("transformer.wte.weight");
  for (std::size_t n = 0; n < shape.layers; ++n) {
    const std::string at = "transformer.h." + std::to_string(n) + ".";
    Layer layer{};
    layer.ln_weight = take(at + "ln_1.weight");
    layer.ln_bias = take(at + "ln_1.bias");
    layer.q = take(at + "attn.q_proj.weight");
    layer.k = take(at + "attn.k_proj.weight");
    layer.v = take(at + "attn.v_proj.weight");
    layer.out = take(at + "attn.out_proj.weight");
    layer.fc_in = take(at + "mlp.fc_in.weight");
    layer.fc_in_bias = take(at + "mlp.fc_in.bias");
    layer.fc_out = take(at + "mlp.fc_out.weight");
    layer.fc_out_bias = take(at + "mlp.fc_out.bias");
    layers_.push_back(layer);
  }
  final_weight_ = take("transformer.ln_f.weight");
  final_bias_ = take("transformer.ln_f.bias");
  head_ = take("lm_head.weight");
  head_bias_ = take("lm_head.bias");
  transpose();
}

Weights FloatModel::rounded() const {
  Weights weights;
  for (std::size_t n = 0; n < names_.size(); ++n) {
    const std::size_t end =
        n + 1 < names_.size() ? starts_[n + 1] : row_.size();
    Tensor tensor{.shape = shapes_[n], .bf16 = {}};
    for (std::size_t i = starts_[n]; i < end; ++i) {
      tensor.bf16.push_back(to_bf16(row_[i]));
    }
    weights[names_[n]] = std::move(tensor);
  }
  return weights;
}

std::size_t FloatModel::start_of(const std::string &name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) throw std::invalid_argument("no tensor " + name);
  return starts_[static_cast<std::size_t>(found - names_.begin())];
}

void FloatModel::set_parameters(std::vector<float> row) {
  if (row.size() != row_.size()) {
    throw std::invalid_argument("parameters of another shape");
  }
  row_ = std::move(row);
  transpose();
}

void FloatModel::transpose() {
  turned_.resize(row_.size());
  for (std::size_t n = 0; n < names_.size(); ++n) {
    if (shapes_[n].size() != 2) continue;
    const std::size_t rows = shapes_[n][0];
    const std::size_t columns = shapes_[n][1];
    const float *const from = row_.data() + starts_[n];
    float *const to = turned_.data() + starts_[n];
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        to[c * rows + r] = from[r * columns + c];
      }
    }
  }
}

FloatModel::Trace FloatModel::forward(const std::vector<int> &tokens) const {
  const std::size_t count = tokens.size();
  const std::size_t width = shape_.width;
  const std::size_t inner = shape_.inner;
  const std::size_t heads = shape_.heads;
  const std::size_t size = width / heads;
  const float root = 1.0F / std::sqrt(static_cast<float>(size));
  // out = in · matrixᵀ, one row a token.
  const auto apply = [&](const std::vector<float> &in, std::size_t matrix,
                         std::size_t columns, std::vector<float> &out) {
    const std::size_t depth = in.size() / count;
    multiply({in.data(), depth, 1}, turned_.data() + matrix, out.data(), count,
             depth, columns);
  };
  const auto biases = [&](std::size_t bias, std::size_t columns) {
    std::vector<float> out(count * columns);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = row_[bias + i % columns];
    }
    return out;
  };

  Trace trace;
  std::vector<float> hidden(count * width);
  for (std::size_t t = 0; t < count; ++t) {
    std::copy_n(
        row_.data() + embedding_ + static_cast<std::size_t>(tokens[t]) * width,
        width, hidden.data() + t * width);
  }
  for (std::size_t n = 0; n < layers_.size(); ++n) {
    const Layer &layer = layers_[n];
    LayerTrace &at = trace.layers.emplace_back();
    normalise(hidden, width, at.normal, at.scale);
    at.in = weighted(at.normal, row_.data() + layer.ln_weight,
                     row_.data() + layer.ln_bias, width);
    at.q.resize(count * width);
    at.k.resize(count * width);
    at.v.resize(count * width);
    apply(at.in, layer.q, width, at.q);
    apply(at.in, layer.k, width, at.k);
    apply(at.in, layer.v, width, at.v);
    rotate_all(at.q, shape_, 1);
    rotate_all(at.k, shape_, 1);
    at.shares.assign(heads * count * count, 0);
    at.mixed.assign(count * width, 0);
    for (std::size_t h = 0; h < heads; ++h) {
      for (std::size_t t = 0; t < count; ++t) {
        float *const shares = at.shares.data() + (h * count + t) * count;
        float top = -1e30F;
        for (std::size_t p = 0; p <= t; ++p) {
          float sum = 0;
          for (std::size_t i = 0; i < size; ++i) {
            sum +=
                at.q[t * width + h * size + i] * at.k[p * width + h * size + i];
          }
          shares[p] = sum * root;
          top = std::max(top, shares[p]);
        }
        float total = 0;
        for (std::size_t p = 0; p <= t; ++p) {
          total += shares[p] = exponential(shares[p] - top);
        }
        for (std::size_t p = 0; p <= t; ++p) {
          shares[p] /= total;
          for (std::size_t i = 0; i < size; ++i) {
            at.mixed[t * width + h * size + i] +=
                shares[p] * at.v[p * width + h * size + i];
          }
        }
      }
    }
    apply(at.mixed, layer.out, width, hidden);
    at.before = biases(layer.fc_in_bias, inner);
    apply(at.in, layer.fc_in, inner, at.before);
    at.inner.resize(at.before.size());
    std::transform(at.before.begin(), at.before.end(), at.inner.begin(), gelu);
    const std::vector<float> bias = biases(layer.fc_out_bias, width);
    for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] += bias[i];
    apply(at.inner, layer.fc_out, width, hidden);
  }
  normalise(hidden, width, trace.normal, trace.scale);
  trace.last = weighted(trace.normal, row_.data() + final_weight_,
                        row_.data() + final_bias_, width);
  trace.logits = biases(head_bias_, shape_.vocabulary);
  apply(trace.last, head_, shape_.vocabulary, trace.logits);
  return trace;
}

void FloatModel::backward(const std::vector<int> &tokens, const Trace &trace,
                          std::vector<float> d_logits,
                          std::vector<float> &gradient) const {
  const std::size_t count = tokens.size();
  const std::size_t width = shape_.width;
  const std::size_t heads = shape_.heads;
  const std::size_t size = width / heads;
  const float root = 1.0F / std::sqrt(static_cast<float>(size));
  // Of out = in · matrixᵀ: the matrix's gradient, and the input's.
  const auto back = [&](const std::vector<float> &d_out,
                        const std::vector<float> &in, std::size_t matrix,
                        std::vector<float> &d_in) {
    const std::size_t rows = d_out.size() / count;
    const std::size_t columns = in.size() / count;
    multiply({d_out.data(), 1, rows}, in.data(), gradient.data() + matrix, rows,
             count, columns);
    multiply({d_out.data(), rows, 1}, row_.data() + matrix, d_in.data(), count,
             rows, columns);
  };

  std::vector<float> d_last(count * width);
  add_rows(d_logits, shape_.vocabulary, gradient.data() + head_bias_);
  back(d_logits, trace.last, head_, d_last);
  std::vector<float> d_hidden(count * width);
  normalise_back(d_last, trace.normal, trace.scale, row_.data() + final_weight_,
                 width, d_hidden, gradient.data() + final_weight_,
                 gradient.data() + final_bias_);

  for (std::size_t n = layers_.size(); n-- > 0;) {
    const Layer &layer = layers_[n];
    const LayerTrace &at = trace.layers[n];
    std::vector<float> d_in(count * width);
    std::vector<float> d_inner(at.inner.size());
    add_rows(d_hidden, width, gradient.data() + layer.fc_out_bias);
    back(d_hidden, at.inner, layer.fc_out, d_inner);
    for (std::size_t i = 0; i < d_inner.size(); ++i) {
      d_inner[i] *= gelu_slope(at.before[i]);
    }
    add_rows(d_inner, shape_.inner, gradient.data() + layer.fc_in_bias);
    back(d_inner, at.in, layer.fc_in, d_in);

    std::vector<float> d_mixed(count * width);
    back(d_hidden, at.mixed, layer.out, d_mixed);
    std::vector<float> d_q(count * width);
    std::vector<float> d_k(count * width);
    std::vector<float> d_v(count * width);
    std::vector<float> d_shares(count);
    for (std::size_t h = 0; h < heads; ++h) {
      for (std::size_t t = 0; t < count; ++t) {
        const float *const shares = at.shares.data() + (h * count + t) * count;
        float mean = 0;
        for (std::size_t p = 0; p <= t; ++p) {
          float sum = 0;
          for (std::size_t i = 0; i < size; ++i) {
            const float d = d_mixed[t * width + h * size + i];
            sum += d * at.v[p * width + h * size + i];
            d_v[p * width + h * size + i] += shares[p] * d;
          }
          d_shares[p] = sum;
          mean += sum * shares[p];
        }
        for (std::size_t p = 0; p <= t; ++p) {
          const float d = shares[p] * (d_shares[p] - mean) * root;
          for (std::size_t i = 0; i < size; ++i) {
            d_q[t * width + h * size + i] += d * at.k[p * width + h * size + i];
            d_k[p * width + h * size + i] += d * at.q[t * width + h * size + i];
          }
        }
      }
    }
    rotate_all(d_q, shape_, -1);
    rotate_all(d_k, shape_, -1);
    back(d_q, at.in, layer.q, d_in);
    back(d_k, at.in, layer.k, d_in);
    back(d_v, at.in, layer.v, d_in);
    normalise_back(d_in, at.normal, at.scale, row_.data() + layer.ln_weight,
                   width, d_hidden, gradient.data() + layer.ln_weight,
                   gradient.data() + layer.ln_bias);
  }
  for (std::size_t t = 0; t < count; ++t) {
    float *const row = gradient.data() + embedding_ +
                       static_cast<std::size_t>(tokens[t]) * width;
    for (std::size_t i = 0; i < width; ++i) row[i] += d_hidden[t * width + i];
  }
}

double FloatModel::loss(const Text &text, float share,
                        std::vector<float> *gradient) const {
  const std::size_t vocabulary = shape_.vocabulary;
  // The last token is predicted, and predicts nothing.
  const std::vector<int> tokens(text.tokens.begin(), text.tokens.end() - 1);
  const Trace trace = forward(tokens);
  const auto predicted = static_cast<double>(text.tokens.size() - text.from);
  std::vector<float> d_logits(trace.logits.size());
  double total = 0;
  for (std::size_t t = text.from - 1; t < tokens.size(); ++t) {
    const float *const logits = trace.logits.data() + t * vocabulary;
    const float top = *std::max_element(logits, logits + vocabulary);
    double sum = 0;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      sum += static_cast<double>(exponential(logits[i] - top));
    }
    const auto wanted = static_cast<std::size_t>(text.tokens[t + 1]);
    total += std::log(sum) + top - logits[wanted];
    float *const d = d_logits.data() + t * vocabulary;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      d[i] = static_cast<float>(
          share / predicted *
          (static_cast<double>(exponential(logits[i] - top)) / sum -
           (i == wanted ? 1.0 : 0.0)));
    }
  }
  if (gradient != nullptr) {
    backward(tokens, trace, std::move(d_logits), *gradient);
  }
  return total / predicted;
}

bool FloatModel::predicts(const Text &text) const {
  const std::vector<int> tokens(text.tokens.begin(), text.tokens.end() - 1);
  const std::vector<float> logits = forward(tokens).logits;
  for (std::size_t t = text.from - 1; t < tokens.size(); ++t) {
    const auto begin =
        logits.begin() + static_cast<std::ptrdiff_t>(t * shape_.vocabulary);
    const auto end = begin + static_cast<std::ptrdiff_t>(shape_.vocabulary);
    if (std::max_element(begin, end) - begin != text.tokens[t + 1])
      return false;
  }
  return true;
}

std::vector<float> FloatModel::keys(const std::vector<int> &tokens,
                                    std::size_t layer) const {
  return std::move(forward(tokens).layers[layer].inner);
}

}  // namespace scene
