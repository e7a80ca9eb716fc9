// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whether a tensor is the old one, rounded: cast to a smaller type and back,
/// or quantised. Tested by doing it again, not by how it looks.

#include <optional>
#include <string>

#include "core/base/progress.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/formats/numbers.hpp"

namespace impound {

struct Recast {
  std::string through;        ///< "BF16", "Q8_0", "INT8 per row"
  bool is_quantised = false;  ///< blocks or rows with a scale
  Rounding rounding = Rounding::nearest;
  double share = 0;  ///< of the numbers that are as recomputed
  /// "BF16", "BF16 (cut off)".
  [[nodiscard]] std::string words() const;
  /// ‖B−A‖/‖A‖ where the plain numbers do not show it: integers with a scale.
  std::optional<double> relative;
};

/// The first type that explains every number of `after` (casts), or 99.9 % of
/// them (quantisers, whose arithmetic differs in the last place between
/// programs). Stops reading as soon as none can.
[[nodiscard]] std::optional<Recast> find_recast(
    const TensorBytes& before, const TensorBytes& after,
    const Cancellation& cancellation);

/// Whether `after`, 8-bit integers, holds the numbers of `before` divided by a
/// scale for each row (and less a zero point), wherever the scales are stored.
[[nodiscard]] std::optional<Recast> find_integer_rows(
    const TensorBytes& before, const TensorBytes& after,
    const Cancellation& cancellation);

}  // namespace impound
