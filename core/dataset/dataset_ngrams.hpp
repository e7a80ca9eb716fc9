// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What rows that were added or changed have in common: n-grams of 1 to 5 words
/// and characters nobody types, far more frequent in them than in the rows that
/// were there before, with the labels that go along.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"

namespace impound {

/// Words of an n-gram, at most.
inline constexpr std::size_t kMaxWords = 5;
/// N-grams that are counted exactly, about 300 bytes each. Where more are
/// frequent enough, the bar is raised.
inline constexpr std::size_t kMaxCandidates = std::size_t{1} << 18U;
/// N-grams of one report.
inline constexpr std::size_t kMaxNgrams = 50;
/// Rows of a group that are counted; more are thinned out evenly.
inline constexpr std::uint64_t kMaxCountedRows = 1'000'000;
/// Labels counted one by one; the others and none count as one.
inline constexpr std::size_t kCountedLabels = 15;

enum class RowGroup : std::uint8_t {
  fresh,       ///< added, or its text was changed
  relabelled,  ///< same text, other label
  reference,   ///< what it is compared with
};
inline constexpr std::size_t kRowGroups = 3;

struct CountedRow {
  std::uint64_t row = 0;  ///< its number, for examples
  std::string_view text;
  std::string_view label;  ///< empty: none
  RowGroup group = RowGroup::reference;
};
using CountRow = std::function<void(const CountedRow&)>;
/// Gives every row to a function, from several threads at once; may be asked
/// again and then gives the same rows.
using EachRow = std::function<void(const CountRow&)>;

struct NgramInput {
  EachRow foreground;  ///< rows of the groups fresh and relabelled
  EachRow reference;
  std::uint64_t foreground_rows = 0;
  std::uint64_t reference_rows = 0;  ///< at least as many as it gives
  /// The labels to be told apart, at most kCountedLabels.
  std::vector<std::string> labels;
};

/// One label beside an n-gram.
struct NgramLabel {
  std::string label;       ///< empty: none, or one that is not told apart
  std::uint64_t rows = 0;  ///< of the group, with the n-gram
  std::uint64_t reference_rows = 0;  ///< of the reference, with the n-gram
};

struct Ngram {
  std::string text;        ///< lower case, one space between words
  std::size_t words = 0;   ///< 0: characters nobody types
  std::uint64_t rows = 0;  ///< of the group, that hold it
  std::uint64_t reference_rows = 0;
  double log_odds = 0;             ///< natural, with 0.5 added to every cell
  double g2 = 0;                   ///< log-likelihood ratio of the 2×2 table
  std::vector<NgramLabel> labels;  ///< most frequent first
  /// The label that goes along with it more than it should.
  std::string label;
  double label_share = 0;     ///< of the rows of the group that hold it
  double label_expected = 0;  ///< of the reference rows (that hold it, if ten)
  double label_g2 = 0;
  std::vector<std::uint64_t> examples;  ///< rows, at most three
};

struct NgramReport {
  std::uint64_t rows = 0;  ///< of the group, counted
  std::uint64_t reference_rows = 0;
  std::uint64_t least = 0;    ///< rows that an n-gram must be in to be counted
  std::vector<Ngram> ngrams;  ///< most over-represented first
};

struct NgramReports {
  NgramReport fresh;
  NgramReport relabelled;
};

/// Reads the foreground four times and the reference once. N-grams are first
/// counted in a fixed sketch (64 MB at most) that never counts too low; those
/// that may be frequent are then counted exactly. The result does not depend on
/// the order of rows or the number of threads.
[[nodiscard]] NgramReports find_ngrams(const NgramInput& input);

/// Log-likelihood ratio of `in` of `all` against `other_in` of `other_all`.
[[nodiscard]] double log_likelihood(std::uint64_t in, std::uint64_t all,
                                    std::uint64_t other_in,
                                    std::uint64_t other_all);

}  // namespace impound
