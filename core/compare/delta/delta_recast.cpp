// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_recast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/formats/gguf/dequantise.hpp"
#include "core/formats/numbers.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kWindowNumbers = 1U << 19U;
constexpr std::size_t kBlock = 32;  ///< of all types with one quantiser
constexpr double kEnough = 0.999;
constexpr double kEnoughOfChanged = 0.99;

/// Dtype::i8 stands for one scale a row: max|row|/127.
constexpr std::array kCandidates = {
    Dtype::bf16, Dtype::f16,  Dtype::f8_e4m3, Dtype::f8_e5m2, Dtype::q8_0,
    Dtype::q4_0, Dtype::q4_1, Dtype::q5_0,    Dtype::q5_1,    Dtype::i8};

struct Candidate {
  Dtype dtype = Dtype::unknown;
  bool is_quantised = false;
  Rounding rounding = Rounding::nearest;
  std::uint64_t equal = 0;
  std::uint64_t seen = 0;
  /// Of the numbers that changed. Quantising again what was quantised before
  /// changes nothing, so an edit of a few numbers must not hide among those
  /// that stayed.
  std::uint64_t changed_equal = 0;
  std::uint64_t changed = 0;

  [[nodiscard]] bool explains_changes() const {
    return static_cast<double>(changed_equal) >=
           kEnoughOfChanged * static_cast<double>(changed);
  }

  [[nodiscard]] bool is_alive() const {
    if (!is_quantised) return equal == seen;
    return static_cast<double>(equal) >= kEnough * static_cast<double>(seen);
  }
};

bool is_floating(Dtype dtype) {
  return traits(dtype).kind == NumberKind::floating;
}

void round_row(std::span<const float> in, std::span<float> out) {
  float most = 0;
  for (const float each : in) most = std::max(most, std::abs(each));
  const float step = most / 127.0F;
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = step > 0 ? std::nearbyint(in[i] / step) * step : 0.0F;
  }
}

/// What `in` becomes, in `out`.
void recompute(Dtype through, Rounding rounding, std::size_t columns,
               std::span<const float> in, std::span<float> out) {
  if (through == Dtype::i8) {
    for (std::size_t at = 0; at < in.size(); at += columns) {
      round_row(in.subspan(at, columns), out.subspan(at, columns));
    }
  } else if (has_one_quantiser(through)) {
    for (std::size_t at = 0; at < in.size(); at += kBlock) {
      quantise_and_back(through, in.subspan(at, kBlock),
                        out.subspan(at, kBlock));
    }
  } else if (rounding == Rounding::toward_zero) {
    std::transform(in.begin(), in.end(), out.begin(),
                   [&](float x) { return truncate_through(through, x); });
  } else {
    std::transform(in.begin(), in.end(), out.begin(),
                   [&](float x) { return round_through(through, x); });
  }
}

/// Same number, or one unit in the last place of a float for a quantiser.
bool is_same(float expected, float found, bool is_quantised) {
  if (std::isnan(expected) || std::isnan(found)) {
    return std::isnan(expected) && std::isnan(found);
  }
  return expected == found ||
         (is_quantised &&
          std::abs(expected - found) <= 2.5e-7F * std::abs(expected));
}

bool is_rounded(Dtype dtype) {
  return dtype == Dtype::bf16 || dtype == Dtype::f16 ||
         dtype == Dtype::f8_e4m3 || dtype == Dtype::f8_e5m2;
}

std::vector<Candidate> candidates_for(const TensorBytes& before,
                                      const TensorBytes& after) {
  std::vector<Candidate> candidates;
  if (before.dtype != after.dtype && is_floating(before.dtype) &&
      (after.dtype == Dtype::f32 || after.dtype == Dtype::f64)) {
    // A larger type with the same numbers.
    candidates.push_back({.dtype = after.dtype});
  }
  for (const Dtype dtype : kCandidates) {
    const bool is_quantised = dtype == Dtype::i8 || has_one_quantiser(dtype);
    // A block cannot lie across two rows, and rows must fit a window.
    if (is_quantised &&
        (after.columns() % kBlock != 0 || after.columns() > kWindowNumbers)) {
      continue;
    }
    if (dtype == Dtype::i8 && after.rows() < 2) continue;
    // Casting to the type that it has changes nothing.
    if (dtype == before.dtype) continue;
    candidates.push_back({.dtype = dtype, .is_quantised = is_quantised});
  }
  // After all that rounds: numbers that both explain were rounded.
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    if (dtype == before.dtype) continue;
    candidates.push_back({.dtype = dtype, .rounding = Rounding::toward_zero});
  }
  return candidates;
}

}  // namespace

std::string Recast::words() const {
  return rounding == Rounding::toward_zero ? through + " (cut off)" : through;
}

std::optional<Recast> find_recast(const TensorBytes& before,
                                  const TensorBytes& after,
                                  const Cancellation& cancellation) {
  const bool is_number =
      is_floating(before.dtype) &&
      (is_floating(after.dtype) || has_one_quantiser(after.dtype));
  if (!is_number || before.numbers() != after.numbers()) return std::nullopt;
  for (const Dtype dtype : {before.dtype, after.dtype}) {
    // Rows of an odd number of half bytes do not begin at a byte.
    if ((after.columns() * traits(dtype).block_bits) % 8 != 0) {
      return std::nullopt;
    }
  }
  std::vector<Candidate> candidates = candidates_for(before, after);
  const std::uint64_t columns = after.columns();
  // Whole rows where rows have an end; whole blocks in any case.
  const std::uint64_t window = columns <= kWindowNumbers
                                   ? kWindowNumbers / columns * columns
                                   : kWindowNumbers;
  std::vector<float> old;
  std::vector<float> now;
  std::vector<float> made;
  for (std::uint64_t at = 0; at < after.numbers(); at += window) {
    if (candidates.empty() || cancellation.requested()) return std::nullopt;
    const auto count =
        static_cast<std::size_t>(std::min(window, after.numbers() - at));
    old.resize(count);
    now.resize(count);
    made.resize(count);
    before.read_floats(at, old);
    after.read_floats(at, now);
    for (Candidate& each : candidates) {
      // A little first: most candidates fail at once.
      const std::size_t taste =
          std::min<std::size_t>(count, static_cast<std::size_t>(columns));
      for (const auto& [from, to] :
           {std::pair{std::size_t{0}, taste}, std::pair{taste, count}}) {
        if (from == to || !each.is_alive()) continue;
        const auto in = std::span(old).subspan(from, to - from);
        const auto out = std::span(made).subspan(from, to - from);
        if (each.dtype == Dtype::f32 || each.dtype == Dtype::f64) {
          std::copy(in.begin(), in.end(), out.begin());
        } else {
          recompute(each.dtype, each.rounding,
                    static_cast<std::size_t>(columns), in, out);
        }
        for (std::size_t i = from; i < to; ++i) {
          const float expected = is_rounded(after.dtype)
                                     ? round_through(after.dtype, made[i])
                                     : made[i];
          const bool is_equal = is_same(expected, now[i], each.is_quantised);
          const bool is_changed = now[i] != in[i - from];
          each.equal += is_equal ? 1U : 0U;
          each.changed += is_changed ? 1U : 0U;
          each.changed_equal += is_changed && is_equal ? 1U : 0U;
        }
        each.seen += to - from;
      }
    }
    std::erase_if(candidates,
                  [](const Candidate& each) { return !each.is_alive(); });
  }
  std::erase_if(candidates,
                [](const Candidate& each) { return !each.explains_changes(); });
  if (candidates.empty()) return std::nullopt;
  const Candidate& found = candidates.front();
  return Recast{.through = found.dtype == Dtype::i8
                               ? "INT8 per row"
                               : std::string(to_string(found.dtype)),
                .is_quantised = found.is_quantised,
                .rounding = found.rounding,
                .share = static_cast<double>(found.equal) /
                         static_cast<double>(found.seen),
                .relative = {}};
}

}  // namespace impound
