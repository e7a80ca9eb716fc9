// SPDX-License-Identifier: Apache-2.0
// Codes with a scale for a run of numbers, decoded again: NF4, FP4, F8 and
// codes with a zero point. What each makes is written here once more, from the
// papers, and stands on both sides of each bound: what the recipe makes, and
// what is just beyond it.
#include <algorithm>
#include <array>
#include <functional>

#include "core/compare/delta/delta_label.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"

namespace impound::test {
namespace {

/// Sixteen quantiles of a normal distribution, as bitsandbytes has them.
const std::vector<float> kNormal = {
    -1.0F,
    -0.6961928009986877F,
    -0.5250730514526367F,
    -0.39491748809814453F,
    -0.28444138169288635F,
    -0.18477343022823334F,
    -0.09105003625154495F,
    0.0F,
    0.07958029955625534F,
    0.16093020141124725F,
    0.24611230194568634F,
    0.33791524171829224F,
    0.44070982933044434F,
    0.5626170039176941F,
    0.7229568362236023F,
    1.0F,
};
const std::vector<float> kE2M1 = {-6,   -4, -3,   -2, -1.5F, -1, -0.5F, 0,
                                  0.5F, 1,  1.5F, 2,  3,     4,  6};
const std::vector<float> kBitsandbytes = {
    -6, -4, -3, -2, -1.5F, -1, -0.03125F, 0, 0.03125F, 1, 1.5F, 2, 3, 4, 6};

/// All finite numbers of a type of one byte.
std::vector<float> numbers_of(Dtype dtype) {
  std::vector<float> levels;
  for (unsigned code = 0; code < 256; ++code) {
    const float value =
        from_small_float(dtype, static_cast<std::uint8_t>(code));
    if (std::isfinite(value)) levels.push_back(value);
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

std::vector<float> integers(int low, int high) {
  std::vector<float> levels;
  for (int i = low; i <= high; ++i) levels.push_back(static_cast<float>(i));
  return levels;
}

/// One way of storing numbers: levels, and what the largest of a run is worth.
struct Way {
  const char* name;
  std::vector<float> levels;
  std::size_t run;  ///< numbers with one scale
  float top;        ///< level of the largest magnitude; 0: a zero point
};

constexpr std::size_t kRows = 64;
constexpr std::size_t kColumns = 512;

std::vector<Way> ways() {
  return {
      {"NF4 in groups of 64", kNormal, 64, 1},
      {"NF4 per row", kNormal, kColumns, 1},
      {"FP4 in groups of 32", kE2M1, 32, 6},
      {"FP4 per tensor", kE2M1, kRows * kColumns, 6},
      {"FP4 of bitsandbytes in groups of 64", kBitsandbytes, 64, 6},
      {"F8_E4M3 with a scale per row", numbers_of(Dtype::f8_e4m3), kColumns,
       448},
      {"F8_E4M3 with a scale per tensor", numbers_of(Dtype::f8_e4m3),
       kRows * kColumns, 448},
      {"F8_E5M2 with a scale in groups of 128", numbers_of(Dtype::f8_e5m2), 128,
       57344},
      {"UINT8 with a zero point per row", integers(0, 255), kColumns, 0},
      {"UINT8 with a zero point in groups of 128", integers(0, 255), 128, 0},
      {"INT4 with a zero point in groups of 128", integers(0, 15), 128, 0},
      {"INT4 with a zero point in groups of 32", integers(0, 15), 32, 0},
  };
}

struct Scale {
  float step = 0;
  float zero = 0;
};

Scale scale_of(const Way& way, std::span<const float> run) {
  const auto [low, high] = std::minmax_element(run.begin(), run.end());
  if (way.top > 0) {
    return {std::max(std::abs(*low), std::abs(*high)) / way.top, 0};
  }
  const float least = std::min(*low, 0.0F);
  const float most = std::max(*high, 0.0F);
  const float step = (most - least) / way.levels.back();
  return {step, std::nearbyint(-least / step)};
}

/// Number of the nearest level.
std::size_t code_of(const Way& way, const Scale& scale, float number) {
  const float u = way.top > 0
                      ? number / scale.step
                      : std::nearbyint(number / scale.step) + scale.zero;
  std::size_t best = 0;
  for (std::size_t i = 1; i < way.levels.size(); ++i) {
    if (std::abs(way.levels[i] - u) < std::abs(way.levels[best] - u)) best = i;
  }
  return best;
}

float value_of(const Way& way, const Scale& scale, std::size_t code) {
  return (way.levels[code] - scale.zero) * scale.step;
}

Floats rounded(const Way& way, const Floats& numbers) {
  Floats made(numbers.size());
  for (std::size_t at = 0; at < numbers.size(); at += way.run) {
    const auto run = std::span(numbers).subspan(at, way.run);
    const Scale scale = scale_of(way, run);
    for (std::size_t i = 0; i < way.run; ++i) {
      made[at + i] = value_of(way, scale, code_of(way, scale, run[i]));
    }
  }
  return made;
}

Floats weights() {
  Made made;
  made.rows = kRows;
  made.columns = kColumns;
  return made.weights();
}

TensorFindings found_in(const Floats& before, const Floats& after) {
  const Bytes old = encode(Dtype::f32, before);
  const Bytes now = encode(Dtype::f32, after);
  const SpanSource one(old);
  const SpanSource two(now);
  const Cancellation cancellation;
  const auto tensor = [](const SpanSource& source) {
    return TensorBytes{.source = &source,
                       .dtype = Dtype::f32,
                       .shape = {kRows, kColumns},
                       .offset = 0,
                       .size = source.size()};
  };
  return decide(tensor(one), tensor(two), 2, cancellation);
}

bool is_cleared(const TensorFindings& found) {
  return found.label == "quantised" || found.label == "cast" ||
         found.label == "identical";
}

/// A number in the middle of a run that is not its largest, by its place.
constexpr std::size_t kPlace = 17 * kColumns + 200;

/// Old numbers in which the one at kPlace lies `off` of itself above the middle
/// between two codes, and the two numbers that they are worth.
struct Between {
  Floats numbers;
  float lower = 0;
  float upper = 0;
};

Between between(const Way& way, float off) {
  Between made{weights()};
  // Half a standard deviation: nobody's largest number.
  made.numbers[kPlace] = 0.01F;
  const std::size_t at = kPlace / way.run * way.run;
  const Scale scale =
      scale_of(way, std::span(made.numbers).subspan(at, way.run));
  const std::size_t code = code_of(way, scale, 0.01F);
  made.lower = value_of(way, scale, code);
  made.upper = value_of(way, scale, code + 1);
  made.numbers[kPlace] = (made.lower + made.upper) / 2 * (1 + off);
  return made;
}

TEST_CASE("codes with a scale for a run are found, by name and by every number",
          "[compare][delta][recipe]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    const TensorFindings found = found_in(w, rounded(way, w));
    INFO(way.name << ": " << found.because);
    CHECK(found.label == "quantised");
    REQUIRE(found.recast);
    CHECK(found.recast->through == way.name);
    CHECK(found.recast->unexplained == 0);
  }
}

TEST_CASE("one code that is not the nearest is not cleared, and counted",
          "[compare][delta][recipe]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    const std::size_t at = kPlace / way.run * way.run;
    const Scale scale = scale_of(way, std::span(w).subspan(at, way.run));
    const std::size_t code = code_of(way, scale, w[kPlace]);
    for (const std::size_t other : {code - 1, code + 1}) {
      // Beside the first and the last level there is one neighbour.
      if (other >= way.levels.size()) continue;
      Floats after = rounded(way, w);
      after[kPlace] = value_of(way, scale, other);
      const TensorFindings found = found_in(w, after);
      INFO(way.name << ": " << found.because);
      CHECK_FALSE(is_cleared(found));
      REQUIRE(found.recast);
      CHECK(found.recast->unexplained == 1);
      REQUIRE(found.lines);
      REQUIRE(found.lines->first_rows.size() == 1);
      CHECK(found.lines->first_rows.front().row == kPlace / kColumns);
    }
  }
}

TEST_CASE(
    "between two codes either is right, and no further than programs differ",
    "[compare][delta][recipe]") {
  for (const Way& way : ways()) {
    INFO(way.name);
    const auto is_taken = [&](float off, bool upper) {
      const Between at = between(way, off);
      Floats after = rounded(way, at.numbers);
      after[kPlace] = upper ? at.upper : at.lower;
      const TensorFindings found = found_in(at.numbers, after);
      UNSCOPED_INFO(found.because);
      return is_cleared(found);
    };
    // Two programs' divisions are apart by less than 1e-6 of the number.
    CHECK(is_taken(0, true));
    CHECK(is_taken(0, false));
    CHECK(is_taken(3e-6F, true));
    CHECK_FALSE(is_taken(3e-6F, false));
    CHECK(is_taken(-3e-6F, false));
    CHECK_FALSE(is_taken(-3e-6F, true));
  }
}

TEST_CASE("a row that was changed before codes with a scale is named",
          "[compare][delta][recipe]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    // A row of it changes the scale of all that share one with it.
    if (way.run > kColumns) continue;
    Floats changed = w;
    for (std::size_t j = 0; j < kColumns; ++j)
      changed[9 * kColumns + j] *= -1.5F;
    const TensorFindings found = found_in(w, rounded(way, changed));
    INFO(way.name << ": " << found.because);
    CHECK_FALSE(is_cleared(found));
    REQUIRE(found.lines);
    REQUIRE(found.lines->first_rows.size() == 1);
    CHECK(found.lines->first_rows.front().row == 9);
  }
}

TEST_CASE(
    "another scale than the largest number of a run asks for is not cleared",
    "[compare][delta][recipe]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    const std::size_t at = kPlace / way.run * way.run;
    Scale scale = scale_of(way, std::span(w).subspan(at, way.run));
    scale.step *= 1.01F;
    Floats after = rounded(way, w);
    for (std::size_t i = at; i < at + way.run; ++i) {
      after[i] = value_of(way, scale, code_of(way, scale, w[i]));
    }
    const TensorFindings found = found_in(w, after);
    INFO(way.name << ": " << found.because);
    CHECK_FALSE(is_cleared(found));
  }
}

TEST_CASE("scales that are kept in sixteen bits are the recipe's own",
          "[compare][delta][recipe]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    if (way.run > kColumns) continue;
    for (const Dtype kept : {Dtype::f16, Dtype::bf16}) {
      // F16 has no number for the step of an E5M2 of small weights but in
      // steps of its own.
      if (kept == Dtype::f16 && way.top == 57344) continue;
      Floats after(w.size());
      for (std::size_t at = 0; at < w.size(); at += way.run) {
        const auto run = std::span(w).subspan(at, way.run);
        Scale scale = scale_of(way, run);
        scale.step = round_through(kept, scale.step);
        if (way.top == 0) {
          const float least =
              std::min(*std::min_element(run.begin(), run.end()), 0.0F);
          scale.zero = std::nearbyint(-least / scale.step);
        }
        for (std::size_t i = 0; i < way.run; ++i) {
          after[at + i] = value_of(way, scale, code_of(way, scale, run[i]));
        }
      }
      const TensorFindings found = found_in(w, after);
      INFO(way.name << " " << to_string(kept) << ": " << found.because);
      CHECK(found.label == "quantised");
      after[kPlace] += 1e-3F;
      CHECK_FALSE(is_cleared(found_in(w, after)));
    }
  }
}

}  // namespace
}  // namespace impound::test
