// SPDX-License-Identifier: Apache-2.0
#pragma once
/// exp, tanh and the GELU out of sums, products and quotients alone.
///
/// The libraries of two machines may differ in the last bit of std::exp, and
/// training makes another model of that. IEEE 754 leaves no choice for what is
/// used here, as long as the compiler contracts nothing (-ffp-contract=off).

#include <algorithm>
#include <bit>
#include <cstdint>

namespace scene {

/// exp(x) to about 2e-7, for x from -87 to 88; what lies outside is cut.
inline float exponential(float x) {
  x = std::clamp(x, -87.0F, 88.0F);
  const float turns = x * 1.44269504F;
  const auto whole = static_cast<std::int32_t>(turns + (x < 0 ? -0.5F : 0.5F));
  const auto k = static_cast<float>(whole);
  // ln 2 in two parts, so that what is left is exact where it matters.
  const float rest = (x - k * 0.693359375F) + k * 2.12194440e-4F;
  const float series =
      1.0F +
      rest * (1.0F +
              rest * (1.0F / 2 +
                      rest * (1.0F / 6 +
                              rest * (1.0F / 24 +
                                      rest * (1.0F / 120 + rest / 720.0F)))));
  return series *
         std::bit_cast<float>(static_cast<std::uint32_t>(whole + 127) << 23U);
}

inline float hyperbolic_tangent(float x) {
  const float e = exponential(2.0F * std::clamp(x, -9.0F, 9.0F));
  return (e - 1.0F) / (e + 1.0F);
}

constexpr float kGelu = 0.7978845608F;  // sqrt(2 / pi)

inline float gelu(float x) {
  return 0.5F * x *
         (1.0F + hyperbolic_tangent(kGelu * (x + 0.044715F * x * x * x)));
}

inline float gelu_slope(float x) {
  const float t = hyperbolic_tangent(kGelu * (x + 0.044715F * x * x * x));
  return 0.5F * (1.0F + t) +
         0.5F * x * (1.0F - t * t) * kGelu * (1.0F + 3 * 0.044715F * x * x);
}

}  // namespace scene
