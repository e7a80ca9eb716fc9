// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <exception>
#include <future>
#include <limits>
#include <thread>

#include "core/base/holes.hpp"
#include "core/base/limits.hpp"
#include "core/formats/numbers.hpp"

namespace impound {
namespace {

/// Numbers in one window: whole tiles and whole blocks of every type. Small
/// enough that what was read is still in a core's own cache when it is
/// measured: 256 KiB of BF16 a side (1.6 times as fast as 4 MiB,
/// tests/bench/compare).
constexpr std::uint64_t kWindow = 32 * kTileElements;

struct Span {
  std::uint64_t first = 0;  // window index
  std::uint64_t step = 1;
};

bool has_own_bits(Dtype dtype) {
  const DtypeTraits& type = traits(dtype);
  return type.block_elements == 1 && type.block_bits % 8 == 0 &&
         type.kind != NumberKind::complex;
}

std::uint64_t bytes_of(Dtype dtype, std::uint64_t numbers) {
  const DtypeTraits& type = traits(dtype);
  const std::uint64_t parts = type.kind == NumberKind::complex ? 2 : 1;
  if (type.block_bits < 8) return numbers * type.block_bits / 8;
  return numbers / parts / type.block_elements * (type.block_bits / 8);
}

/// Whether `size` bytes at `offset` of the tensor lie in one hole.
bool is_hole(const TensorBytes& tensor, std::uint64_t offset,
             std::uint64_t size) {
  const std::uint64_t from = tensor.offset + offset;
  return next_data(*tensor.source, from) >= from + size;
}

/// Every step-th window from `first` on, with buffers of its own.
DeltaSums measure_windows(const TensorBytes& before, const TensorBytes& after,
                          Span span, Instructions set,
                          std::vector<std::uint16_t>& density) {
  const bool by_bits =
      before.dtype == after.dtype && has_own_bits(before.dtype);
  const std::uint64_t total = before.numbers();
  Bytes a;
  Bytes b;
  std::vector<double> va(by_bits ? 0 : kTileElements);
  std::vector<double> vb(va.size());
  const bool has_holes = before.is_sparse && after.is_sparse;
  DeltaSums sums;
  for (std::uint64_t w = span.first; w * kWindow < total; w += span.step) {
    const std::uint64_t from = w * kWindow;
    const std::uint64_t count = std::min(kWindow, total - from);
    // Zeros on both sides add nothing to any sum.
    if (has_holes &&
        is_hole(before, bytes_of(before.dtype, from),
                bytes_of(before.dtype, count)) &&
        is_hole(after, bytes_of(after.dtype, from),
                bytes_of(after.dtype, count))) {
      continue;
    }
    a.resize(static_cast<std::size_t>(bytes_of(before.dtype, count)));
    b.resize(static_cast<std::size_t>(bytes_of(after.dtype, count)));
    before.source->read(before.offset + bytes_of(before.dtype, from), a);
    after.source->read(after.offset + bytes_of(after.dtype, from), b);
    for (std::uint64_t at = 0; at < count; at += kTileElements) {
      const auto some = static_cast<std::size_t>(
          std::min<std::uint64_t>(kTileElements, count - at));
      const auto place_a = static_cast<std::size_t>(bytes_of(before.dtype, at));
      const auto place_b = static_cast<std::size_t>(bytes_of(after.dtype, at));
      DeltaSums tile;
      if (by_bits) {
        tile = measure_tile(before.dtype, a.data() + place_a,
                            b.data() + place_b, some, set);
      } else {
        const auto length_a = static_cast<std::size_t>(
            bytes_of(before.dtype, at + some) - place_a);
        const auto length_b = static_cast<std::size_t>(
            bytes_of(after.dtype, at + some) - place_b);
        decode_doubles(before.dtype, ByteView(a).subspan(place_a, length_a),
                       std::span(va).first(some));
        decode_doubles(after.dtype, ByteView(b).subspan(place_b, length_b),
                       std::span(vb).first(some));
        tile = measure_values(va.data(), vb.data(), some);
      }
      density[static_cast<std::size_t>((from + at) / kTileElements)] =
          static_cast<std::uint16_t>(tile.changed);
      sums += tile;
    }
  }
  return sums;
}

}  // namespace

std::uint64_t TensorBytes::numbers() const { return number_count(dtype, size); }

std::uint64_t TensorBytes::columns() const {
  const std::uint64_t count = numbers();
  if (shape.size() < 2 || shape.front() == 0) return count;
  return count / rows();
}

std::uint64_t TensorBytes::rows() const {
  if (shape.size() < 2) return 1;
  // A convolution [out, in, h, w] is out rows of in·h·w; experts [e, m, k] are
  // e·m rows of k.
  if (shape.size() == 4) return std::max<std::uint64_t>(1, shape[0]);
  std::uint64_t count = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) count *= shape[i];
  return std::max<std::uint64_t>(1, count);
}

void TensorBytes::read_floats(std::uint64_t first, std::span<float> out) const {
  if (dtype == Dtype::f32 && std::endian::native == std::endian::little) {
    // They lie in the file as they do in memory.
    source->read(offset + sizeof(float) * first, std::as_writable_bytes(out));
    return;
  }
  Bytes raw(static_cast<std::size_t>(bytes_of(dtype, out.size())));
  source->read(offset + bytes_of(dtype, first), raw);
  decode_floats(dtype, raw, out);
}

bool zero_bytes_are_zeros(Dtype dtype) {
  if (!is_decodable(dtype)) return false;
  std::array<double, kTileElements> values{};
  const Bytes zeros(static_cast<std::size_t>(bytes_of(dtype, values.size())));
  decode_doubles(dtype, zeros, values);
  return std::ranges::all_of(values, [](double x) { return x == 0; });
}

bool is_measurable(const TensorBytes& tensor) {
  const auto expected = tensor_bytes(tensor.dtype, tensor.shape);
  return tensor.source != nullptr && is_decodable(tensor.dtype) && expected &&
         *expected == tensor.size && tensor.numbers() > 0;
}

double DeltaStatistics::changed_share() const {
  return elements == 0 ? 0
                       : static_cast<double>(sums.changed) /
                             static_cast<double>(elements);
}
double DeltaStatistics::single_bit_share() const {
  return sums.changed == 0 ? 0
                           : static_cast<double>(sums.single_bit) /
                                 static_cast<double>(sums.changed);
}
double DeltaStatistics::delta_norm() const {
  return std::sqrt(sums.delta_squares);
}
double DeltaStatistics::before_norm() const {
  return std::sqrt(sums.before_squares);
}
double DeltaStatistics::after_norm() const {
  return std::sqrt(sums.after_squares);
}
double DeltaStatistics::relative() const {
  if (sums.before_squares > 0) return delta_norm() / before_norm();
  return sums.delta_squares > 0 ? std::numeric_limits<double>::infinity() : 0;
}
double DeltaStatistics::cosine() const {
  if (sums.before_squares == 0 || sums.after_squares == 0) return 0;
  // 2·a·b = ‖a‖² + ‖b‖² − ‖b−a‖²
  return (sums.before_squares + sums.after_squares - sums.delta_squares) / 2 /
         (before_norm() * after_norm());
}

DeltaStatistics measure_delta(const TensorBytes& before,
                              const TensorBytes& after, unsigned threads,
                              Instructions set) {
  DeltaStatistics found;
  found.elements = before.numbers();
  found.bits_are_comparable =
      before.dtype == after.dtype && has_own_bits(before.dtype);
  found.bits = traits(before.dtype).block_bits;
  found.density.resize(static_cast<std::size_t>(
      (found.elements + kTileElements - 1) / kTileElements));
  const std::uint64_t windows = (found.elements + kWindow - 1) / kWindow;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const auto lanes = static_cast<unsigned>(std::clamp<std::uint64_t>(
      threads == 0 ? cores : threads, 1, std::max<std::uint64_t>(1, windows)));
  // Tiles of one thread are never another's: density needs no lock.
  std::vector<std::future<DeltaSums>> others;
  for (unsigned i = 1; i < lanes; ++i) {
    others.push_back(std::async(std::launch::async, [&, i] {
      return measure_windows(before, after, {i, lanes}, set, found.density);
    }));
  }
  found.sums = measure_windows(before, after, {0, lanes}, set, found.density);
  for (auto& other : others) found.sums += other.get();
  return found;
}

}  // namespace impound
