// SPDX-License-Identifier: Apache-2.0
// The vector loops. Each function is compiled for its own instruction set; the
// caller asks the processor first (best_instructions).
#include "core/compare/delta/delta_kernels.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>

namespace impound {
namespace {

#define IMPOUND_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,popcnt")))
#define IMPOUND_AVX2 __attribute__((target("avx2,fma,f16c,popcnt")))

// ---------------------------------------------------------------- AVX-512

/// Running sums of one tile in float lanes.
struct Lanes512 {
  __m512 delta;
  __m512 before;
  __m512 after;
  __m512 most;
};

IMPOUND_AVX512 inline void add_pair(__m512 a, __m512 b, Lanes512& lanes) {
  const __m512 d = _mm512_sub_ps(b, a);
  lanes.delta = _mm512_fmadd_ps(d, d, lanes.delta);
  lanes.before = _mm512_fmadd_ps(a, a, lanes.before);
  lanes.after = _mm512_fmadd_ps(b, b, lanes.after);
  lanes.most = _mm512_max_ps(lanes.most, _mm512_abs_ps(d));
}

IMPOUND_AVX512 inline void add_same(__m512 a, Lanes512& lanes) {
  const __m512 square = _mm512_mul_ps(a, a);
  lanes.before = _mm512_add_ps(lanes.before, square);
  lanes.after = _mm512_add_ps(lanes.after, square);
}

/// The even and the odd elements of 32 bfloat16, as floats.
IMPOUND_AVX512 inline __m512 even_bf16(__m512i words) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}
IMPOUND_AVX512 inline __m512 odd_bf16(__m512i words) {
  return _mm512_castsi512_ps(_mm512_and_si512(
      words, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
IMPOUND_AVX512 inline __m512 low_f16(__m512i words) {
  return _mm512_cvtph_ps(_mm512_castsi512_si256(words));
}
IMPOUND_AVX512 inline __m512 high_f16(__m512i words) {
  return _mm512_cvtph_ps(_mm512_extracti64x4_epi64(words, 1));
}

IMPOUND_AVX512 inline double sum_lanes(__m512 lanes) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(lanes));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(lanes, 1));
  return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

IMPOUND_AVX512 void flush(const Lanes512& one, const Lanes512& two,
                          DeltaSums& sums) {
  sums.delta_squares += sum_lanes(one.delta) + sum_lanes(two.delta);
  sums.before_squares += sum_lanes(one.before) + sum_lanes(two.before);
  sums.after_squares += sum_lanes(one.after) + sum_lanes(two.after);
  sums.max_delta = _mm512_reduce_max_ps(_mm512_max_ps(one.most, two.most));
}

IMPOUND_AVX512 std::size_t measure16(Dtype dtype, const std::byte* before,
                                     const std::byte* after,
                                     std::size_t elements, DeltaSums& sums) {
  const bool is_bf16 = dtype == Dtype::bf16;
  const __m512i sign = _mm512_set1_epi16(static_cast<short>(0x8000));
  const __m512i one = _mm512_set1_epi16(1);
  __m512i mask = _mm512_setzero_si512();
  __m512i most = _mm512_setzero_si512();
  std::uint64_t changed = 0;
  std::uint64_t single = 0;
  Lanes512 lanes{};
  Lanes512 more{};
  std::size_t i = 0;
  for (; i + 32 <= elements; i += 32) {
    const __m512i a = _mm512_loadu_si512(before + 2 * i);
    const __m512i b = _mm512_loadu_si512(after + 2 * i);
    const __m512 a1 = is_bf16 ? even_bf16(a) : low_f16(a);
    const __m512 a2 = is_bf16 ? odd_bf16(a) : high_f16(a);
    const __m512i x = _mm512_xor_si512(a, b);
    const __mmask32 differs = _mm512_test_epi16_mask(x, x);
    if (differs == 0) {
      add_same(a1, lanes);
      add_same(a2, more);
      continue;
    }
    changed += static_cast<unsigned>(std::popcount(differs));
    mask = _mm512_or_si512(mask, x);
    const __m512i rest = _mm512_and_si512(x, _mm512_sub_epi16(x, one));
    single += static_cast<unsigned>(
        std::popcount(differs & _mm512_testn_epi16_mask(rest, rest)));
    const __m512i oa =
        _mm512_xor_si512(a, _mm512_or_si512(_mm512_srai_epi16(a, 15), sign));
    const __m512i ob =
        _mm512_xor_si512(b, _mm512_or_si512(_mm512_srai_epi16(b, 15), sign));
    most = _mm512_max_epu16(most, _mm512_sub_epi16(_mm512_max_epu16(oa, ob),
                                                   _mm512_min_epu16(oa, ob)));
    add_pair(a1, is_bf16 ? even_bf16(b) : low_f16(b), lanes);
    add_pair(a2, is_bf16 ? odd_bf16(b) : high_f16(b), more);
  }
  alignas(64) std::uint16_t words[32];
  _mm512_store_si512(words, mask);
  for (const std::uint16_t word : words) sums.xor_mask |= word;
  _mm512_store_si512(words, most);
  for (const std::uint16_t word : words) {
    if (word > sums.max_ulp) sums.max_ulp = word;
  }
  sums.changed += changed;
  sums.single_bit += single;
  flush(lanes, more, sums);
  return i;
}

IMPOUND_AVX512 std::size_t measure32(const std::byte* before,
                                     const std::byte* after,
                                     std::size_t elements, DeltaSums& sums) {
  const __m512i sign = _mm512_set1_epi32(static_cast<int>(0x80000000U));
  const __m512i one = _mm512_set1_epi32(1);
  __m512i mask = _mm512_setzero_si512();
  __m512i most = _mm512_setzero_si512();
  std::uint64_t changed = 0;
  std::uint64_t single = 0;
  Lanes512 lanes[2] = {};
  std::size_t i = 0;
  for (; i + 16 <= elements; i += 16) {
    Lanes512& mine = lanes[(i / 16) % 2];
    const __m512i a = _mm512_loadu_si512(before + 4 * i);
    const __m512i b = _mm512_loadu_si512(after + 4 * i);
    const __m512i x = _mm512_xor_si512(a, b);
    const __mmask16 differs = _mm512_test_epi32_mask(x, x);
    if (differs == 0) {
      add_same(_mm512_castsi512_ps(a), mine);
      continue;
    }
    changed += static_cast<unsigned>(std::popcount(differs));
    mask = _mm512_or_si512(mask, x);
    const __m512i rest = _mm512_and_si512(x, _mm512_sub_epi32(x, one));
    single += static_cast<unsigned>(std::popcount(
        static_cast<unsigned>(differs & _mm512_testn_epi32_mask(rest, rest))));
    const __m512i oa =
        _mm512_xor_si512(a, _mm512_or_si512(_mm512_srai_epi32(a, 31), sign));
    const __m512i ob =
        _mm512_xor_si512(b, _mm512_or_si512(_mm512_srai_epi32(b, 31), sign));
    most = _mm512_max_epu32(most, _mm512_sub_epi32(_mm512_max_epu32(oa, ob),
                                                   _mm512_min_epu32(oa, ob)));
    add_pair(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), mine);
  }
  sums.xor_mask |= static_cast<std::uint32_t>(_mm512_reduce_or_epi32(mask));
  const std::uint64_t ulp = _mm512_reduce_max_epu32(most);
  if (ulp > sums.max_ulp) sums.max_ulp = ulp;
  sums.changed += changed;
  sums.single_bit += single;
  flush(lanes[0], lanes[1], sums);
  return i;
}

// ------------------------------------------------------------------- AVX2

struct Lanes256 {
  __m256 delta;
  __m256 before;
  __m256 after;
  __m256 most;
};

IMPOUND_AVX2 inline void add_pair(__m256 a, __m256 b, Lanes256& lanes) {
  const __m256 d = _mm256_sub_ps(b, a);
  const __m256 magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), d);
  lanes.delta = _mm256_fmadd_ps(d, d, lanes.delta);
  lanes.before = _mm256_fmadd_ps(a, a, lanes.before);
  lanes.after = _mm256_fmadd_ps(b, b, lanes.after);
  lanes.most = _mm256_max_ps(lanes.most, magnitude);
}

IMPOUND_AVX2 inline void add_same(__m256 a, Lanes256& lanes) {
  const __m256 square = _mm256_mul_ps(a, a);
  lanes.before = _mm256_add_ps(lanes.before, square);
  lanes.after = _mm256_add_ps(lanes.after, square);
}

IMPOUND_AVX2 inline __m256 first_of(__m256i words, bool is_bf16) {
  return is_bf16 ? _mm256_castsi256_ps(_mm256_slli_epi32(words, 16))
                 : _mm256_cvtph_ps(_mm256_castsi256_si128(words));
}
IMPOUND_AVX2 inline __m256 second_of(__m256i words, bool is_bf16) {
  return is_bf16 ? _mm256_castsi256_ps(_mm256_and_si256(
                       words, _mm256_set1_epi32(static_cast<int>(0xFFFF0000U))))
                 : _mm256_cvtph_ps(_mm256_extracti128_si256(words, 1));
}

IMPOUND_AVX2 inline double sum_lanes(__m256 lanes) {
  alignas(32) float values[8];
  _mm256_store_ps(values, lanes);
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value);
  return sum;
}

IMPOUND_AVX2 void flush(const Lanes256& one, const Lanes256& two,
                        DeltaSums& sums) {
  sums.delta_squares += sum_lanes(one.delta) + sum_lanes(two.delta);
  sums.before_squares += sum_lanes(one.before) + sum_lanes(two.before);
  sums.after_squares += sum_lanes(one.after) + sum_lanes(two.after);
  alignas(32) float values[8];
  _mm256_store_ps(values, _mm256_max_ps(one.most, two.most));
  for (const float value : values) {
    if (static_cast<double>(value) > sums.max_delta) {
      sums.max_delta = static_cast<double>(value);
    }
  }
}

IMPOUND_AVX2 std::size_t measure16_avx2(Dtype dtype, const std::byte* before,
                                        const std::byte* after,
                                        std::size_t elements, DeltaSums& sums) {
  const bool is_bf16 = dtype == Dtype::bf16;
  const __m256i sign = _mm256_set1_epi16(static_cast<short>(0x8000));
  const __m256i one = _mm256_set1_epi16(1);
  const __m256i zero = _mm256_setzero_si256();
  __m256i mask = zero;
  __m256i most = zero;
  std::uint64_t same_bits = 0;  // two bits of a movemask for each element
  std::uint64_t single_bits = 0;
  Lanes256 lanes{};
  Lanes256 more{};
  std::size_t i = 0;
  for (; i + 16 <= elements; i += 16) {
    const __m256i a =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(before + 2 * i));
    const __m256i b =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(after + 2 * i));
    const __m256 a1 = first_of(a, is_bf16);
    const __m256 a2 = second_of(a, is_bf16);
    const __m256i x = _mm256_xor_si256(a, b);
    if (_mm256_testz_si256(x, x) != 0) {
      same_bits += 32;
      add_same(a1, lanes);
      add_same(a2, more);
      continue;
    }
    const auto same = static_cast<unsigned>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi16(x, zero)));
    same_bits += static_cast<unsigned>(std::popcount(same));
    mask = _mm256_or_si256(mask, x);
    const __m256i rest = _mm256_and_si256(x, _mm256_sub_epi16(x, one));
    const auto few = static_cast<unsigned>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi16(rest, zero)));
    single_bits += static_cast<unsigned>(std::popcount(few & ~same));
    const __m256i oa =
        _mm256_xor_si256(a, _mm256_or_si256(_mm256_srai_epi16(a, 15), sign));
    const __m256i ob =
        _mm256_xor_si256(b, _mm256_or_si256(_mm256_srai_epi16(b, 15), sign));
    most = _mm256_max_epu16(most, _mm256_sub_epi16(_mm256_max_epu16(oa, ob),
                                                   _mm256_min_epu16(oa, ob)));
    add_pair(a1, first_of(b, is_bf16), lanes);
    add_pair(a2, second_of(b, is_bf16), more);
  }
  alignas(32) std::uint16_t words[16];
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), mask);
  for (const std::uint16_t word : words) sums.xor_mask |= word;
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), most);
  for (const std::uint16_t word : words) {
    if (word > sums.max_ulp) sums.max_ulp = word;
  }
  sums.changed += i - same_bits / 2;
  sums.single_bit += single_bits / 2;
  flush(lanes, more, sums);
  return i;
}

IMPOUND_AVX2 std::size_t measure32_avx2(const std::byte* before,
                                        const std::byte* after,
                                        std::size_t elements, DeltaSums& sums) {
  const __m256i sign = _mm256_set1_epi32(static_cast<int>(0x80000000U));
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i zero = _mm256_setzero_si256();
  __m256i mask = zero;
  __m256i most = zero;
  std::uint64_t same_count = 0;
  std::uint64_t single = 0;
  Lanes256 lanes[2] = {};
  std::size_t i = 0;
  for (; i + 8 <= elements; i += 8) {
    Lanes256& mine = lanes[(i / 8) % 2];
    const __m256i a =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(before + 4 * i));
    const __m256i b =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(after + 4 * i));
    const __m256i x = _mm256_xor_si256(a, b);
    if (_mm256_testz_si256(x, x) != 0) {
      same_count += 8;
      add_same(_mm256_castsi256_ps(a), mine);
      continue;
    }
    const auto same = static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(x, zero))));
    same_count += static_cast<unsigned>(std::popcount(same));
    mask = _mm256_or_si256(mask, x);
    const __m256i rest = _mm256_and_si256(x, _mm256_sub_epi32(x, one));
    const auto few = static_cast<unsigned>(_mm256_movemask_ps(
        _mm256_castsi256_ps(_mm256_cmpeq_epi32(rest, zero))));
    single += static_cast<unsigned>(std::popcount(few & ~same));
    const __m256i oa =
        _mm256_xor_si256(a, _mm256_or_si256(_mm256_srai_epi32(a, 31), sign));
    const __m256i ob =
        _mm256_xor_si256(b, _mm256_or_si256(_mm256_srai_epi32(b, 31), sign));
    most = _mm256_max_epu32(most, _mm256_sub_epi32(_mm256_max_epu32(oa, ob),
                                                   _mm256_min_epu32(oa, ob)));
    add_pair(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), mine);
  }
  alignas(32) std::uint32_t words[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), mask);
  for (const std::uint32_t word : words) sums.xor_mask |= word;
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), most);
  for (const std::uint32_t word : words) {
    if (word > sums.max_ulp) sums.max_ulp = word;
  }
  sums.changed += i - same_count;
  sums.single_bit += single;
  flush(lanes[0], lanes[1], sums);
  return i;
}

}  // namespace

std::size_t measure_avx512(Dtype dtype, const std::byte* before,
                           const std::byte* after, std::size_t elements,
                           DeltaSums& sums) {
  return dtype == Dtype::f32 ? measure32(before, after, elements, sums)
                             : measure16(dtype, before, after, elements, sums);
}

std::size_t measure_avx2(Dtype dtype, const std::byte* before,
                         const std::byte* after, std::size_t elements,
                         DeltaSums& sums) {
  return dtype == Dtype::f32
             ? measure32_avx2(before, after, elements, sums)
             : measure16_avx2(dtype, before, after, elements, sums);
}

}  // namespace impound

#else

namespace impound {

std::size_t measure_avx512(Dtype, const std::byte*, const std::byte*,
                           std::size_t, DeltaSums&) {
  return 0;
}

std::size_t measure_avx2(Dtype, const std::byte*, const std::byte*, std::size_t,
                         DeltaSums&) {
  return 0;
}

}  // namespace impound

#endif
