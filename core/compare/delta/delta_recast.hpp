// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whether a tensor is the old one, rounded: cast to a smaller type and back,
/// or quantised. Tested by doing it again, not by how it looks, and of every
/// number (delta_recipe.hpp): what a recipe does not explain is judged by
/// itself (remainder_of()).

#include <memory>
#include <optional>
#include <string>

#include "core/base/progress.hpp"
#include "core/base/source.hpp"
#include "core/compare/delta/delta_recipe.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/formats/numbers.hpp"

namespace impound {

struct Recast {
  std::string through;        ///< "BF16", "Q8_0", "INT8 per row"
  bool is_quantised = false;  ///< blocks or rows with a scale
  Rounding rounding = Rounding::nearest;
  double share = 0;  ///< of the numbers that are as recomputed
  /// Numbers that the recipe does not make of the old ones. With one, the
  /// tensor is not the old one, rounded.
  std::uint64_t unexplained = 0;
  /// ‖B−A‖/‖A‖ where the plain numbers do not show it: integers with a scale.
  std::optional<double> relative;
  /// Of integers with a scale, the rows that no scale explains: "row 17".
  std::string rest;
  /// What made it; empty for integers with a scale.
  std::shared_ptr<const Recipe> recipe;

  /// "BF16", "BF16 (cut off)".
  [[nodiscard]] std::string words() const;
};

/// The first recipe that explains every number of `after`, else the one that
/// leaves the fewest, if those are few (kMostUnexplained) and it explains most
/// of what changed. Stops reading as soon as none can.
[[nodiscard]] std::optional<Recast> find_recast(
    const TensorBytes& before, const TensorBytes& after,
    const Cancellation& cancellation);

/// Whether `after`, 8-bit integers, holds the numbers of `before` divided by a
/// scale for each row (and less a zero point), every one of them, wherever the
/// scales are stored: they are not looked at.
[[nodiscard]] std::optional<Recast> find_integer_rows(
    const TensorBytes& before, const TensorBytes& after,
    const Cancellation& cancellation);

/// `before` after the recipe, as `after` has it where the recipe can make that:
/// what differs from `after` is what the recipe did not do. In the type of
/// `after` where that is a float, else in F32. Both outlive the source.
/// Precondition: recast.recipe is set.
struct Remainder {
  std::unique_ptr<ByteSource> source;
  TensorBytes bytes;
};

[[nodiscard]] Remainder remainder_of(const TensorBytes& before,
                                     const TensorBytes& after,
                                     const Recast& recast);

}  // namespace impound
