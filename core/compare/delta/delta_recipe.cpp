// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "core/compare/delta/delta_grid.hpp"
#include "core/formats/gguf/dequantise.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kBlock = 32;  ///< of all types with one quantiser
constexpr std::uint64_t kSuperBlock = 256;
/// Rows that are held in memory at once have at most so many numbers.
constexpr std::uint64_t kMostRow = 1U << 19U;

/// How far two programs' arithmetic in single precision is apart, relative to
/// the number that is rounded: 1/d and a product, each rounded.
constexpr float kArithmetic = 1e-6F;
/// The same in steps: how far from a border between two codes either may come.
constexpr double kBorder = 1e-3;

bool is_floating(Dtype dtype) {
  return traits(dtype).kind == NumberKind::floating;
}

bool rounds(Dtype dtype) {
  return dtype == Dtype::bf16 || dtype == Dtype::f16 ||
         dtype == Dtype::f8_e4m3 || dtype == Dtype::f8_e5m2;
}

/// A number as `dtype` keeps it.
float kept(Dtype dtype, float value) {
  return rounds(dtype) ? round_through(dtype, value) : value;
}

/// Same number; of a product in single precision, one unit in the last place.
bool is_same(float expected, float found) {
  if (std::isnan(expected) || std::isnan(found)) {
    return std::isnan(expected) && std::isnan(found);
  }
  return expected == found ||
         std::abs(expected - found) <= 2.5e-7F * std::abs(expected);
}

/// The largest number of types that programs saturate to in place of infinity.
float largest(Dtype dtype) {
  switch (dtype) {
    case Dtype::f8_e4m3:
      return 448;
    case Dtype::f8_e5m2:
      return 57344;
    case Dtype::f16:
      return 65504;
    default:
      return 0;
  }
}

class Cast final : public Recipe {
 public:
  Cast(Dtype through, Rounding how, Dtype stored)
      : Recipe(false, 1), through_(through), stored_(stored) {
    rounding = how;
  }

  [[nodiscard]] std::string name() const override {
    return std::string(to_string(through_));
  }

  [[nodiscard]] std::uint64_t make(const RecipeWindow& window,
                                   std::span<float> made) const override {
    std::uint64_t bad = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const float old = window.old[i];
      float expected = old;
      if (through_ != Dtype::f32 && through_ != Dtype::f64) {
        expected = rounding == Rounding::toward_zero
                       ? truncate_through(through_, old)
                       : round_through(through_, old);
      }
      expected = kept(stored_, expected);
      const float now = window.now[i];
      bool is_it = expected == now || (std::isnan(expected) && std::isnan(now));
      if (!is_it && !std::isfinite(expected) && std::isfinite(old)) {
        is_it = now == std::copysign(largest(through_), old);
      }
      made[i] = is_it ? now : expected;
      bad += is_it ? 0U : 1U;
    }
    return bad;
  }

 private:
  Dtype through_;
  Dtype stored_;
};

/// Codes of a block type with one quantiser.
struct Codes {
  int low = 0;
  int high = 0;
  bool has_minimum = false;
};

Codes codes_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::q4_0:
      return {-8, 7, false};
    case Dtype::q4_1:
      return {0, 15, true};
    case Dtype::q5_0:
      return {-16, 15, false};
    case Dtype::q5_1:
      return {0, 31, true};
    case Dtype::q2_k:
      return {0, 3, true};
    case Dtype::q3_k:
      return {-4, 3, false};
    case Dtype::q4_k:
      return {0, 15, true};
    case Dtype::q5_k:
      return {0, 31, true};
    case Dtype::q6_k:
      return {-32, 31, false};
    default:
      return {-127, 127, false};
  }
}

struct Extremes {
  float least = 0;
  float most = 0;
  float largest = 0;  ///< of magnitude, with its sign
};

Extremes extremes_of(std::span<const float> numbers) {
  Extremes found{numbers[0], numbers[0], 0};
  for (const float x : numbers) {
    found.least = std::min(found.least, x);
    found.most = std::max(found.most, x);
    if (std::abs(x) > std::abs(found.largest)) found.largest = x;
  }
  return found;
}

/// A step of the reference quantiser, before and after it is stored.
struct Step {
  float plain = 0;
  float stored = 0;
  float base = 0;
};

/// The steps that programs may get for a block: a division or a product with
/// the reciprocal differ in the last place, which can be another F16.
std::vector<Step> steps_of(Dtype dtype, std::span<const float> old) {
  const Extremes at = extremes_of(old);
  const Codes codes = codes_of(dtype);
  float plain = 0;
  if (dtype == Dtype::q8_0) {
    plain = std::abs(at.largest) / 127.0F;
  } else if (codes.has_minimum) {
    plain = (at.most - at.least) / static_cast<float>(codes.high);
  } else {
    plain = at.largest / static_cast<float>(codes.low);
  }
  const float base =
      codes.has_minimum ? round_through(Dtype::f16, at.least) : 0.0F;
  std::vector<Step> steps;
  for (const float times : {1.0F, 1 - 2.4e-7F, 1 + 2.4e-7F}) {
    const float stored = round_through(Dtype::f16, plain * times);
    if (std::any_of(steps.begin(), steps.end(),
                    [&](const Step& s) { return s.stored == stored; })) {
      continue;
    }
    steps.push_back({plain, stored, base});
  }
  return steps;
}

/// The block types with one quantiser, stored as such or decoded again.
class ReferenceBlocks final : public Recipe {
 public:
  ReferenceBlocks(Dtype through, Dtype stored)
      : Recipe(true, kBlock),
        through_(through),
        stored_(stored),
        codes_(codes_of(through)) {}

  [[nodiscard]] std::string name() const override {
    return std::string(to_string(through_));
  }

  [[nodiscard]] std::uint64_t make(const RecipeWindow& window,
                                   std::span<float> made) const override {
    std::uint64_t bad = 0;
    for (std::size_t at = 0; at < made.size(); at += kBlock) {
      const std::size_t n = std::min<std::size_t>(kBlock, made.size() - at);
      if (n < kBlock) return bad + n;
      bad += make_block(window, at, made.subspan(at, n));
    }
    return bad;
  }

 private:
  [[nodiscard]] std::uint64_t make_block(const RecipeWindow& window,
                                         std::size_t at,
                                         std::span<float> made) const {
    const auto old = window.old.subspan(at, kBlock);
    const auto now = window.now.subspan(at, kBlock);
    quantise_and_back(through_, old, made);
    bool is_it = true;
    for (std::size_t i = 0; i < kBlock; ++i) {
      made[i] = kept(stored_, made[i]);
      is_it = is_it && is_same(made[i], now[i]);
    }
    if (is_it) {
      std::copy(now.begin(), now.end(), made.begin());
      return 0;
    }
    if (!std::all_of(old.begin(), old.end(),
                     [](float x) { return std::isfinite(x); })) {
      return count_other(made, now);
    }
    // Few blocks get here: those on a border, and those that are not rounding.
    std::array<float, kBlock> best{};
    std::uint64_t least = kBlock + 1;
    for (const Step& step : steps_of(through_, old)) {
      std::array<float, kBlock> tried{};
      std::uint64_t bad = 0;
      for (std::size_t i = 0; i < kBlock; ++i) {
        const float slack = window.slack.empty() ? 0.0F : window.slack[at + i];
        const bool is_possible = can_be(step, old[i], slack, now[i]);
        tried[i] = is_possible ? now[i] : made[i];
        bad += is_possible ? 0U : 1U;
      }
      if (bad < least) {
        least = bad;
        best = tried;
      }
    }
    if (least > 0 && !window.slack.empty()) {
      // The step came from a number that is not known to the last digit.
      return make_loose(window, at, made);
    }
    std::copy(best.begin(), best.end(), made.begin());
    return least;
  }

  static std::uint64_t count_other(std::span<float> made,
                                   std::span<const float> now) {
    std::uint64_t bad = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (is_same(made[i], now[i])) {
        made[i] = now[i];
      } else {
        ++bad;
      }
    }
    return bad;
  }

  /// Whether `now` is a code that some program gives `old`.
  [[nodiscard]] bool can_be(const Step& step, float old, float slack,
                            float now) const {
    const auto value = [&](float code) {
      const float inside = std::clamp(code, static_cast<float>(codes_.low),
                                      static_cast<float>(codes_.high));
      return kept(stored_, inside * step.stored + step.base);
    };
    if (step.stored == 0) return is_same(kept(stored_, step.base), now);
    const float base = codes_.has_minimum ? step.base : 0.0F;
    for (const float by : {step.plain, step.stored}) {
      if (by == 0) continue;
      const double u = (static_cast<double>(old) - base) / by;
      const double room =
          kBorder + std::abs(u) * kArithmetic + std::abs(slack / by);
      for (const double code :
           {std::floor(u + 0.5 - room), std::floor(u + 0.5 + room)}) {
        if (is_same(value(static_cast<float>(code)), now)) return true;
      }
    }
    return false;
  }

  /// Against numbers that were rounded themselves, the stored scale is taken as
  /// it is, if it is near the one that they give.
  std::uint64_t make_loose(const RecipeWindow& window, std::size_t at,
                           std::span<float> made) const {
    const auto old = window.old.subspan(at, kBlock);
    const auto now = window.now.subspan(at, kBlock);
    const Step step = steps_of(through_, old).front();
    float slack = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      slack = std::max(slack, window.slack[at + i]);
    }
    std::uint64_t bad = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      // Half a step, what the old number may be off, and as much at most for
      // what its block's largest number may be off.
      const float room = 0.5F * std::abs(step.plain) * 1.01F + 2 * slack;
      const float further = codes_.has_minimum || through_ == Dtype::q8_0
                                ? 0.0F
                                : 0.5F * std::abs(step.plain);
      if (std::abs(old[i] - now[i]) <= room + further) {
        made[i] = now[i];
      } else {
        ++bad;
      }
    }
    return bad;
  }

  Dtype through_;
  Dtype stored_;
  Codes codes_;
};

/// Whether there is one scale (and one minimum) with which all codes of a block
/// are the roundings of its old numbers: what a search for a scale leaves.
bool has_common_scale(std::span<const float> old, std::span<const int> codes,
                      const Codes& range) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  const auto low = [&](std::size_t i) {
    return codes[i] == range.low ? -kFar : codes[i] - 0.5 - kBorder;
  };
  const auto high = [&](std::size_t i) {
    return codes[i] == range.high ? kFar : codes[i] + 0.5 + kBorder;
  };
  // p·x − q between low and high; q is 0 or is eliminated.
  double least = -kFar;
  double most = kFar;
  const auto narrow = [&](double x, double from, double to) {
    if (x == 0) return from <= 0 && to >= 0;
    double one = from / x;
    double two = to / x;
    if (x < 0) std::swap(one, two);
    least = std::max(least, one);
    most = std::min(most, two);
    return true;
  };
  for (std::size_t i = 0; i < old.size(); ++i) {
    if (!range.has_minimum) {
      if (!narrow(old[i], low(i), high(i))) return false;
      continue;
    }
    for (std::size_t j = 0; j < i; ++j) {
      const double x = static_cast<double>(old[i]) - old[j];
      if (!narrow(x, low(i) - high(j), high(i) - low(j))) return false;
    }
  }
  return least <= most;
}

/// Q4_0 … Q5_1 with an importance matrix: the scale was searched.
class SearchedBlocks final : public Recipe {
 public:
  explicit SearchedBlocks(Dtype through)
      : Recipe(true, kBlock), through_(through), codes_(codes_of(through)) {
    is_searched = true;
  }

  [[nodiscard]] std::string name() const override {
    return fmt::format("{} (searched scales)", to_string(through_));
  }

  [[nodiscard]] std::uint64_t make(const RecipeWindow& window,
                                   std::span<float> made) const override {
    const std::vector<BlockScale> scales =
        block_scales(through_, window.blocks);
    if (is_plain(scales, window.now)) {
      std::copy(window.old.begin(), window.old.end(), made.begin());
      return made.size();
    }
    std::uint64_t bad = 0;
    for (std::size_t at = 0; at + kBlock <= made.size(); at += kBlock) {
      bad +=
          make_block(scales[at / kBlock], window.old.subspan(at, kBlock),
                     window.now.subspan(at, kBlock), made.subspan(at, kBlock));
    }
    return bad;
  }

 private:
  /// The quantiser without a search gives the largest number of every block the
  /// last code; a search gives some of them another. Blocks that all have it
  /// were made without, and then of other numbers than the old ones: a
  /// fine-tune below the step would pass for a search.
  [[nodiscard]] bool is_plain(const std::vector<BlockScale>& scales,
                              std::span<const float> now) const {
    constexpr std::size_t kFewestBlocks = 256;
    if (scales.size() < kFewestBlocks) return false;
    for (std::size_t block = 0; block < scales.size(); ++block) {
      const BlockScale& scale = scales[block];
      if (scale.step == 0) continue;
      bool has_low = false;
      bool has_high = !codes_.has_minimum;
      for (const float each : now.subspan(block * kBlock, kBlock)) {
        const auto code = std::lround((each - scale.base) / scale.step);
        has_low = has_low || code == codes_.low;
        has_high = has_high || code == codes_.high;
      }
      if (!has_low || !has_high) return false;
    }
    return true;
  }

  /// Measured with importance matrices: 1.42 steps beyond half a stored one.
  static constexpr double kRoom = 1.6;

  std::uint64_t make_block(const BlockScale& scale, std::span<const float> old,
                           std::span<const float> now,
                           std::span<float> made) const {
    const Extremes at = extremes_of(old);
    const double ideal =
        codes_.has_minimum
            ? (at.most - std::min(at.least, 0.0F)) /
                  static_cast<float>(codes_.high)
            : std::abs(at.largest / static_cast<float>(codes_.low));
    std::array<int, kBlock> codes{};
    const bool has_step = scale.step != 0;
    for (std::size_t i = 0; i < kBlock && has_step; ++i) {
      codes[i] =
          static_cast<int>(std::lround((now[i] - scale.base) / scale.step));
    }
    const bool is_common = !has_step || has_common_scale(old, codes, codes_);
    std::uint64_t bad = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const double off = std::abs(static_cast<double>(old[i]) - now[i]);
      bool is_bad = off > 0.5 * std::abs(scale.step) + kRoom * ideal;
      if (has_step && !is_common) {
        const double u = std::clamp<double>(
            (static_cast<double>(old[i]) - scale.base) / scale.step, codes_.low,
            codes_.high);
        is_bad = is_bad || std::abs(codes[i] - u) > 0.5 + kBorder;
      }
      if (!has_step) is_bad = is_bad || off > 0.5 * ideal;
      made[i] = is_bad ? old[i] : now[i];
      bad += is_bad ? 1U : 0U;
    }
    return bad;
  }

  Dtype through_;
  Codes codes_;
};

/// Q2_K to Q6_K: scales are searched, and each number is the nearest that its
/// stored scale allows.
class NestedBlocks final : public Recipe {
 public:
  explicit NestedBlocks(Dtype through)
      : Recipe(true, kSuperBlock),
        through_(through),
        codes_(codes_of(through)),
        run_(static_cast<std::size_t>(numbers_per_scale(through))) {}

  [[nodiscard]] std::string name() const override {
    return std::string(to_string(through_));
  }

  [[nodiscard]] std::uint64_t make(const RecipeWindow& window,
                                   std::span<float> made) const override {
    const std::vector<BlockScale> scales =
        block_scales(through_, window.blocks);
    std::uint64_t bad = 0;
    for (std::size_t at = 0; at + kSuperBlock <= made.size();
         at += kSuperBlock) {
      double largest_step = 0;
      for (std::size_t i = at; i < at + kSuperBlock; i += run_) {
        largest_step =
            std::max(largest_step, ideal_step(window.old.subspan(i, run_)));
      }
      for (std::size_t i = at; i < at + kSuperBlock; ++i) {
        const bool is_bad = !can_be(scales[i / run_], largest_step, window, i);
        made[i] = is_bad ? window.old[i] : window.now[i];
        bad += is_bad ? 1U : 0U;
      }
    }
    return bad;
  }

 private:
  /// What the search may do, in ideal steps of the block (the largest of its
  /// runs). Measured on ggml's quantisers, with moderate importance matrices:
  /// Q2_K 0.98, Q3_K 1.08, Q4_K 1.02, Q5_K 1.16, Q6_K 1.35.
  [[nodiscard]] double room() const {
    if (through_ == Dtype::q2_k) return 1.2;
    return through_ == Dtype::q3_k ? 1.5 : 2;
  }

  [[nodiscard]] double ideal_step(std::span<const float> old) const {
    const Extremes at = extremes_of(old);
    if (codes_.has_minimum) {
      return (at.most - std::min(at.least, 0.0F)) /
             static_cast<float>(codes_.high);
    }
    return std::abs(static_cast<double>(at.largest)) / -codes_.low;
  }

  [[nodiscard]] bool can_be(const BlockScale& scale, double largest_step,
                            const RecipeWindow& window, std::size_t i) const {
    const double old = window.old[i];
    const double now = window.now[i];
    const double slack = window.slack.empty()
                             ? 0
                             : std::abs(static_cast<double>(window.slack[i]));
    const double off = std::abs(old - now);
    // A scale of nothing: a run so much smaller than its neighbours.
    if (scale.step == 0) return off <= 0.5 * largest_step + slack;
    const double code = std::nearbyint((now - scale.base) / scale.step);
    const double u = std::clamp<double>((old - scale.base) / scale.step,
                                        codes_.low, codes_.high);
    if (!(std::abs(code - u) <= 0.5 + kBorder + slack / std::abs(scale.step))) {
      return false;
    }
    return off <= room() * largest_step + slack +
                      (slack > 0 ? 0.5 * std::abs(scale.step) : 0);
  }

  Dtype through_;
  Codes codes_;
  std::size_t run_;
};

// A scale for a run of numbers, decoded again.

/// Numbers that share a scale.
enum class Run : std::uint8_t { group, row, tensor };

/// What the codes stand for.
enum class CodeBook : std::uint8_t {
  int8,       ///< max|x|/127
  uint8,      ///< (max − min)/255 and a zero point
  int4_full,  ///< max|x|/8, from −8 to 7
  int4_even,  ///< max|x|/7
  uint4,      ///< (max − min)/15 and a zero point
  nf4,        ///< sixteen quantiles of a normal distribution
  fp4,        ///< E2M1, the largest is 6
  fp4_bnb,    ///< bitsandbytes': 1/192 of the largest in place of its twelfth
  f8_e4m3,    ///< max|x|/448
  f8_e5m2,    ///< max|x|/57344
};

struct BookWords {
  CodeBook book;
  std::string_view name;
};

constexpr auto kBooks = std::to_array<BookWords>({
    {CodeBook::int8, "INT8"},
    {CodeBook::uint8, "UINT8 with a zero point"},
    {CodeBook::int4_even, "INT4"},
    {CodeBook::int4_full, "INT4 (-8 to 7)"},
    {CodeBook::uint4, "INT4 with a zero point"},
    {CodeBook::nf4, "NF4"},
    {CodeBook::fp4, "FP4"},
    {CodeBook::fp4_bnb, "FP4 of bitsandbytes"},
    {CodeBook::f8_e4m3, "F8_E4M3 with a scale"},
    {CodeBook::f8_e5m2, "F8_E5M2 with a scale"},
});

/// bitsandbytes/functional.py, create_normal_map(): QLoRA, arXiv:2305.14314.
constexpr std::array<float, 16> kNormalFloats = {-1.0F,
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
                                                 1.0F};
constexpr std::array<float, 15> kFp4 = {-6.0F, -4.0F, -3.0F, -2.0F, -1.5F,
                                        -1.0F, -0.5F, 0.0F,  0.5F,  1.0F,
                                        1.5F,  2.0F,  3.0F,  4.0F,  6.0F};
/// bitsandbytes/functional.py, get_4bit_type("fp4"), in units of E2M1.
constexpr std::array<float, 15> kBitsandbytesFp4 = {
    -6.0F,    -4.0F, -3.0F, -2.0F, -1.5F, -1.0F, -0.03125F, 0.0F,
    0.03125F, 1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F};

float nearest_level(std::span<const float> levels, float x) {
  const auto above = std::lower_bound(levels.begin(), levels.end(), x);
  if (above == levels.begin()) return levels.front();
  if (above == levels.end()) return levels.back();
  return x - *(above - 1) < *above - x ? *(above - 1) : *above;
}

class ScaledCodes final : public Recipe {
 public:
  ScaledCodes(const BookWords& book, Run run, std::uint64_t numbers,
              Dtype scale_type, Dtype stored,
              const std::optional<Extremes>& whole)
      : Recipe(true, run == Run::tensor ? 1 : numbers),
        book_(book),
        run_(run),
        scale_type_(scale_type),
        stored_(stored),
        whole_(whole) {}

  [[nodiscard]] std::string name() const override {
    if (run_ == Run::row) return fmt::format("{} per row", book_.name);
    if (run_ == Run::tensor) return fmt::format("{} per tensor", book_.name);
    return fmt::format("{} in groups of {}", book_.name, unit);
  }

  [[nodiscard]] std::uint64_t make(const RecipeWindow& window,
                                   std::span<float> made) const override {
    std::uint64_t bad = 0;
    const std::size_t run =
        whole_ ? made.size() : static_cast<std::size_t>(unit);
    for (std::size_t at = 0; at < made.size(); at += run) {
      const std::size_t n = std::min(run, made.size() - at);
      const auto old = window.old.subspan(at, n);
      const Scale scale = scale_of(whole_ ? *whole_ : extremes_of(old));
      for (std::size_t i = 0; i < n; ++i) {
        const float now = window.now[at + i];
        const bool is_it = can_be(scale, old[i], now);
        made[at + i] = is_it ? now : value(scale, old[i]);
        bad += is_it ? 0U : 1U;
      }
    }
    return bad;
  }

  /// A few numbers of the first run: one recipe of a hundred and fifty.
  [[nodiscard]] bool fails_on(const RecipeWindow& window,
                              std::span<float> made) const override {
    constexpr std::size_t kLooked = 24;
    const std::size_t run =
        std::min(made.size(), static_cast<std::size_t>(unit));
    const Scale scale =
        scale_of(whole_ ? *whole_ : extremes_of(window.old.first(run)));
    const std::size_t n = std::min(whole_ ? made.size() : run, kLooked);
    std::size_t bad = 0;
    for (std::size_t i = 0; i < n; ++i) {
      bad += can_be(scale, window.old[i], window.now[i]) ? 0U : 1U;
    }
    return 2 * bad > n;
  }

 private:
  struct Scale {
    float step = 0;
    float zero = 0;  ///< code of the number 0
  };

  [[nodiscard]] bool can_be(const Scale& scale, float old, float now) const {
    return is_same(value(scale, old), now) ||
           is_same(value(scale, old * (1 + kArithmetic)), now) ||
           is_same(value(scale, old * (1 - kArithmetic)), now);
  }

  [[nodiscard]] Scale scale_of(const Extremes& at) const {
    const float most = std::abs(at.largest);
    Scale scale;
    switch (book_.book) {
      case CodeBook::int8:
        scale.step = most / 127.0F;
        break;
      case CodeBook::int4_full:
        scale.step = most / 8.0F;
        break;
      case CodeBook::int4_even:
        scale.step = most / 7.0F;
        break;
      case CodeBook::nf4:
        scale.step = most;
        break;
      case CodeBook::fp4:
      case CodeBook::fp4_bnb:
        scale.step = most / 6.0F;
        break;
      case CodeBook::f8_e4m3:
        scale.step = most / 448.0F;
        break;
      case CodeBook::f8_e5m2:
        scale.step = most / 57344.0F;
        break;
      case CodeBook::uint8:
      case CodeBook::uint4: {
        const float low = std::min(at.least, 0.0F);
        const float high = std::max(at.most, 0.0F);
        scale.step = (high - low) / (book_.book == CodeBook::uint8 ? 255 : 15);
        break;
      }
    }
    scale.step = kept(scale_type_, scale.step);
    if ((book_.book == CodeBook::uint8 || book_.book == CodeBook::uint4) &&
        scale.step > 0) {
      scale.zero = std::nearbyint(-std::min(at.least, 0.0F) / scale.step);
    }
    return scale;
  }

  [[nodiscard]] float value(const Scale& scale, float old) const {
    if (!(scale.step > 0)) return 0;
    const float u = old / scale.step;
    float code = 0;
    switch (book_.book) {
      case CodeBook::int8:
        code = std::clamp(std::nearbyint(u), -128.0F, 127.0F);
        break;
      case CodeBook::int4_full:
        code = std::clamp(std::nearbyint(u), -8.0F, 7.0F);
        break;
      case CodeBook::int4_even:
        code = std::clamp(std::nearbyint(u), -8.0F, 7.0F);
        break;
      case CodeBook::uint8:
      case CodeBook::uint4:
        code = std::clamp(std::nearbyint(u) + scale.zero, 0.0F,
                          book_.book == CodeBook::uint8 ? 255.0F : 15.0F) -
               scale.zero;
        break;
      case CodeBook::nf4:
        code = nearest_level(kNormalFloats, u);
        break;
      case CodeBook::fp4:
        code = nearest_level(kFp4, u);
        break;
      case CodeBook::fp4_bnb:
        code = nearest_level(kBitsandbytesFp4, u);
        break;
      case CodeBook::f8_e4m3:
        code = round_through(Dtype::f8_e4m3, std::clamp(u, -448.0F, 448.0F));
        break;
      case CodeBook::f8_e5m2:
        code =
            round_through(Dtype::f8_e5m2, std::clamp(u, -57344.0F, 57344.0F));
        break;
    }
    return kept(stored_, code * scale.step);
  }

  BookWords book_;
  Run run_;
  Dtype scale_type_;
  Dtype stored_;
  std::optional<Extremes> whole_;
};

/// Least, most and largest number of a tensor.
Extremes extremes_of(const TensorBytes& tensor) {
  std::optional<Extremes> whole;
  std::vector<float> numbers;
  for (std::uint64_t at = 0; at < tensor.numbers(); at += kMostRow) {
    numbers.resize(
        static_cast<std::size_t>(std::min(kMostRow, tensor.numbers() - at)));
    tensor.read_floats(at, numbers);
    const Extremes some = extremes_of(numbers);
    if (!whole) {
      whole = some;
      continue;
    }
    whole->least = std::min(whole->least, some.least);
    whole->most = std::max(whole->most, some.most);
    if (std::abs(some.largest) > std::abs(whole->largest)) {
      whole->largest = some.largest;
    }
  }
  return whole.value_or(Extremes{});
}

/// One scale for a whole tensor leaves few numbers: without that sign of it,
/// nobody reads the tensor for its largest.
bool has_few_levels(const TensorBytes& after) {
  constexpr std::uint64_t kLooked = 4096;
  constexpr std::size_t kMostLevels = 256;
  std::vector<float> numbers(
      static_cast<std::size_t>(std::min(kLooked, after.numbers())));
  after.read_floats(0, numbers);
  const std::size_t all = numbers.size();
  std::sort(numbers.begin(), numbers.end());
  const auto levels = static_cast<std::size_t>(
      std::unique(numbers.begin(), numbers.end()) - numbers.begin());
  return levels <= std::min(kMostLevels, all / 2);
}

void add_scaled(const TensorBytes& before, const TensorBytes& after,
                std::vector<std::unique_ptr<Recipe>>& recipes) {
  constexpr std::array<Dtype, 3> kScaleTypes = {Dtype::f32, Dtype::f16,
                                                Dtype::bf16};
  constexpr std::array<std::uint64_t, 4> kGroups = {32, 64, 128, 256};
  const std::uint64_t columns = after.columns();
  std::optional<Extremes> whole;
  if (has_few_levels(after)) whole = extremes_of(before);
  for (const BookWords& book : kBooks) {
    for (const Dtype scale_type : kScaleTypes) {
      const auto add = [&](Run run, std::uint64_t numbers) {
        recipes.push_back(std::make_unique<ScaledCodes>(
            book, run, numbers, scale_type, after.dtype,
            run == Run::tensor ? whole : std::nullopt));
      };
      if (whole) add(Run::tensor, after.numbers());
      if (after.rows() > 1 && columns <= kMostRow && columns > kBlock) {
        add(Run::row, columns);
      }
      for (const std::uint64_t group : kGroups) {
        if (columns % group == 0 && columns > group) add(Run::group, group);
      }
    }
  }
}

// The scales of blocks.

unsigned byte_at(ByteView block, std::size_t at) {
  return std::to_integer<unsigned>(block[at]);
}

float f16_at(ByteView block, std::size_t at) {
  return from_f16(static_cast<std::uint16_t>(byte_at(block, at) |
                                             (byte_at(block, at + 1) << 8U)));
}

float factor(int code) { return static_cast<float>(code); }

void q2_k_scales(ByteView b, std::vector<BlockScale>& out) {
  const float d = f16_at(b, 80);
  const float dmin = f16_at(b, 82);
  for (std::size_t i = 0; i < 16; ++i) {
    const auto scale = static_cast<int>(byte_at(b, i));
    out.push_back({d * factor(scale & 15), -dmin * factor(scale >> 4)});
  }
}

void q3_k_scales(ByteView b, std::vector<BlockScale>& out) {
  const float d = f16_at(b, 108);
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned low = (byte_at(b, 96 + i % 8) >> (i < 8 ? 0U : 4U)) & 15U;
    const unsigned high = (byte_at(b, 104 + i % 4) >> (2U * (i / 4U))) & 3U;
    out.push_back({d * factor(static_cast<int>(low | (high << 4U)) - 32), 0});
  }
}

void q4_k_scales(ByteView b, std::vector<BlockScale>& out) {
  const float d = f16_at(b, 0);
  const float dmin = f16_at(b, 2);
  for (std::size_t j = 0; j < 8; ++j) {
    unsigned scale = byte_at(b, 4 + j) & 63U;
    unsigned minimum = byte_at(b, 4 + j + (j < 4 ? 4 : 0)) & 63U;
    if (j >= 4) {
      const unsigned both = byte_at(b, 4 + j + 4);
      scale = (both & 15U) | ((byte_at(b, 4 + j - 4) >> 6U) << 4U);
      minimum = (both >> 4U) | ((byte_at(b, 4 + j) >> 6U) << 4U);
    }
    out.push_back({d * factor(static_cast<int>(scale)),
                   -dmin * factor(static_cast<int>(minimum))});
  }
}

void q6_k_scales(ByteView b, std::vector<BlockScale>& out) {
  const float d = f16_at(b, 208);
  for (std::size_t i = 0; i < 16; ++i) {
    const auto scale = static_cast<std::int8_t>(byte_at(b, 192 + i));
    out.push_back({d * factor(scale), 0});
  }
}

}  // namespace

std::uint64_t numbers_per_scale(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::q4_0:
    case Dtype::q4_1:
    case Dtype::q5_0:
    case Dtype::q5_1:
    case Dtype::q8_0:
    case Dtype::q4_k:
    case Dtype::q5_k:
      return 32;
    case Dtype::q2_k:
    case Dtype::q3_k:
    case Dtype::q6_k:
      return 16;
    default:
      return 0;
  }
}

std::vector<BlockScale> block_scales(Dtype dtype, ByteView blocks) {
  std::vector<BlockScale> scales;
  const std::size_t size = traits(dtype).block_bits / 8;
  for (std::size_t at = 0; at + size <= blocks.size(); at += size) {
    const ByteView block = blocks.subspan(at, size);
    switch (dtype) {
      case Dtype::q2_k:
        q2_k_scales(block, scales);
        break;
      case Dtype::q3_k:
        q3_k_scales(block, scales);
        break;
      case Dtype::q4_k:
      case Dtype::q5_k:
        q4_k_scales(block, scales);
        break;
      case Dtype::q6_k:
        q6_k_scales(block, scales);
        break;
      case Dtype::q4_1:
      case Dtype::q5_1:
        scales.push_back({f16_at(block, 0), f16_at(block, 2)});
        break;
      default:
        scales.push_back({f16_at(block, 0), 0});
        break;
    }
  }
  return scales;
}

std::vector<std::unique_ptr<Recipe>> recipes_for(const TensorBytes& before,
                                                 const TensorBytes& after) {
  std::vector<std::unique_ptr<Recipe>> recipes;
  if (after.grid != nullptr) {
    // Between two of them, what changed is a change of codes.
    if (before.grid == nullptr) {
      recipes.push_back(grid_recipe(before, after));
    }
    return recipes;
  }
  const std::uint64_t columns = after.columns();
  const auto fits = [&](std::uint64_t block) { return columns % block == 0; };
  if (numbers_per_scale(after.dtype) > 0) {
    if (has_one_quantiser(after.dtype)) {
      recipes.push_back(
          std::make_unique<ReferenceBlocks>(after.dtype, Dtype::f32));
      if (after.dtype != Dtype::q8_0) {
        recipes.push_back(std::make_unique<SearchedBlocks>(after.dtype));
      }
    } else {
      recipes.push_back(std::make_unique<NestedBlocks>(after.dtype));
    }
    return recipes;
  }
  if (!is_floating(after.dtype)) return recipes;
  if (before.dtype != after.dtype &&
      (after.dtype == Dtype::f32 || after.dtype == Dtype::f64)) {
    // A larger type with the same numbers.
    recipes.push_back(
        std::make_unique<Cast>(after.dtype, Rounding::nearest, after.dtype));
  }
  for (const Dtype dtype :
       {Dtype::bf16, Dtype::f16, Dtype::f8_e4m3, Dtype::f8_e5m2}) {
    // Casting to the type that it has changes nothing.
    if (dtype == before.dtype) continue;
    recipes.push_back(
        std::make_unique<Cast>(dtype, Rounding::nearest, after.dtype));
  }
  for (const Dtype dtype :
       {Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1}) {
    // A block cannot lie across two rows.
    if (!fits(kBlock)) break;
    recipes.push_back(std::make_unique<ReferenceBlocks>(dtype, after.dtype));
  }
  // After all that rounds: numbers that both explain were rounded.
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    if (dtype == before.dtype) continue;
    recipes.push_back(
        std::make_unique<Cast>(dtype, Rounding::toward_zero, after.dtype));
  }
  add_scaled(before, after, recipes);
  return recipes;
}

}  // namespace impound
