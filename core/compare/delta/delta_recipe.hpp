// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a way of rounding can make of old numbers: of every single one, not of
/// most.
///
/// A change that is called rounding is a change that nobody looks at any more,
/// so the question is never whether a tensor looks rounded but whether each of
/// its numbers is one that the recipe makes of the old number in its place. For
/// a cast that is one number. For the block types with one answer (Q4_0 Q4_1
/// Q5_0 Q5_1 Q8_0) it is the reference's, and its neighbour where the old
/// number lies on the border between two (programs differ in the last place of
/// a scale). The K-quants search for scales, with or without an importance
/// matrix, but all of them round to the nearest number that the scales they
/// found allow: given the stored scales there is one answer again. What the
/// search itself may do is bounded: a number lies no further from the old one
/// than so many steps of the block (kRoom…; measured on ggml's own quantisers,
/// tests/calibration).
///
/// Layouts and arithmetic: ggml/src/ggml-common.h, ggml-quants.c.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/compare/delta/code_grid.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/formats/numbers.hpp"

namespace impound {

/// Old and new numbers in one place of a tensor: whole units of a recipe.
struct RecipeWindow {
  std::uint64_t first = 0;  ///< number of the first
  std::span<const float> old;
  /// How far an old number may be from the one that was rounded: half a step
  /// where the old side is quantised itself. Empty for not at all.
  std::span<const float> slack;
  std::span<const float> now;
  ByteView blocks;  ///< the new numbers as they are stored
};

class Recipe {
 public:
  Recipe(bool quantises, std::uint64_t numbers)
      : is_quantised(quantises), unit(numbers) {}
  virtual ~Recipe() = default;
  Recipe(const Recipe&) = delete;
  Recipe& operator=(const Recipe&) = delete;

  /// Writes what the recipe makes: the new number wherever it can be made of
  /// the old one, else the likeliest that can. Returns how many cannot.
  /// Precondition: all of one length, a multiple of `unit` but for the end of
  /// the tensor.
  [[nodiscard]] virtual std::uint64_t make(const RecipeWindow& window,
                                           std::span<float> made) const = 0;

  /// Whether it makes nothing of what it is tried on, at a glance: nearly all
  /// recipes end here, for nearly every tensor. Same precondition.
  [[nodiscard]] virtual bool fails_on(const RecipeWindow& window,
                                      std::span<float> made) const {
    return 2 * make(window, made) > made.size();
  }

  /// "BF16", "Q8_0", "INT8 per row".
  [[nodiscard]] virtual std::string name() const = 0;

  bool is_quantised = false;  ///< blocks or rows with a scale
  std::uint64_t unit = 1;     ///< numbers that are rounded together
  /// Leaves room for a search. Where a recipe without one explains most, the
  /// room is not given: it would take in what was changed.
  bool is_searched = false;
  Rounding rounding = Rounding::nearest;
};

/// Ways in which `after` may have been rounded from `before`, likeliest first.
/// Precondition: both measurable, of the same number of numbers.
[[nodiscard]] std::vector<std::unique_ptr<Recipe>> recipes_for(
    const TensorBytes& before, const TensorBytes& after);

/// Numbers that share a scale: 16 or 32 of a block of Q4_0 … Q8_0, Q2_K … Q6_K;
/// 0 for types without.
[[nodiscard]] std::uint64_t numbers_per_scale(Dtype dtype) noexcept;

/// The scales of whole blocks, in order.
/// Precondition: numbers_per_scale(dtype) > 0.
[[nodiscard]] std::vector<BlockScale> block_scales(Dtype dtype,
                                                   ByteView blocks);

}  // namespace impound
