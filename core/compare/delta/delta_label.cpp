// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_label.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/holes.hpp"
#include "core/base/text.hpp"
#include "core/compare/delta/delta_bounds.hpp"
#include "core/compare/delta/delta_truncation.hpp"

namespace impound {
namespace {

using namespace delta_bounds;

/// Bits of the mantissa that is stored; 0 for types without one.
unsigned mantissa_bits(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
      return 52;
    case Dtype::f32:
      return 23;
    case Dtype::f16:
      return 10;
    case Dtype::bf16:
      return 7;
    default:
      return 0;
  }
}

bool decide_bit_flips(TensorFindings& found, const TensorBytes& after) {
  const DeltaSums& sums = found.statistics.sums;
  const auto changed = static_cast<double>(sums.changed);
  const double most =
      std::max(kMostFlips,
               kMostFlipShare * static_cast<double>(found.statistics.elements));
  if (!found.statistics.bits_are_comparable || changed > most ||
      found.statistics.single_bit_share() < kSingleBitShare) {
    return false;
  }
  // One unit in the last place is what rounding does.
  if (sums.xor_mask == 1) return false;
  const unsigned mantissa = mantissa_bits(after.dtype);
  const std::uint64_t exponent_msb = std::uint64_t{1}
                                     << (found.statistics.bits - 2);
  found.is_exponent_flip = mantissa != 0 && sums.xor_mask == exponent_msb;
  const bool is_small = mantissa != 0 && (sums.xor_mask >> mantissa) == 0;
  found.label = TensorLabel::bit_flips;
  found.because = fmt::format(
      "{} of {} elements, {} of them by one bit, mask 0x{:x}{}", sums.changed,
      found.statistics.elements, percent(found.statistics.single_bit_share()),
      sums.xor_mask,
      found.is_exponent_flip ? " (the exponent's top bit: like a memory fault "
                               "or rowhammer)"
      : is_small             ? " (mantissa only: small)"
                             : "");
  return true;
}

void decide_new_values(TensorFindings& found) {
  const DeltaSums& sums = found.statistics.sums;
  found.label = TensorLabel::new_values;
  found.because = fmt::format("{} NaN and {} infinities where there were none",
                              sums.nan_introduced, sums.inf_introduced);
}

/// Where the bits of a payload lie, in words.
std::string place_words(const Payload& payload, const LowBitChange& low) {
  const std::string bits = payload.lowest == 0
                               ? fmt::format("the low {}", payload.bits)
                               : fmt::format("bits {} to {}", payload.lowest,
                                             payload.lowest + payload.bits - 1);
  switch (payload.places) {
    case PayloadPlaces::contiguous:
      return fmt::format("only {} bits differ, in {} of elements {} to {}",
                         bits,
                         percent(static_cast<double>(low.changed) /
                                 static_cast<double>(low.elements())),
                         low.range.first, low.range.last);
    case PayloadPlaces::stride:
      return fmt::format(
          "only {} bits differ, in every {}th element (in {} of them) of {} to "
          "{}",
          bits, payload.stride,
          percent(static_cast<double>(low.changed) /
                  static_cast<double>(low.elements())),
          low.range.first, low.range.last);
    case PayloadPlaces::scattered:
      return fmt::format(
          "only {} bits differ, in {} elements without a pattern between {} "
          "and "
          "{}",
          bits, low.changed, low.range.first, low.range.last);
  }
  return bits;
}

bool decide_payload(TensorFindings& found, const TensorBytes& before,
                    const TensorBytes& after) {
  const DeltaSums& sums = found.statistics.sums;
  const unsigned mantissa = mantissa_bits(after.dtype);
  if (!found.statistics.bits_are_comparable || mantissa == 0 || !found.range ||
      sums.changed < kFewestCarries) {
    return false;
  }
  const auto bits = static_cast<unsigned>(std::bit_width(sums.xor_mask));
  // Three whole bytes of an F32 reach one bit into the exponent (EvilModel).
  const unsigned most =
      after.dtype == Dtype::f32 ? 24 : std::min(mantissa, 24U);
  if (bits > most) return false;
  const LowBitChange low =
      measure_low_bits(before, after, found.statistics, *found.range);
  if (low.carries < kFewestCarries) return false;
  // All of a vector can move one way: a norm of ones that grew.
  const double up =
      static_cast<double>(low.up) / static_cast<double>(low.changed);
  const bool is_vector = after.rows() < 2;
  if (is_vector && (up < kOneWay || up > 1 - kOneWay)) return false;
  Payload payload = read_payload(before, after, found.statistics, low);
  if (payload.is_constant) {
    if (payload.places != PayloadPlaces::contiguous || payload.first > 0 ||
        payload.elements < found.statistics.elements) {
      return false;
    }
    found.label = TensorLabel::cast;
    found.because = fmt::format(
        "the low {} bits of every element are constant: truncated", bits);
    return true;
  }
  found.label = TensorLabel::lsb_payload;
  found.low_bits = bits;
  found.because = fmt::format(
      "{}; none of {} that a change of value would carry over did; room for {} "
      "bits, {} bytes read, {:.3f} bits a byte{}{}",
      place_words(payload, low), low.carries, payload.elements * payload.bits,
      payload.stream.size(), payload.entropy,
      payload.magic.empty() ? "" : ", begins like ", payload.magic);
  found.payload = std::move(payload);
  return true;
}

void decide_recast(TensorFindings& found, const Recast& recast) {
  found.label =
      recast.is_quantised ? TensorLabel::quantised : TensorLabel::cast;
  found.because = fmt::format(
      "every number is the old one through {} (relative change {:.3g})",
      recast.words(), found.relative());
}

/// What a quantiser's rounding looks like. How it looks is no proof: it was
/// done again, and did not give these numbers.
bool looks_quantised(const TensorFindings& found, const TensorBytes& before,
                     const TensorBytes& after) {
  const double most = quantiser_error(after.dtype);
  return before.dtype != after.dtype && most > 0 &&
         found.statistics.relative() <= most &&
         (found.spectrum->empty() || found.spectrum->significant_rank() == 0);
}

/// Codes that are not the nearest ones: what they look like, and which rows
/// stand out. No claim is made of the others: quantisers that move numbers by
/// more than a step exist, and so do edits as small.
bool decide_grid(TensorFindings& found, const TensorBytes& before,
                 const TensorBytes& after, const Cancellation& cancellation) {
  // How far a quantiser that shifts errors may move numbers, in units of what
  // rounding does: chosen, not measured. Beyond it nothing is said of codes.
  constexpr double kMostError = 4;
  constexpr std::uint64_t kMostColumns = 4U << 20U;
  if (after.grid == nullptr || before.grid != nullptr ||
      after.columns() > kMostColumns) {
    return false;
  }
  found.grid = look_at_grid(before, after, cancellation);
  const GridLook& look = *found.grid;
  const double left =
      look.has_column_factors ? look.error_by_column : look.error;
  const std::string numbers = fmt::format(
      "unpacked from {}: relative change {:.3g}, {:.3g} times what rounding to "
      "its codes makes; {} of the numbers have the nearest code, the furthest "
      "is {:.3g} steps off",
      after.grid->words, found.statistics.relative(), look.error,
      percent(look.nearest), look.most_steps);
  if (!look.rows.empty()) {
    found.label = TensorLabel::sparse;
    found.lines = find_changed_lines(before, after, found.statistics);
    if (found.lines) {
      std::erase_if(found.lines->first_rows, [&](const ChangedRow& row) {
        return std::ranges::find(look.rows, row.row) == look.rows.end();
      });
    }
    found.because = fmt::format("{} {} changed more than the others; {}",
                                look.rows.size() == 1 ? "row" : "rows",
                                fmt::join(look.rows, ", "), numbers);
    return true;
  }
  if (left > kMostError) return false;
  const bool has_component =
      !found.spectrum->empty() && found.spectrum->significant_rank() > 0;
  if (look.has_column_factors) {
    found.label = TensorLabel::unclassified;
    found.shape.is_faint = true;
    found.because = fmt::format(
        "{}; each column is the old one times a factor of its own, {:.3g} to "
        "{:.3g} (AWQ scales columns so and divides what comes before by the "
        "same, which was not verified), and {:.3g} times its rounding",
        numbers, look.least_factor, look.most_factor, look.error_by_column);
    return true;
  }
  if (has_component) return false;
  found.label = TensorLabel::unclassified;
  found.shape.is_faint = true;
  found.because = fmt::format(
      "{}; nothing stands out of it. GPTQ moves numbers beyond the nearest "
      "code to make up for others, a change as small looks the same: not "
      "cleared",
      numbers);
  return true;
}

bool is_of_low_rank(const RankFindings& shape) {
  return shape.label == TensorLabel::rank_one ||
         shape.label == TensorLabel::low_rank;
}

/// What the spectrum says, with what remains of it held against rounding; where
/// that is too little, against cutting off, if that is what it is.
RankFindings judge_shape(TensorFindings& found, const TensorBytes& before,
                         const TensorBytes& after) {
  const Spectrum& spectrum = *found.spectrum;
  const double rounding = rounding_squares(before, after, found.statistics);
  RankFindings rounded = judge_spectrum(spectrum, found.statistics, rounding);
  if (spectrum.empty() || is_of_low_rank(rounded)) return rounded;
  for (const std::size_t rank :
       {rounded.step_at, spectrum.significant_rank()}) {
    const double rest = (1 - spectrum.energy(rank)) * spectrum.squares;
    // Both sides may have been cut or rounded; more is no rounding.
    if (rank == 0 || rest > 2 * kTruncationSquares * rounding) continue;
    const std::optional<Residual> residual =
        measure_residual(before, after, found.statistics, spectrum, rank);
    if (!residual || !residual->is_truncation()) continue;
    RankFindings cut = judge_spectrum(spectrum, found.statistics,
                                      kTruncationSquares * rounding);
    if (!is_of_low_rank(cut)) continue;
    found.rounding = Rounding::toward_zero;
    cut.because += fmt::format(
        "; what remains lies {:.3g} of a step of {} towards zero: the result "
        "was cut off, not rounded",
        -(residual->mean_below_half + residual->mean_above_half) / 2,
        to_string(after.dtype));
    return cut;
  }
  return rounded;
}

/// An exact pattern has a label of its own, and needs no spectrum. Rows that
/// changed places may be few or all.
void decide_exact(TensorFindings& found, const TensorBytes& after) {
  const DeltaSums& sums = found.statistics.sums;
  const double share = found.statistics.changed_share();
  const bool is_few = share <= kFewLines;
  switch (found.exact.pattern) {
    case Pattern::none:
      return;
    case Pattern::zeroed:
      found.label = TensorLabel::sparse;
      found.because = fmt::format(
          "pruned: {} numbers ({}) were set to zero, nothing else changed; "
          "relative change {:.3g}",
          sums.changed, percent(share), found.statistics.relative());
      return;
    case Pattern::scaled:
      found.label = TensorLabel::dense;
      found.because = fmt::format(
          "every number times {:.6g}, within the rounding of {}; relative "
          "change {:.3g}",
          found.exact.factor, to_string(after.dtype),
          found.statistics.relative());
      return;
    case Pattern::rows_reordered:
    case Pattern::columns_reordered:
      found.label = is_few ? TensorLabel::sparse : TensorLabel::dense;
      found.because = fmt::format(
          "the same {} in another order: {} of the elements are elsewhere; "
          "relative change {:.3g}",
          found.exact.pattern == Pattern::rows_reordered ? "rows" : "columns",
          percent(share), found.statistics.relative());
      return;
  }
}

/// Of what no recipe explains: the kind of change. `found` has the statistics.
void judge(TensorFindings& found, const TensorBytes& before,
           const TensorBytes& after, unsigned threads,
           const Cancellation& cancellation) {
  const DeltaSums& sums = found.statistics.sums;
  if (sums.changed == 0) {
    const bool is_retyped = before.dtype != after.dtype;
    found.label = is_retyped ? TensorLabel::cast : TensorLabel::identical;
    found.because = fmt::format("every number is the same{}",
                                is_retyped ? ", in another type" : "");
    return;
  }
  found.range = find_changed_range(before, after, found.statistics);
  // So many flips in the lowest bits and nowhere else are no accident; of a
  // higher bit, a fault of one line of memory can be.
  const bool is_lowest =
      static_cast<unsigned>(std::bit_width(sums.xor_mask)) * kLowestBits <=
      mantissa_bits(after.dtype);
  if (is_lowest && decide_payload(found, before, after)) return;
  if (decide_bit_flips(found, after)) {
    found.changes =
        list_changes(before, after, found.statistics, kMostListedChanges);
    return;
  }
  if (sums.nan_introduced + sums.inf_introduced > 0) {
    decide_new_values(found);
    return;
  }
  if (!is_lowest && decide_payload(found, before, after)) return;
  found.exact =
      find_exact_change(before, after, found.statistics, cancellation);
  if (found.exact.pattern != Pattern::none) {
    decide_exact(found, after);
    if (found.exact.pattern == Pattern::zeroed) {
      found.lines = find_changed_lines(before, after, found.statistics);
      const std::string structure = found.zeroed_lines();
      if (!structure.empty()) found.because += "; " + structure;
    }
    return;
  }
  found.spectrum =
      measure_spectrum(before, after, found.statistics, threads, cancellation);
  if (decide_grid(found, before, after, cancellation)) return;
  if (looks_quantised(found, before, after)) {
    found.label = TensorLabel::unclassified;
    found.shape.is_faint = true;
    found.because = fmt::format(
        "now {}, relative change {:.3g}, of the size of its rounding and no "
        "component above it; but not every number is one that {} makes of the "
        "old ones: from a finer original, with a search that is not known "
        "here, or changed before",
        to_string(after.dtype), found.statistics.relative(),
        to_string(after.dtype));
    return;
  }
  found.shape = judge_shape(found, before, after);
  found.label = found.shape.label;
  found.because = found.shape.because;
  found.rank = found.shape.rank;
  if (found.label != TensorLabel::sparse) return;
  found.lines = find_changed_lines(before, after, found.statistics);
  if (found.lines && !found.lines->words().empty()) {
    found.because = found.lines->words() + "; " + found.because;
  }
  if (found.statistics.bits_are_comparable) {
    found.changes =
        list_changes(before, after, found.statistics, kMostListedChanges);
  }
}

/// The tensor is the old one through a recipe but for some numbers: those are
/// judged by themselves.
TensorFindings decide_remainder(const TensorBytes& before,
                                const TensorBytes& after, TensorFindings whole,
                                unsigned threads,
                                const Cancellation& cancellation) {
  const Recast& recast = *whole.recast;
  const std::string words = fmt::format(
      "{} of {} numbers are not the old ones through {}, all others are",
      recast.unexplained, whole.statistics.elements, recast.words());
  if (!recast.recipe) {
    // Integers without their scales: the numbers themselves say nothing.
    whole.range = find_changed_range(before, after, whole.statistics);
    whole.label = TensorLabel::sparse;
    whole.because = fmt::format("{}: {}", words, recast.rest);
    return whole;
  }
  const Remainder rest = remainder_of(before, after, recast);
  TensorFindings found =
      decide_change(rest.bytes, after, threads, cancellation);
  if (!found.lines && found.statistics.sums.changed > 0) {
    found.lines = find_changed_lines(rest.bytes, after, found.statistics);
  }
  // Of a small matrix, single rows are no small share.
  const bool has_few_rows =
      found.lines && found.lines->rows <= kMostNamedLines &&
      static_cast<double>(found.lines->rows) <=
          kMostUnexplained * static_cast<double>(found.lines->all_rows);
  if (has_few_rows && (found.label == TensorLabel::unclassified ||
                       found.label == TensorLabel::dense)) {
    found.label = TensorLabel::sparse;
    found.shape.is_faint = false;
  }
  // Spread over many rows and columns, it is a change below the step that a few
  // codes show, and what those look like says nothing of it.
  const bool is_spread =
      found.lines &&
      static_cast<double>(found.lines->rows) >
          kFewLines * static_cast<double>(found.lines->all_rows) &&
      static_cast<double>(found.lines->columns) >
          kFewLines * static_cast<double>(found.lines->all_columns);
  if (recast.is_quantised && is_spread && !has_few_rows &&
      (found.label == TensorLabel::sparse ||
       found.label == TensorLabel::low_rank)) {
    found.label = TensorLabel::unclassified;
    found.rank = 0;
    found.shape.is_faint = true;
    found.because =
        "a change below the step of the quantiser, or another search; " +
        found.because;
  }
  const std::string lines = found.lines ? found.lines->words() : "";
  if (!lines.empty() && !found.because.starts_with(lines)) {
    found.because = lines + "; " + found.because;
  }
  found.because = fmt::format("{}: {}", words, found.because);
  found.recast = std::move(whole.recast);
  return found;
}

}  // namespace

TensorFindings decide_rounding(const TensorBytes& before,
                               const TensorBytes& after, unsigned threads,
                               const Cancellation& cancellation) {
  TensorFindings found;
  found.label = TensorLabel::none;
  found.statistics = measure_delta(before, after, threads, best_instructions());
  const DeltaSums& sums = found.statistics.sums;
  // Doing it again is proof, how it looks is not: the sixteen bits of two types
  // can differ in one number only.
  if (sums.changed == 0 || sums.nan_introduced + sums.inf_introduced > 0) {
    return found;
  }
  found.recast = find_recast(before, after, cancellation);
  if (!found.recast) {
    found.recast = find_integer_rows(before, after, cancellation);
  }
  if (!found.recast) return found;
  if (found.recast->unexplained == 0) {
    found.range = find_changed_range(before, after, found.statistics);
    decide_recast(found, *found.recast);
    return found;
  }
  return decide_remainder(before, after, std::move(found), threads,
                          cancellation);
}

TensorFindings decide(const TensorBytes& before, const TensorBytes& after,
                      unsigned threads, const Cancellation& cancellation) {
  TensorFindings found = decide_rounding(before, after, threads, cancellation);
  if (found.label != TensorLabel::none) return found;
  return decide_rest(std::move(found), before, after, threads, cancellation);
}

TensorFindings decide_rest(TensorFindings found, const TensorBytes& before,
                           const TensorBytes& after, unsigned threads,
                           const Cancellation& cancellation) {
  found.label = TensorLabel::unclassified;
  judge(found, before, after, threads, cancellation);
  return found;
}

TensorFindings decide_change(const TensorBytes& before,
                             const TensorBytes& after, unsigned threads,
                             const Cancellation& cancellation) {
  TensorFindings found;
  found.statistics = measure_delta(before, after, threads, best_instructions());
  judge(found, before, after, threads, cancellation);
  return found;
}

TensorFindings decide_sparse(const TensorBytes& before,
                             const TensorBytes& after, unsigned threads) {
  TensorFindings found;
  found.statistics = measure_delta(before, after, threads, best_instructions());
  const DeltaSums& sums = found.statistics.sums;
  if (sums.changed == 0) {
    found.label = TensorLabel::identical;
    found.because = "every number is the same";
    return found;
  }
  found.range = find_changed_range(before, after, found.statistics);
  const bool are_few = decide_bit_flips(found, after);
  if (!are_few && sums.nan_introduced + sums.inf_introduced > 0) {
    decide_new_values(found);
  } else if (!are_few) {
    found.label = TensorLabel::unclassified;
    found.because = fmt::format(
        "{} of {} numbers differ, relative change {:.3g}; the kind of change "
        "was not measured: {} before and {} after are holes, which are not "
        "read",
        sums.changed, found.statistics.elements, found.statistics.relative(),
        human_bytes(hole_bytes(*before.source, before.offset, before.size)),
        human_bytes(hole_bytes(*after.source, after.offset, after.size)));
  }
  if (are_few) {
    found.changes =
        list_changes(before, after, found.statistics, kMostListedChanges);
  }
  return found;
}

double TensorFindings::relative() const {
  return recast && recast->relative ? *recast->relative : statistics.relative();
}

std::string TensorFindings::zeroed_lines() const {
  if (exact.pattern != Pattern::zeroed || !lines) return {};
  // Old zeros among them did not change.
  constexpr double kNearlyAll = 0.99;
  const auto changed = static_cast<double>(statistics.sums.changed);
  const auto all = [&](std::uint64_t count, std::uint64_t length) {
    return count > 0 && changed >= kNearlyAll * static_cast<double>(count) *
                                       static_cast<double>(length);
  };
  if (all(lines->rows, lines->all_columns) && lines->rows < lines->all_rows) {
    return "whole rows";
  }
  if (all(lines->columns, lines->all_rows) &&
      lines->columns < lines->all_columns) {
    return "whole columns";
  }
  return {};
}

Json TensorFindings::to_json() const {
  const DeltaSums& sums = statistics.sums;
  Json json = {{"n", statistics.elements},
               {"changed", sums.changed},
               {"chg", statistics.changed_share()},
               {"rel", relative()},
               {"max_delta", sums.max_delta},
               {"l2_before", statistics.before_norm()},
               {"l2_after", statistics.after_norm()},
               {"l2_delta", statistics.delta_norm()},
               {"cosine", statistics.cosine()},
               {"nan_introduced", sums.nan_introduced},
               {"inf_introduced", sums.inf_introduced},
               {"because", because}};
  if (statistics.bits_are_comparable) {
    json["xor_or"] = fmt::format("0x{:x}", sums.xor_mask);
    json["pc1"] = statistics.single_bit_share();
    json["max_ulp"] = sums.max_ulp;
  }
  if (range) {
    json["first_changed"] = range->first;
    json["last_changed"] = range->last;
    json["contiguity"] = static_cast<double>(sums.changed) /
                         static_cast<double>(range->length());
  }
  if (grid) {
    json["grid"] = {{"nearest", grid->nearest},
                    {"most_steps", grid->most_steps},
                    {"error", grid->error},
                    {"rows", grid->rows}};
    if (grid->has_column_factors) {
      json["grid"]["least_factor"] = grid->least_factor;
      json["grid"]["most_factor"] = grid->most_factor;
      json["grid"]["error_by_column"] = grid->error_by_column;
    }
  }
  if (!changes.empty()) {
    Json list = Json::array();
    for (const ChangedElement& each : changes) list.push_back(each.to_json());
    json["changes"] = std::move(list);
    json["changes_left_out"] = sums.changed - changes.size();
  }
  if (rows_added != 0) json["rows_added"] = rows_added;
  if (lines) json["lines"] = lines->to_json();
  if (payload) {
    json["payload"] = {{"bits", payload->bits},
                       {"lowest_bit", payload->lowest},
                       {"places", to_string(payload->places)},
                       {"stride", payload->stride},
                       {"first", payload->first},
                       {"elements", payload->elements},
                       {"changed", payload->changed},
                       {"size", payload->size},
                       {"entropy", payload->entropy},
                       {"packing", payload->packing},
                       {"magic", payload->magic}};
  }
  if (recast) {
    json["recast"] = {{"through", recast->through},
                      {"share", recast->share},
                      {"unexplained", recast->unexplained},
                      {"rounding", to_string(recast->rounding)}};
  }
  if (exact.pattern != Pattern::none) {
    json["pattern"] = to_string(exact.pattern);
    if (exact.pattern == Pattern::scaled) json["factor"] = exact.factor;
  }
  if (spectrum && !spectrum->empty()) {
    constexpr std::size_t kShown = 8;
    const std::size_t shown = std::min(kShown, spectrum->sigma.size());
    json["sigma"] = std::vector<double>(
        spectrum->sigma.begin(),
        spectrum->sigma.begin() + static_cast<std::ptrdiff_t>(shown));
    json["srank"] = spectrum->stable_rank();
    json["srank_noise"] = spectrum->noise_rank();
    json["energy_1"] = spectrum->energy(1);
    json["r_sig"] = spectrum->significant_rank();
    json["r90"] = spectrum->rank90();
    json["rank"] = rank;
    json["step"] = shape.step;
    json["step_at"] = shape.step_at;
    json["rounding"] = to_string(rounding);
    json["energy_rank"] =
        spectrum->energy(rank > 0 ? rank : spectrum->significant_rank());
    json["rows_changed"] = spectrum->rows_changed;
    json["columns_changed"] = spectrum->columns_changed;
  } else if (spectrum) {
    json["spectrum_missing"] = spectrum->missing;
  }
  return json;
}

}  // namespace impound
