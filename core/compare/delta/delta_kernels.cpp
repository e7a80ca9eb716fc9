// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_kernels.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/formats/numbers.hpp"

namespace impound {
namespace {

template <typename Word>
Word load(const std::byte* bytes, std::size_t index) {
  Word word;
  std::memcpy(&word, bytes + index * sizeof(Word), sizeof(Word));
  return word;
}

/// Codes in the order of the numbers they mean, for sign and magnitude.
template <typename Word>
Word ordinal(Word bits) {
  constexpr unsigned kTop = sizeof(Word) * 8 - 1;
  constexpr Word kSign = static_cast<Word>(Word{1} << kTop);
  // All ones where the sign is set: no branch, for it is set half of the time.
  const Word negative = static_cast<Word>(Word{0} - (bits >> kTop));
  return static_cast<Word>(bits ^ (negative | kSign));
}

/// Integers: two's complement becomes unsigned order by the sign bit.
template <typename Word>
Word ordinal_integer(Word bits, bool is_signed) {
  constexpr Word kSign = static_cast<Word>(Word{1} << (sizeof(Word) * 8 - 1));
  return static_cast<Word>(is_signed ? bits ^ kSign : bits);
}

bool is_signed_integer(Dtype dtype) {
  return dtype == Dtype::i8 || dtype == Dtype::i16 || dtype == Dtype::i32 ||
         dtype == Dtype::i64 || dtype == Dtype::qi8 || dtype == Dtype::qi32;
}

/// A tile goes to the same place in memory as its neighbours: `count` words.
template <typename Word>
void measure_bits(Dtype dtype, const std::byte* before, const std::byte* after,
                  std::size_t count, DeltaSums& sums) {
  const bool is_float = traits(dtype).kind == NumberKind::floating ||
                        traits(dtype).kind == NumberKind::complex;
  const bool is_signed = is_signed_integer(dtype);
  // Without branches: which numbers changed cannot be guessed.
  std::uint64_t changed = 0;
  std::uint64_t single = 0;
  Word mask = 0;
  Word most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Word a = load<Word>(before, i);
    const Word b = load<Word>(after, i);
    const Word x = static_cast<Word>(a ^ b);
    changed += x != 0 ? 1U : 0U;
    mask = static_cast<Word>(mask | x);
    single += (x & static_cast<Word>(x - 1)) == 0 && x != 0 ? 1U : 0U;
    const Word one = is_float ? ordinal(a) : ordinal_integer(a, is_signed);
    const Word two = is_float ? ordinal(b) : ordinal_integer(b, is_signed);
    most = std::max(most,
                    static_cast<Word>(std::max(one, two) - std::min(one, two)));
  }
  sums.changed += changed;
  sums.single_bit += single;
  sums.xor_mask |= mask;
  sums.max_ulp = std::max<std::uint64_t>(sums.max_ulp, most);
}

void measure_portable(Dtype dtype, const std::byte* before,
                      const std::byte* after, std::size_t elements,
                      DeltaSums& sums) {
  const DtypeTraits& type = traits(dtype);
  // A complex number is two numbers for the sums and for the bits.
  const std::size_t parts = type.kind == NumberKind::complex ? 2 : 1;
  const std::size_t width = type.block_bits / 8 / parts;
  const std::size_t count = elements * parts;
  std::array<double, kTileElements> a;
  std::array<double, kTileElements> b;
  DeltaSums found;
  for (std::size_t at = 0; at < count; at += kTileElements) {
    const std::size_t some = std::min(kTileElements, count - at);
    decode_doubles(dtype, {before + at * width, some * width},
                   std::span(a).first(some));
    decode_doubles(dtype, {after + at * width, some * width},
                   std::span(b).first(some));
    found += measure_values(a.data(), b.data(), some);
  }
  found.changed = 0;
  switch (width) {
    case 1:
      measure_bits<std::uint8_t>(dtype, before, after, count, found);
      break;
    case 2:
      measure_bits<std::uint16_t>(dtype, before, after, count, found);
      break;
    case 4:
      measure_bits<std::uint32_t>(dtype, before, after, count, found);
      break;
    default:
      measure_bits<std::uint64_t>(dtype, before, after, count, found);
  }
  sums += found;
}

/// One number at a time, NaN and infinities apart.
DeltaSums measure_carefully(const double* before, const double* after,
                            std::size_t elements) {
  DeltaSums sums;
  for (std::size_t i = 0; i < elements; ++i) {
    const double a = before[i];
    const double b = after[i];
    if (!std::isfinite(a) || !std::isfinite(b)) {
      ++sums.not_finite;
      if (std::isnan(b) && !std::isnan(a)) ++sums.nan_introduced;
      if (std::isinf(b) && !std::isinf(a)) ++sums.inf_introduced;
      if (std::isnan(a) != std::isnan(b) || (!std::isnan(a) && a != b)) {
        ++sums.changed;
      }
      continue;
    }
    const double d = b - a;
    if (d != 0) ++sums.changed;
    sums.delta_squares += d * d;
    sums.before_squares += a * a;
    sums.after_squares += b * b;
    sums.max_delta = std::max(sums.max_delta, std::abs(d));
  }
  return sums;
}

}  // namespace

DeltaSums& DeltaSums::operator+=(const DeltaSums& other) noexcept {
  changed += other.changed;
  single_bit += other.single_bit;
  xor_mask |= other.xor_mask;
  max_ulp = std::max(max_ulp, other.max_ulp);
  delta_squares += other.delta_squares;
  before_squares += other.before_squares;
  after_squares += other.after_squares;
  max_delta = std::max(max_delta, other.max_delta);
  nan_introduced += other.nan_introduced;
  inf_introduced += other.inf_introduced;
  not_finite += other.not_finite;
  return *this;
}

std::string_view to_string(Instructions set) noexcept {
  switch (set) {
    case Instructions::portable:
      return "portable";
    case Instructions::avx2:
      return "AVX2";
    case Instructions::avx512:
      return "AVX-512";
  }
  return "portable";
}

Instructions best_instructions() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    return Instructions::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    return Instructions::avx2;
  }
#endif
  return Instructions::portable;
}

DeltaSums measure_tile(Dtype dtype, const std::byte* before,
                       const std::byte* after, std::size_t elements,
                       Instructions set) {
  DeltaSums sums;
  std::size_t done = 0;
  if (dtype == Dtype::bf16 || dtype == Dtype::f16 || dtype == Dtype::f32) {
    if (set == Instructions::avx512) {
      done = measure_avx512(dtype, before, after, elements, sums);
    } else if (set == Instructions::avx2) {
      done = measure_avx2(dtype, before, after, elements, sums);
    }
    // Infinities, NaN, squares beyond float, or all of them below it: the
    // careful way sees each pair in double.
    const bool overflowed = !std::isfinite(sums.delta_squares) ||
                            !std::isfinite(sums.before_squares) ||
                            !std::isfinite(sums.after_squares);
    const bool vanished = sums.changed > 0 && sums.delta_squares < 1e-30;
    const bool is_tiny = done > 0 && sums.before_squares < 1e-30;
    if (overflowed || vanished || is_tiny) {
      sums = DeltaSums{};
      done = 0;
    }
  }
  if (done < elements) {
    const std::size_t width = traits(dtype).block_bits / 8;
    measure_portable(dtype, before + done * width, after + done * width,
                     elements - done, sums);
  }
  return sums;
}

DeltaSums measure_values(const double* before, const double* after,
                         std::size_t elements) {
  // Nearly every run is finite: then four sums of each kind need no branch.
  constexpr std::size_t kLanes = 4;
  std::array<double, kLanes> delta{};
  std::array<double, kLanes> old{};
  std::array<double, kLanes> now{};
  std::array<double, kLanes> most{};
  std::array<std::uint64_t, kLanes> changed{};
  const std::size_t whole = elements / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double a = before[i + lane];
      const double b = after[i + lane];
      const double d = b - a;
      changed[lane] += d != 0 ? 1U : 0U;
      delta[lane] += d * d;
      old[lane] += a * a;
      now[lane] += b * b;
      most[lane] = std::max(most[lane], std::abs(d));
    }
  }
  DeltaSums sums;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums.changed += changed[lane];
    sums.delta_squares += delta[lane];
    sums.before_squares += old[lane];
    sums.after_squares += now[lane];
    sums.max_delta = std::max(sums.max_delta, most[lane]);
  }
  // Squares of large doubles may overflow where the numbers are finite: the
  // careful way gives the same infinity.
  const bool is_finite =
      std::isfinite(sums.before_squares) && std::isfinite(sums.after_squares);
  if (!is_finite) return measure_carefully(before, after, elements);
  sums += measure_carefully(before + whole, after + whole, elements - whole);
  return sums;
}

}  // namespace impound
