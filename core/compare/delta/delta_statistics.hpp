// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What one pass over two tensors tells about their difference, in windows of
/// some MiB, never the whole tensor.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/source.hpp"
#include "core/compare/delta/delta_kernels.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

class CodeGrid;

/// Numbers of a tensor with more holes than are hashed (kMaxHashedHoles) that
/// are measured: its density takes 64 MiB. Of a larger one the kind of change
/// is not measured, and that is said.
inline constexpr std::uint64_t kMaxSparseNumbers = std::uint64_t{1} << 37U;

/// A tensor whose bytes are at hand. Owns nothing.
struct TensorBytes {
  const ByteSource* source = nullptr;
  Dtype dtype = Dtype::unknown;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  ///< in the source
  std::uint64_t size = 0;    ///< bytes
  /// The source knows its holes, and they are many: where both sides have one,
  /// nothing is read. Precondition: zero_bytes_are_zeros(dtype).
  bool is_sparse = false;
  /// Of numbers that are decoded from codes with scales beside them.
  const CodeGrid* grid = nullptr;

  /// Numbers in it (a complex one counts twice).
  [[nodiscard]] std::uint64_t numbers() const;
  /// As a matrix: the last dimension is a row's length, the others are rows.
  /// For a tensor of rank 0 or 1: one row.
  [[nodiscard]] std::uint64_t columns() const;
  [[nodiscard]] std::uint64_t rows() const;
  /// Decodes `out.size()` numbers from number `first` on, which must begin a
  /// block of the type.
  void read_floats(std::uint64_t first, std::span<float> out) const;
};

/// Whether bytes of zeros are zeros as numbers: not so of a type that is an
/// exponent alone.
[[nodiscard]] bool zero_bytes_are_zeros(Dtype dtype);

/// True if bytes and shape fit each other and the numbers can be decoded.
[[nodiscard]] bool is_measurable(const TensorBytes& tensor);

struct DeltaStatistics {
  std::uint64_t elements = 0;
  DeltaSums sums;
  /// Same type with bits of their own on both sides: xor_mask, single_bit and
  /// max_ulp mean something.
  bool bits_are_comparable = false;
  std::uint64_t bits = 0;  ///< of one element
  /// Changed elements in each run of kTileElements.
  std::vector<std::uint16_t> density;

  [[nodiscard]] double changed_share() const;
  [[nodiscard]] double single_bit_share() const;  ///< of the changed
  [[nodiscard]] double delta_norm() const;        ///< ‖B−A‖, Frobenius
  [[nodiscard]] double before_norm() const;
  [[nodiscard]] double after_norm() const;
  /// ‖B−A‖ / ‖A‖; 0 where A is all zeros and B too, infinity where only A is.
  [[nodiscard]] double relative() const;
  [[nodiscard]] double cosine() const;
};

/// Precondition: both measurable, with the same number of numbers.
/// `threads` 0 means all cores. @throws what the sources throw.
[[nodiscard]] DeltaStatistics measure_delta(const TensorBytes& before,
                                            const TensorBytes& after,
                                            unsigned threads, Instructions set);

}  // namespace impound
