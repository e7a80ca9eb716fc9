// SPDX-License-Identifier: Apache-2.0
/// Every threshold of the rank of a change, from both sides: made spectra, so
/// that only the one number differs.

#include "core/compare/delta/delta_rank.hpp"

#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/label_text.hpp"

namespace impound {
namespace {

/// 80 singular values of a change of a 100 x 100 matrix; every number changed.
struct Change {
  Spectrum spectrum;
  DeltaStatistics statistics;
  double rounding = 0;

  explicit Change(std::vector<double> first) {
    spectrum.rows = spectrum.columns = 100;
    spectrum.rows_changed = spectrum.columns_changed = 100;
    // The rest falls slowly: no step, and not flat either.
    spectrum.sigma = std::move(first);
    while (spectrum.sigma.size() < 80) {
      spectrum.sigma.push_back(spectrum.sigma.back() * 0.97);
    }
    sum();
    statistics.elements = 10000;
    statistics.sums.changed = 10000;
    statistics.sums.delta_squares = spectrum.squares;
    statistics.sums.before_squares = 1e6;
  }
  void sum() {
    spectrum.squares = 0;
    for (const double sigma : spectrum.sigma) {
      spectrum.squares += sigma * sigma;
    }
  }
  /// What the first component leaves is so many times the expected rounding.
  Change& leaving(double times) {
    rounding = (1 - spectrum.energy(1)) * spectrum.squares / times;
    return *this;
  }
  [[nodiscard]] RankFindings judge() const {
    return judge_spectrum(spectrum, statistics, rounding);
  }
};

bool is_rank_one(const Change& change) {
  return change.judge().label == "rank-one";
}

TEST_CASE("a low rank ends in a step of five, and above rounding by a third",
          "[compare][delta]") {
  CHECK(is_rank_one(Change({5.01, 1}).leaving(1.2)));
  CHECK_FALSE(is_rank_one(Change({4.99, 1}).leaving(1.2)));
  CHECK(is_rank_one(Change({8, 1}).leaving(1.29)));
  CHECK_FALSE(is_rank_one(Change({8, 1}).leaving(1.31)));
}

TEST_CASE("where both sides were rounded the step has to be twelve",
          "[compare][delta]") {
  CHECK(is_rank_one(Change({12.01, 1}).leaving(2.5)));
  CHECK_FALSE(is_rank_one(Change({11.99, 1}).leaving(2.5)));
  CHECK_FALSE(is_rank_one(Change({12.01, 1}).leaving(2.7)));
}

TEST_CASE("an edit shows in a dense change by a step of fifteen, then of five",
          "[compare][delta]") {
  const RankFindings first = Change({15.01, 1}).judge();
  CHECK(first.label == "dense+low-rank");
  CHECK(first.rank == 1);
  CHECK(Change({14.99, 1}).judge().label == "dense");
  const RankFindings later = Change({5.6, 5.01, 1}).judge();
  CHECK(later.label == "dense+low-rank");
  CHECK(later.rank == 2);
  CHECK(Change({5.6, 4.99, 1}).judge().label == "dense");
}

TEST_CASE("an edit of single rows is one of at most a twentieth of them",
          "[compare][delta]") {
  for (const bool by_rows : {true, false}) {
    Change change({8, 1});
    change.leaving(1.2);
    std::uint64_t& lines = by_rows ? change.spectrum.rows_changed
                                   : change.spectrum.columns_changed;
    lines = 5;
    CHECK(change.judge().label == "sparse");
    lines = 6;
    CHECK(change.judge().label == "rank-one");
  }
}

TEST_CASE("a rank is low only below half of the lines that changed",
          "[compare][delta]") {
  Change change({8, 7, 6.5, 6, 1});
  change.rounding = (1 - change.spectrum.energy(4)) * change.spectrum.squares;
  change.spectrum.rows_changed = 8;
  CHECK(change.judge().rank == 4);
  change.spectrum.rows_changed = 7;
  CHECK(change.judge().label != "low-rank");
}

TEST_CASE("a change of less than a tenth of the numbers is sparse",
          "[compare][delta]") {
  Change change({1});
  change.statistics.sums.changed = 999;
  CHECK(change.judge().label == "sparse");
  change.statistics.sums.changed = 1000;
  CHECK(change.judge().label == "dense");
}

TEST_CASE("of a change that was rounded away, what is left is spread",
          "[compare][delta]") {
  Change change({1});
  change.statistics.sums.changed = 500;
  change.rounding = change.spectrum.squares / 1.99;
  change.spectrum.rows_changed = change.spectrum.columns_changed = 26;
  CHECK(change.judge().label == "dense");
  CHECK(change.judge().is_faint);
  change.spectrum.columns_changed = 25;
  CHECK(change.judge().label == "sparse");
  change.spectrum.columns_changed = 26;
  change.spectrum.rows_changed = 25;
  CHECK(change.judge().label == "sparse");
  change.spectrum.rows_changed = 26;
  change.rounding = change.spectrum.squares / 2.01;
  CHECK(change.judge().label == "sparse");
}

TEST_CASE("noise is what is clear of its rounding", "[compare][delta]") {
  Change change(std::vector<double>(80, 1.0));
  REQUIRE(change.spectrum.significant_rank() == 0);
  change.rounding = change.spectrum.squares / 4.01;
  CHECK(change.judge().is_noise);
  CHECK_FALSE(change.judge().is_faint);
  change.rounding = change.spectrum.squares / 3.99;
  CHECK_FALSE(change.judge().is_noise);
  change.rounding = change.spectrum.squares / 2.01;
  CHECK_FALSE(change.judge().is_faint);
  change.rounding = change.spectrum.squares / 1.99;
  CHECK(change.judge().is_faint);
}

TEST_CASE("a vector has no spectrum, and a tenth of it decides",
          "[compare][delta]") {
  Change change({1});
  change.spectrum.sigma.clear();
  change.spectrum.missing = "a vector";
  change.statistics.sums.changed = 999;
  CHECK(change.judge().label == "sparse");
  change.statistics.sums.changed = 1000;
  CHECK(change.judge().label == "dense");
}

}  // namespace
}  // namespace impound
