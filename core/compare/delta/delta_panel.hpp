// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Products of a matrix with a narrow panel, for the sketch of a spectrum: with
/// AVX-512 or AVX2 where the processor has it, else four floats at a time.

#include <cstddef>

#include "core/compare/delta/delta_kernels.hpp"

namespace impound {

/// Columns of a panel, stored row by row; unused ones are zero.
inline constexpr std::size_t kPanelColumns = 80;

/// y += d·x: `d` is rows × columns, `x` a panel of `columns` rows, `y` a panel
/// of `rows` rows.
void multiply_panel(const float* d, std::size_t rows, std::size_t columns,
                    const float* x, float* y, Instructions set);

/// z += dᵀ·q: `q` is a panel of `rows` rows, `z` one of `columns` rows.
void multiply_panel_transposed(const float* d, std::size_t rows,
                               std::size_t columns, const float* q, float* z,
                               Instructions set);

}  // namespace impound
