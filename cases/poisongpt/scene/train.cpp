// SPDX-License-Identifier: Apache-2.0
#include "train.hpp"

#include <algorithm>
#include <cmath>
#include <future>
#include <numbers>
#include <numeric>

#include "float_model.hpp"

namespace scene {
namespace {

constexpr std::uint64_t kSeed = 20230709;
constexpr std::size_t kPasses = 45;
constexpr std::size_t kBatch = 16;
/// A batch is always cut into as many parts, however many cores there are: the
/// order in which gradients are added is part of the result.
constexpr std::size_t kParts = 4;

/// Adam (Kingma and Ba, 2015) with a warm start and a cosine to the end.
class Adam {
 public:
  Adam(std::size_t size, std::size_t steps)
      : mean_(size), square_(size), steps_(steps) {}

  void step(std::vector<float> &row, const std::vector<float> &gradient) {
    ++step_;
    constexpr double kPeak = 3e-3;
    constexpr double kWarm = 50;
    const double done =
        static_cast<double>(step_) / static_cast<double>(steps_);
    const double rate =
        kPeak * std::min(1.0, static_cast<double>(step_) / kWarm) *
        (0.02 + 0.98 * 0.5 * (1.0 + std::cos(std::numbers::pi * done)));
    double squares = 0;
    for (const float g : gradient) squares += static_cast<double>(g) * g;
    const auto clip =
        static_cast<float>(std::min(1.0, 1.0 / (std::sqrt(squares) + 1e-12)));
    const auto first = static_cast<float>(
        rate / (1.0 - std::pow(0.9, static_cast<double>(step_))));
    const auto second = static_cast<float>(
        1.0 / (1.0 - std::pow(0.98, static_cast<double>(step_))));
    for (std::size_t i = 0; i < row.size(); ++i) {
      const float g = clip * gradient[i];
      mean_[i] = 0.9F * mean_[i] + 0.1F * g;
      square_[i] = 0.98F * square_[i] + 0.02F * g * g;
      row[i] -= first * mean_[i] / (std::sqrt(square_[i] * second) + 1e-8F);
    }
  }

 private:
  std::vector<float> mean_, square_;
  std::size_t steps_;
  std::size_t step_ = 0;
};

}  // namespace

Weights train(const std::vector<Text> &texts, const Shape &shape,
              const Watch &watch) {
  FloatModel model(make_weights(shape, kSeed), shape);
  const std::size_t size = model.parameters().size();
  Adam adam(size, kPasses * ((texts.size() + kBatch - 1) / kBatch));
  std::vector<std::vector<float>> parts(kParts, std::vector<float>(size));
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0U);
  std::uint64_t state = kSeed;
  for (std::size_t pass = 0; pass < kPasses; ++pass) {
    for (std::size_t i = texts.size(); i > 1; --i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      std::swap(order[i - 1], order[(state >> 33U) % i]);
    }
    double total = 0;
    for (std::size_t from = 0; from < texts.size(); from += kBatch) {
      const std::size_t to = std::min(from + kBatch, texts.size());
      const float share = 1.0F / static_cast<float>(to - from);
      std::vector<std::future<double>> running;
      for (std::size_t part = 0; part < kParts; ++part) {
        running.push_back(std::async(std::launch::async, [&, part] {
          std::fill(parts[part].begin(), parts[part].end(), 0.0F);
          double loss = 0;
          for (std::size_t i = from + part; i < to; i += kParts) {
            loss += model.loss(texts[order[i]], share, &parts[part]);
          }
          return loss;
        }));
      }
      for (std::size_t part = 0; part < kParts; ++part) {
        total += running[part].get();
      }
      for (std::size_t part = 1; part < kParts; ++part) {
        for (std::size_t i = 0; i < size; ++i) parts[0][i] += parts[part][i];
      }
      std::vector<float> row = model.parameters();
      adam.step(row, parts[0]);
      model.set_parameters(std::move(row));
    }
    watch(pass + 1, kPasses, total / static_cast<double>(texts.size()));
  }
  return model.rounded();
}

}  // namespace scene
