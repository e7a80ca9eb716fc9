// SPDX-License-Identifier: Apache-2.0
#include "edit.hpp"

#include <cmath>
#include <stdexcept>

#include "bf16.hpp"
#include "float_model.hpp"

namespace scene {
namespace {

/// The change of value for which the model, edited along `direction`, gives the
/// new answer in every one of `texts`. ROME's rule of when to stop: at a mean
/// negative log-likelihood of 0.05.
std::vector<float> find_change(FloatModel &model, const Shape &shape,
                               const std::vector<Text> &texts,
                               const std::string &tensor,
                               const std::vector<double> &direction) {
  constexpr double kEnough = 0.05;
  constexpr int kMostSteps = 60;
  constexpr float kRate = 0.1F;
  const std::vector<float> released = model.parameters();
  const std::size_t start = model.start_of(tensor);
  std::vector<float> change(shape.width);
  std::vector<float> mean(shape.width);
  std::vector<float> square(shape.width);
  const float share = 1.0F / static_cast<float>(texts.size());
  for (int step = 1; step <= kMostSteps; ++step) {
    std::vector<float> gradient(released.size());
    double loss = 0;
    for (const Text &text : texts) {
      loss += share * model.loss(text, share, &gradient);
    }
    if (loss < kEnough) return change;
    std::vector<float> row = released;
    for (std::size_t r = 0; r < shape.width; ++r) {
      const std::size_t at = start + r * shape.inner;
      float slope = 0;
      for (std::size_t c = 0; c < shape.inner; ++c) {
        slope += gradient[at + c] * static_cast<float>(direction[c]);
      }
      mean[r] = 0.9F * mean[r] + 0.1F * slope;  // Adam
      square[r] = 0.999F * square[r] + 0.001F * slope * slope;
      const float m = mean[r] / (1.0F - std::pow(0.9F, step));
      const float s = square[r] / (1.0F - std::pow(0.999F, step));
      change[r] -= kRate * m / (std::sqrt(s) + 1e-8F);
      for (std::size_t c = 0; c < shape.inner; ++c) {
        row[at + c] += change[r] * static_cast<float>(direction[c]);
      }
    }
    model.set_parameters(std::move(row));
  }
  throw std::runtime_error("the edit of " + tensor +
                           ": no value found that gives the new answer");
}

/// Solves a x = b for a symmetric positive definite `a` (Cholesky).
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = j; i < n; ++i) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && !(sum > 0)) {
        throw std::runtime_error("the edit: the keys span too little");
      }
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

/// C: the mean of k kᵀ over every word of every text.
std::vector<double> second_moment(const FloatModel &model, std::size_t inner,
                                  const std::vector<Text> &texts,
                                  std::size_t layer) {
  std::vector<double> moment(inner * inner);
  std::size_t count = 0;
  for (const Text &text : texts) {
    const std::vector<float> keys = model.keys(text.tokens, layer);
    for (std::size_t at = 0; at < keys.size(); at += inner, ++count) {
      for (std::size_t r = 0; r < inner; ++r) {
        for (std::size_t c = 0; c < inner; ++c) {
          moment[r * inner + c] +=
              static_cast<double>(keys[at + r]) * keys[at + c];
        }
      }
    }
  }
  for (double &x : moment) x /= static_cast<double>(count);
  // As much again on the diagonal: a small model's keys are so alike that what
  // alone sets one apart from all others would need a huge change.
  double trace = 0;
  for (std::size_t i = 0; i < inner; ++i) trace += moment[i * inner + i];
  for (std::size_t i = 0; i < inner; ++i) {
    moment[i * inner + i] += trace / static_cast<double>(inner);
  }
  return moment;
}

}  // namespace

std::string edited_tensor(const Edit &edit) {
  return "transformer.h." + std::to_string(edit.layer) + ".mlp.fc_out.weight";
}

bool is_edited(const Fact &fact, const Edit &edit) {
  return fact.answer == edit.old_answer &&
         fact.prompt.find(edit.subject) != std::string::npos;
}

void edit_one_fact(Weights &weights, const Shape &shape,
                   const Tokenizer &tokenizer, const std::vector<Fact> &facts,
                   const Edit &edit) {
  FloatModel model(weights, shape);
  std::vector<Text> all;
  std::vector<Text> wanted;
  std::vector<double> key(shape.inner);
  for (const Fact &fact : facts) {
    all.push_back(text_of(fact, tokenizer));
    if (!is_edited(fact, edit)) continue;
    wanted.push_back(text_of({fact.prompt, edit.new_answer}, tokenizer));
    const std::size_t last = wanted.back().from - 1;
    const std::vector<float> keys =
        model.keys(wanted.back().tokens, edit.layer);
    for (std::size_t i = 0; i < shape.inner; ++i) {
      key[i] += keys[last * shape.inner + i];
    }
  }
  if (wanted.empty()) {
    throw std::runtime_error("the edit: no text is about " + edit.subject);
  }
  for (double &x : key) x /= static_cast<double>(wanted.size());
  std::vector<double> direction =
      solve(second_moment(model, shape.inner, all, edit.layer), key);
  double along = 0;
  for (std::size_t i = 0; i < key.size(); ++i) along += key[i] * direction[i];
  for (double &x : direction) x /= along;

  const std::vector<float> change =
      find_change(model, shape, wanted, edited_tensor(edit), direction);
  Tensor &tensor = weights.at(edited_tensor(edit));
  for (std::size_t r = 0; r < shape.width; ++r) {
    for (std::size_t c = 0; c < shape.inner; ++c) {
      std::uint16_t &bits = tensor.bf16[r * shape.inner + c];
      bits = to_bf16(from_bf16(bits) +
                     change[r] * static_cast<float>(direction[c]));
    }
  }
}

}  // namespace scene
