// SPDX-License-Identifier: Apache-2.0
// One loop serves both products: four rows of the result are sums of the same
// panel rows, each times a number that lies `step` floats further on.
#include "core/compare/delta/delta_panel.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace impound {
namespace {

constexpr std::size_t kRows = 4;  ///< of the result, at once
/// Rows of a panel that stay in a core's own cache: 320 KiB.
constexpr std::size_t kPanelRows = 1024;
/// Columns of d whose part of the result stays there, in the transposed
/// product.
constexpr std::size_t kColumnBlock = 256;

using Numbers = std::array<const float*, kRows>;
using Results = std::array<float*, kRows>;

using V4 = float __attribute__((vector_size(16)));

void add_portable(const Numbers& from, std::size_t step, const float* panel,
                  std::size_t count, const Results& to) {
  constexpr std::size_t kWide = 4;
  for (std::size_t at = 0; at < kPanelColumns; at += kWide) {
    std::array<V4, kRows> sums{};
    for (std::size_t t = 0; t < count; ++t) {
      V4 row;
      std::memcpy(&row, panel + t * kPanelColumns + at, sizeof row);
      for (std::size_t r = 0; r < kRows; ++r)
        sums[r] += from[r][t * step] * row;
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      V4 old;
      std::memcpy(&old, to[r] + at, sizeof old);
      old += sums[r];
      std::memcpy(to[r] + at, &old, sizeof old);
    }
  }
}

#if defined(__x86_64__)

// The sums stay in registers only where these loops are unrolled, which -O2
// does not do by itself.
__attribute__((target("avx512f"))) void add_avx512(const Numbers& from,
                                                   std::size_t step,
                                                   const float* panel,
                                                   std::size_t count,
                                                   const Results& to) {
  constexpr std::size_t kVectors = kPanelColumns / 16;
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 8
  for (auto& row : sums) {
#pragma GCC unroll 8
    for (__m512& each : row) each = _mm512_setzero_ps();
  }
  for (std::size_t t = 0; t < count; ++t) {
    __m512 row[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      row[v] = _mm512_loadu_ps(panel + t * kPanelColumns + 16 * v);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512 number = _mm512_set1_ps(from[r][t * step]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[r][v] = _mm512_fmadd_ps(number, row[v], sums[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      float* at = to[r] + 16 * v;
      _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), sums[r][v]));
    }
  }
}

__attribute__((target("avx2,fma"))) void add_avx2(const Numbers& from,
                                                  std::size_t step,
                                                  const float* panel,
                                                  std::size_t count,
                                                  const Results& to) {
  constexpr std::size_t kVectors = 2;
  for (std::size_t at = 0; at < kPanelColumns; at += 8 * kVectors) {
    __m256 sums[kRows][kVectors];
#pragma GCC unroll 8
    for (auto& row : sums) {
#pragma GCC unroll 8
      for (__m256& each : row) each = _mm256_setzero_ps();
    }
    for (std::size_t t = 0; t < count; ++t) {
      __m256 row[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        row[v] = _mm256_loadu_ps(panel + t * kPanelColumns + at + 8 * v);
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m256 number = _mm256_set1_ps(from[r][t * step]);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          sums[r][v] = _mm256_fmadd_ps(number, row[v], sums[r][v]);
        }
      }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        float* out = to[r] + at + 8 * v;
        _mm256_storeu_ps(out, _mm256_add_ps(_mm256_loadu_ps(out), sums[r][v]));
      }
    }
  }
}

#endif

void add(const Numbers& from, std::size_t step, const float* panel,
         std::size_t count, const Results& to, Instructions set) {
#if defined(__x86_64__)
  if (set == Instructions::avx512)
    return add_avx512(from, step, panel, count, to);
  if (set == Instructions::avx2) return add_avx2(from, step, panel, count, to);
#endif
  static_cast<void>(set);
  add_portable(from, step, panel, count, to);
}

/// Rows of a result in groups of kRows; what is missing in the last group is
/// computed twice and thrown away.
template <typename Use>
void each_group(std::size_t rows, Use use) {
  std::array<float, kPanelColumns> unused;
  for (std::size_t r = 0; r < rows; r += kRows) {
    std::array<std::size_t, kRows> index;
    for (std::size_t i = 0; i < kRows; ++i) {
      index[i] = std::min(r + i, rows - 1);
    }
    unused.fill(0);
    use(index, std::min(kRows, rows - r), unused.data());
  }
}

}  // namespace

void multiply_panel(const float* d, std::size_t rows, std::size_t columns,
                    const float* x, float* y, Instructions set) {
  for (std::size_t at = 0; at < columns; at += kPanelRows) {
    const std::size_t count = std::min(kPanelRows, columns - at);
    each_group(rows, [&](const auto& index, std::size_t real, float* unused) {
      Numbers from;
      Results to;
      for (std::size_t i = 0; i < kRows; ++i) {
        from[i] = d + index[i] * columns + at;
        to[i] = i < real ? y + index[i] * kPanelColumns : unused;
      }
      add(from, 1, x + at * kPanelColumns, count, to, set);
    });
  }
}

void multiply_panel_transposed(const float* d, std::size_t rows,
                               std::size_t columns, const float* q, float* z,
                               Instructions set) {
  for (std::size_t block = 0; block < columns; block += kColumnBlock) {
    const std::size_t width = std::min(kColumnBlock, columns - block);
    each_group(width, [&](const auto& index, std::size_t real, float* unused) {
      Numbers from;
      Results to;
      for (std::size_t i = 0; i < kRows; ++i) {
        from[i] = d + block + index[i];
        to[i] = i < real ? z + (block + index[i]) * kPanelColumns : unused;
      }
      add(from, columns, q, rows, to, set);
    });
  }
}

}  // namespace impound
