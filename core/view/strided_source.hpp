// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Bytes in another order than they are kept: the rows of a permuted tensor, a
/// transposed one, a view with strides, the other byte order. Everything that
/// compares tensors then sees row-major little-endian numbers.

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/base/source.hpp"

namespace impound {

struct StridedLayout {
  /// Bytes that stay together: a number, or a whole row of quantised blocks.
  std::uint64_t item = 1;
  std::vector<std::uint64_t> shape;    ///< in items, as they are read
  std::vector<std::uint64_t> strides;  ///< in items of the source
  /// Bytes whose order is reversed within an item; 0 or 1: none.
  std::uint64_t swap = 0;
};

/// The strides of a tensor without gaps, last dimension first.
[[nodiscard]] std::vector<std::uint64_t> row_major_strides(
    const std::vector<std::uint64_t>& shape);

/// The same with the first dimension last: Fortran's order.
[[nodiscard]] std::vector<std::uint64_t> fortran_strides(
    const std::vector<std::uint64_t>& shape);

/// Reads in bands of a few MiB that are put in order once: any order costs
/// about one pass over the source, in at most kMemory bytes.
class StridedSource final : public ByteSource {
 public:
  static constexpr std::size_t kBand = std::size_t{8} << 20U;
  static constexpr std::size_t kBands = 3;
  static constexpr std::size_t kMemory = (kBands + 2) * kBand;

  /// The first item stands at `offset` of `base`, which outlives this.
  /// @throws Error{malformed} if an item lies outside of `base` or does not fit
  ///         into a band.
  StridedSource(const ByteSource& base, std::uint64_t offset,
                StridedLayout layout);

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  /// Some neighbours along dimension `split_`, with all that is inside them.
  struct Band {
    std::uint64_t begin = 0;  ///< bytes as they are read
    Bytes bytes;
  };
  struct Axis {
    std::uint64_t count = 0;
    std::uint64_t from = 0;  ///< stride in the source, bytes
    std::uint64_t to = 0;    ///< stride in the band, bytes
  };

  [[nodiscard]] const Band& band_with(std::uint64_t offset) const;
  void gather(std::uint64_t source, std::vector<Axis> axes,
              std::span<std::byte> band) const;

  const ByteSource& base_;
  std::uint64_t offset_;
  StridedLayout layout_;
  std::uint64_t size_ = 0;
  std::size_t split_ = 0;       ///< the dimension that bands divide
  std::uint64_t inner_ = 1;     ///< bytes of one index of that dimension
  std::uint64_t per_band_ = 1;  ///< indices of it in one band

  mutable std::mutex mutex_;  // the bands
  mutable std::array<Band, kBands> bands_;
  mutable std::size_t next_ = 0;
};

}  // namespace impound
