// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whether numbers that are kept as codes with scales (code_grid.hpp) are the
/// old ones, rounded; and how they lie to them where they are not.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/compare/delta/delta_recipe.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

/// Each number is the nearest that its stored scale allows, and each scale one
/// that the old numbers ask for. Reads `before` once, for what they ask.
/// Precondition: after.grid is set; both have the same number of numbers.
[[nodiscard]] std::unique_ptr<Recipe> grid_recipe(const TensorBytes& before,
                                                  const TensorBytes& after);

/// Σstep²/12: what rounding to the nearest code puts into Σ(b−a)², expected.
/// Precondition: tensor.grid is set.
[[nodiscard]] double grid_squares(const TensorBytes& tensor);

/// How packed numbers lie to the old ones that they are not the rounding of.
struct GridLook {
  double nearest = 0;     ///< share of numbers whose code is the nearest
  double most_steps = 0;  ///< furthest from the old number, in steps
  double error = 0;       ///< ‖B−A‖ in units of the rounding's
  /// Rows whose error is far above the others', few.
  std::vector<std::uint64_t> rows;
  /// Every column is the old one times a factor of its own, as AWQ makes.
  bool has_column_factors = false;
  double least_factor = 1;
  double most_factor = 1;
  double error_by_column = 0;  ///< what is left then, in the same units
};

/// Reads both twice. Precondition: after.grid is set, up to 4 Mi columns.
[[nodiscard]] GridLook look_at_grid(const TensorBytes& before,
                                    const TensorBytes& after,
                                    const Cancellation& cancellation);

}  // namespace impound
