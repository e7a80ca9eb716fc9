// SPDX-License-Identifier: Apache-2.0
/// What a change is called, on each side of the numbers of delta_bounds.hpp
/// that delta_rank_test.cpp and delta_label_test.cpp do not stand at.
#include "core/compare/delta/delta_bounds.hpp"

#include <cmath>

#include "core/compare/delta/delta_label.hpp"
#include "core/compare/delta/delta_rank.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"

namespace impound::test {
namespace {

using namespace delta_bounds;

constexpr double kBelow = 1 - 1e-6;
constexpr double kAbove = 1 + 1e-6;

/// A spectrum of a change of a matrix of 1000 by 1000, all of it changed.
struct Shape {
  Spectrum spectrum;
  DeltaStatistics statistics;
  double rounding = 0;

  /// Singular values `first`, then 1 and falling by `fall` each; squares are
  /// theirs unless a test says otherwise.
  explicit Shape(std::vector<double> first, double fall = 0.95) {
    spectrum.rows = 1000;
    spectrum.columns = 1000;
    spectrum.rows_changed = 1000;
    spectrum.columns_changed = 1000;
    spectrum.sigma = std::move(first);
    double next = 1;
    while (spectrum.sigma.size() < kMostRank + 16) {
      spectrum.sigma.push_back(next);
      next *= fall;
    }
    for (const double sigma : spectrum.sigma) {
      spectrum.squares += sigma * sigma;
    }
    statistics.elements = 1'000'000;
    statistics.sums.changed = 1'000'000;
  }
  [[nodiscard]] double rest(std::size_t rank) const {
    return (1 - spectrum.energy(rank)) * spectrum.squares;
  }
  /// Squares beyond what the singular values hold.
  Shape& more(double squares) {
    spectrum.squares += squares;
    return *this;
  }
  [[nodiscard]] RankFindings judge() const {
    return judge_spectrum(spectrum, statistics, rounding);
  }
  [[nodiscard]] TensorLabel label() const {
    const RankFindings found = judge();
    UNSCOPED_INFO(found.because);
    return found.label;
  }
};

TEST_CASE("a change of low rank ends with its step, on the number",
          "[compare][delta][bounds]") {
  const auto label_at = [](double step) {
    Shape shape({step});
    shape.rounding = shape.rest(1);
    return shape.label();
  };
  CHECK(label_at(kLowRankStep * kAbove) == "rank-one");
  CHECK(label_at(kLowRankStep * kBelow) != "rank-one");
}

TEST_CASE("what remains is rounding up to the room that rounding needs",
          "[compare][delta][bounds]") {
  const auto label_at = [](double room) {
    Shape shape({kLowRankStep + 1});
    shape.rounding = shape.rest(1) / room;
    return shape.label();
  };
  CHECK(label_at(kRoundingRoom * kBelow) == "rank-one");
  CHECK(label_at(kRoundingRoom * kAbove) != "rank-one");
}

TEST_CASE("a rest that floats cannot see is nothing, one that they see is not",
          "[compare][delta][bounds]") {
  const auto label_at = [](double share) {
    Shape shape({10}, 0.5);
    // The rest of the squares is this share of them all.
    const double tail = shape.rest(1);
    const double first = std::sqrt(tail / share - tail);
    shape.spectrum.squares += first * first - 100;
    shape.spectrum.sigma[0] = first;
    return shape.label();
  };
  CHECK(label_at(kSmallRest * (1 - 1e-4)) == "rank-one");
  CHECK(label_at(kSmallRest * (1 + 1e-4)) == "dense+low-rank");
}

TEST_CASE("a step to noise without direction is shorter",
          "[compare][delta][bounds]") {
  // So much noise beside the components that the second lies within it.
  const auto noisy = [](double step) { return Shape({step}, 1).more(400); };
  REQUIRE(noisy(kStepToNoise * kAbove).spectrum.significant_rank() == 1);
  CHECK(noisy(kStepToNoise * kAbove).label() == "dense+low-rank");
  CHECK(noisy(kStepToNoise * kBelow).label() == "dense");
}

TEST_CASE("noise is flat over so many components, and no steeper",
          "[compare][delta][bounds]") {
  const auto label_at = [](std::size_t from, double drop) {
    Shape shape({3}, 1);
    for (std::size_t i = from; i < shape.spectrum.sigma.size(); ++i) {
      shape.spectrum.sigma[i] = 1 / drop;
    }
    shape.more(400);
    REQUIRE(shape.spectrum.significant_rank() == 1);
    return shape.label();
  };
  constexpr std::size_t kLast = 1 + kFlatComponents;
  CHECK(label_at(kLast, kFlat * kBelow) == "dense+low-rank");
  CHECK(label_at(kLast, kFlat * kAbove) == "dense");
  CHECK(label_at(kLast + 1, kFlat * 1.5) == "dense+low-rank");
}

TEST_CASE("a change of few elements is sparse, up to the share",
          "[compare][delta][bounds]") {
  const auto label_at = [](double share) {
    Shape shape({1});
    shape.statistics.sums.changed = static_cast<std::uint64_t>(
        std::llround(share * static_cast<double>(shape.statistics.elements)));
    return shape.label();
  };
  CHECK(label_at(kSparseShare - 1e-6) == "sparse");
  CHECK(label_at(kSparseShare) == "dense");
  // Of a vector, too, which has no spectrum.
  const auto vector_at = [](std::uint64_t changed) {
    DeltaStatistics statistics;
    statistics.elements = 1000;
    statistics.sums.changed = changed;
    Spectrum none;
    none.missing = "a vector";
    return judge_spectrum(none, statistics, 0).label;
  };
  CHECK(vector_at(99) == "sparse");
  CHECK(vector_at(100) == "dense");
}

TEST_CASE("a spread change of the size of rounding was rounded away",
          "[compare][delta][bounds]") {
  const auto found_at = [](std::uint64_t rows, double times) {
    Shape shape({1});
    shape.statistics.sums.changed = 1000;
    shape.spectrum.rows_changed = rows;
    shape.rounding = shape.spectrum.squares / times;
    return shape.judge();
  };
  constexpr auto kWide = static_cast<std::uint64_t>(1000 * kSpread);
  CHECK(found_at(kWide + 1, kRoundedAway * kBelow).label == "dense");
  CHECK(found_at(kWide + 1, kRoundedAway * kBelow).is_faint);
  CHECK(found_at(kWide, kRoundedAway * kBelow).label == "sparse");
  CHECK(found_at(kWide + 1, kRoundedAway * kAbove).label == "sparse");
}

TEST_CASE("a dense change is faint or noise by how far it is from rounding",
          "[compare][delta][bounds]") {
  const auto found_at = [](double times) {
    Shape shape({1}, 1);
    shape.more(1000);
    shape.rounding = shape.spectrum.squares / times;
    REQUIRE(shape.spectrum.significant_rank() == 0);
    return shape.judge();
  };
  CHECK(found_at(kRoundedAway * kBelow).is_faint);
  CHECK_FALSE(found_at(kRoundedAway * kAbove).is_faint);
  CHECK(found_at(kClearOfRounding * kAbove).is_noise);
  CHECK_FALSE(found_at(kClearOfRounding * kBelow).is_noise);
}

/// F32 weights, `single` of them with one bit of the exponent turned and
/// `double_` with two.
TensorLabel label_of_flips(const Made& made, std::size_t single,
                           std::size_t twice) {
  const Bytes before = encode(Dtype::f32, made.weights());
  Bytes after = before;
  const std::size_t count = single + twice;
  const std::size_t step = made.rows * made.columns / (count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    flip(after, 4, (i + 1) * step, i < single ? 0x00800000U : 0x01800000U);
  }
  const SpanSource one(before);
  const SpanSource two(after);
  const Cancellation cancellation;
  const auto tensor = [&](const SpanSource& source) {
    return TensorBytes{.source = &source,
                       .dtype = Dtype::f32,
                       .shape = made.shape(),
                       .offset = 0,
                       .size = before.size()};
  };
  return decide(tensor(one), tensor(two), 2, cancellation).label;
}

TEST_CASE("bit flips are so many at most, or so small a share",
          "[compare][delta][bounds]") {
  constexpr auto kMost = static_cast<std::size_t>(kMostFlips);
  const Made small{.rows = 100, .columns = 1000};
  CHECK(label_of_flips(small, kMost, 0) == "bit-flips");
  CHECK(label_of_flips(small, kMost + 1, 0) != "bit-flips");
  const Made large{.rows = 1000, .columns = 1000};
  constexpr auto kShare = static_cast<std::size_t>(1e6 * kMostFlipShare);
  static_assert(kShare == 100);
  CHECK(label_of_flips(large, kShare, 0) == "bit-flips");
  CHECK(label_of_flips(large, kShare + 1, 0) != "bit-flips");
  // 99 of 100 by one bit.
  CHECK(label_of_flips(large, 99, 1) == "bit-flips");
  CHECK(label_of_flips(large, 98, 2) != "bit-flips");
}

/// A vector whose last bit was turned in `length` numbers.
TensorLabel label_of_payload(std::size_t length) {
  // Space around it: the range is found, not given.
  constexpr std::size_t kBefore = 100;
  const Bytes before =
      encode(Dtype::f32, normal_numbers(length + 2 * kBefore, 0.02, 5));
  Bytes after = before;
  for (std::size_t i = 0; i < length; ++i) flip(after, 4, kBefore + i, 1);
  const SpanSource one(before);
  const SpanSource two(after);
  const Cancellation cancellation;
  const auto tensor = [&](const SpanSource& source) {
    return TensorBytes{.source = &source,
                       .dtype = Dtype::f32,
                       .shape = {length + 2 * kBefore},
                       .offset = 0,
                       .size = before.size()};
  };
  const TensorFindings found =
      decide(tensor(one), tensor(two), 2, cancellation);
  UNSCOPED_INFO(found.because);
  return found.label;
}

TEST_CASE("a payload in low bits is told from so many carries on",
          "[compare][delta][bounds]") {
  // Of the last bit alone, every change would carry one way.
  CHECK(label_of_payload(kFewestCarries) == "lsb-payload");
  CHECK(label_of_payload(kFewestCarries - 1) != "lsb-payload");
}

TEST_CASE("no element is lost where tiles, windows and threads meet",
          "[compare][delta][bounds]") {
  constexpr std::size_t kTile = kTileElements;
  constexpr std::size_t kWindow = 32 * kTile;
  for (const std::size_t count :
       {std::size_t{1}, kTile - 1, kTile, kTile + 1, kWindow - 1, kWindow,
        kWindow + 1, 3 * kWindow + 5}) {
    const Bytes before(count * 4);
    Bytes after = before;
    flip(after, 4, 0, 1);
    flip(after, 4, count - 1, 1U << 1U);
    if (count > kWindow) flip(after, 4, kWindow, 1U << 2U);
    const SpanSource one(before);
    const SpanSource two(after);
    const auto tensor = [&](const SpanSource& source) {
      return TensorBytes{.source = &source,
                         .dtype = Dtype::f32,
                         .shape = {count},
                         .offset = 0,
                         .size = before.size()};
    };
    const std::uint64_t expected = count == 1             ? 1
                                   : count == kWindow + 1 ? 2
                                   : count > kWindow      ? 3
                                                          : 2;
    for (const unsigned threads : {1U, 2U, 5U}) {
      const DeltaStatistics found =
          measure_delta(tensor(one), tensor(two), threads, best_instructions());
      INFO(count << " on " << threads);
      CHECK(found.elements == count);
      CHECK(found.sums.changed == expected);
      CHECK(found.density.size() == (count + kTile - 1) / kTile);
      std::uint64_t sum = 0;
      for (const std::uint16_t each : found.density) sum += each;
      CHECK(sum == expected);
    }
  }
}

TEST_CASE("relative change and cosine of nothing are said, not divided",
          "[compare][delta][bounds]") {
  DeltaStatistics none;
  CHECK(none.relative() == 0);
  CHECK(none.cosine() == 0);
  CHECK(none.changed_share() == 0);
  CHECK(none.single_bit_share() == 0);
  DeltaStatistics from_zero;
  from_zero.sums.delta_squares = 4;
  from_zero.sums.after_squares = 4;
  CHECK(std::isinf(from_zero.relative()));
  CHECK(from_zero.cosine() == 0);
  DeltaStatistics turned;
  turned.sums.before_squares = 4;
  turned.sums.after_squares = 4;
  turned.sums.delta_squares = 16;
  CHECK(turned.relative() == 2);
  CHECK(turned.cosine() == -1);
}

}  // namespace
}  // namespace impound::test
