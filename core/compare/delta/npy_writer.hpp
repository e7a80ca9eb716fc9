// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Matrices as NumPy files, for whoever looks at the evidence with other tools.

#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"

namespace impound {

/// A .npy file of version 1.0, '<f4', C order. `numbers` has rows × columns.
[[nodiscard]] Bytes npy_file(std::span<const float> numbers, std::uint64_t rows,
                             std::uint64_t columns);

/// The same of whole numbers, '<u8', one row.
[[nodiscard]] Bytes npy_file(std::span<const std::uint64_t> numbers);

}  // namespace impound
