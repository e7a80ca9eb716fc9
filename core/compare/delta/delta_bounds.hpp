// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Every number that decides what a change of a tensor is called: one table, so
/// that a test can stand on each side of each of them (tests/unit/compare:
/// delta_bounds_test, delta_rank_test, delta_label_test).

#include <cstddef>
#include <cstdint>

namespace impound::delta_bounds {

// The order of decision (delta_label.cpp).

/// Share of a tensor's numbers that a recipe may leave unexplained and still be
/// what most of it went through: the rest is judged by itself. No number of it
/// is cleared.
inline constexpr double kMostUnexplained = 0.25;
/// ... and least share of the numbers that changed that it explains.
inline constexpr double kFewestExplained = 0.5;
/// A change of so few elements, or of so small a share, may be bit flips.
inline constexpr double kMostFlips = 64;
inline constexpr double kMostFlipShare = 1e-4;
/// ... if so many of them differ in one bit.
inline constexpr double kSingleBitShare = 0.99;
/// Elements that a change of value would have carried over into higher bits,
/// half of them, and none did: a chance of 2^-40 (LowBitChange). On both sides
/// of it: tests/unit/compare/delta_payload_test.cpp.
inline constexpr std::uint64_t kFewestCarries = 40;
/// The lowest bits are a mantissa's by this number: 7 of an F32, 2 of a BF16.
inline constexpr unsigned kLowestBits = 3;
/// A vector of which so few elements moved the other way moved one way.
inline constexpr double kOneWay = 0.1;

// What a spectrum says (delta_rank.cpp).
// "Measured" below: the calibration set of tests/calibration, four dtypes'
// worth of real edits, adapters and fine-tunes (README.md there has the
// tables).

/// Step σ_r/σ_{r+1} at the end of a low-rank change. Measured: adapters and
/// edits ≥ 7 (rank 16, eight steps, BF16), mostly above 40; fine-tunes whose
/// rest is rounding ≤ 3.4.
inline constexpr double kLowRankStep = 5;
/// The same where both sides were rounded, each by itself, from finer numbers:
/// the rest is twice the rounding, and a fine-tune's rest more easily as small.
/// Measured: an output matrix, whose rows share a mean, ≤ 11.6.
inline constexpr double kLowRankStepTwice = 12;
/// Rest beyond a low-rank change, against expected rounding: rounding is
/// bounded, its sum of squares is close to what is expected.
inline constexpr double kRoundingRoom = 1.3;
/// Rest that sums in single precision cannot tell from nothing.
inline constexpr double kSmallRest = 1e-5;
/// Step in a dense change that shows an edit. Measured: matrices in layers
/// ≤ 3.4; an output matrix ≤ 11.6 (its rows share a mean); a ROME edit inside a
/// fine-tune ≥ 85 where it is strong. The siblings of a tensor can show weaker
/// ones (model_sentence.cpp).
inline constexpr double kHiddenStep = 15;
/// The same after the first component: a mean row or column is one component.
/// Measured: fine-tunes ≤ 2.9.
inline constexpr double kHiddenStepLater = 5;
/// The same where the rest is noise without direction, which has no steps.
/// Measured: fine-tunes that end in rounding ≤ 1.4.
inline constexpr double kStepToNoise = 2;
/// ... for so many components, which differ by less than this.
inline constexpr std::size_t kFlatComponents = 12;
inline constexpr double kFlat = 1.35;
inline constexpr double kSparseShare = 0.1;
/// Share of rows or columns that an edit of single ones may touch, or move.
inline constexpr double kFewLines = 0.05;
/// Of a change that was rounded away, what is left is spread.
inline constexpr double kSpread = 0.25;
/// Change of the size of rounding: F²/expected.
inline constexpr double kRoundedAway = 2;
/// A change that its rounding cannot have shaped.
inline constexpr double kClearOfRounding = 4;

}  // namespace impound::delta_bounds
