// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Numbers that are kept as codes, with scales in tensors beside them: what
/// GPTQ, AWQ, bitsandbytes, compressed-tensors and block-wise F8 write.
///
/// Decoded they are floats like others, but the scales say what rounding can
/// have made of them, as those of a K-quant do: given its scale, a number has
/// one nearest code. Quantisers that move a number beyond it (GPTQ, which makes
/// up for the error of others; AWQ, which scales columns first) cannot be
/// cleared number by number, and are not.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace impound {

/// What one code is worth, and the number of code 0, of each run of numbers
/// that share a scale.
struct BlockScale {
  float step = 0;  ///< may be negative
  float base = 0;
};

class CodeGrid {
 public:
  CodeGrid() = default;
  virtual ~CodeGrid() = default;
  CodeGrid(const CodeGrid&) = delete;
  CodeGrid& operator=(const CodeGrid&) = delete;

  /// Cells: numbers that share a scale.
  [[nodiscard]] virtual std::uint32_t cells() const = 0;
  /// The cell of each number from number `first` on.
  virtual void cells_of(std::uint64_t first,
                        std::span<std::uint32_t> out) const = 0;
  /// A number is base + step·level.
  [[nodiscard]] virtual BlockScale scale(std::uint32_t cell) const = 0;

  std::vector<float> levels;  ///< ascending, two at least
  bool is_even = true;        ///< levels are one step apart
  /// How far a stored scale may be from the one that the codes were made with.
  float scale_room = 1e-3F;
  /// How much larger a scale may be than the largest number asks for.
  float most_scale = 1.001F;
  std::string words;  ///< "GPTQ, INT4 in groups of 128"
};

}  // namespace impound
