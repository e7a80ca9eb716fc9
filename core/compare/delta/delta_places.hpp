// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where in a tensor the changes are, each flipped bit, and what was hidden in
/// the low bits.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/json.hpp"
#include "core/compare/delta/delta_statistics.hpp"

namespace impound {

/// From the first to the last changed element, both included.
struct ChangedRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  [[nodiscard]] std::uint64_t length() const { return last - first + 1; }
};

/// Precondition: `statistics` are of these two and have a change.
[[nodiscard]] ChangedRange find_changed_range(
    const TensorBytes& before, const TensorBytes& after,
    const DeltaStatistics& statistics);

/// One changed element of a tensor whose elements have bits of their own.
struct ChangedElement {
  std::uint64_t index = 0;
  std::uint64_t file_offset = 0;  ///< of its first byte, on the new side
  std::uint64_t before_bits = 0;
  std::uint64_t after_bits = 0;
  double before = 0;
  double after = 0;

  [[nodiscard]] Json to_json() const;
};

/// The first `most` of them. Precondition: statistics.bits_are_comparable.
[[nodiscard]] std::vector<ChangedElement> list_changes(
    const TensorBytes& before, const TensorBytes& after,
    const DeltaStatistics& statistics, std::size_t most);

/// A row of a matrix that changed.
struct ChangedRow {
  std::uint64_t row = 0;
  std::uint64_t changed = 0;  ///< numbers
  std::uint64_t first = 0;    ///< column of the first of them
  /// b = factor·a, where what is left of b is little; empty where it is not.
  std::optional<double> factor;
  double rest = 0;  ///< ‖b − factor·a‖/‖b‖
};

/// Which rows and columns of a matrix changed.
struct ChangedLines {
  std::uint64_t rows = 0;     ///< that changed
  std::uint64_t columns = 0;  ///< that changed
  std::uint64_t all_rows = 0;
  std::uint64_t all_columns = 0;
  std::vector<ChangedRow> first_rows;
  std::vector<std::uint64_t> first_columns;

  /// "row 17 (times -1.5)", "rows 3, 5 and 2 more", "column 7", "number 4 of
  /// row 17"; empty where it is spread over many of both.
  [[nodiscard]] std::string words() const;
  [[nodiscard]] Json to_json() const;
};

/// Rows and columns that are named.
inline constexpr std::size_t kMostNamedLines = 8;

/// Reads only where `statistics` say that something changed. Nothing for
/// vectors and for more than 4 Mi columns.
[[nodiscard]] std::optional<ChangedLines> find_changed_lines(
    const TensorBytes& before, const TensorBytes& after,
    const DeltaStatistics& statistics);

/// Where the elements of a payload lie.
enum class PayloadPlaces : std::uint8_t {
  contiguous,  ///< one behind the other
  stride,      ///< every n-th
  scattered,   ///< neither: at places that only a key gives
};

[[nodiscard]] std::string_view to_string(PayloadPlaces places) noexcept;

/// A change that stays in the low bits of every element, as the numbers
/// themselves tell it from a small change of value.
///
/// A step of so many units in the last place carries into the bits above, or
/// borrows from them, where the low bits are near their end: in one direction
/// or the other. Of a change of value, half of those that could carry do; of
/// bits that were exchanged, none. `carries` counts the elements where the same
/// step the other way would have left the low bits.
struct LowBitChange {
  unsigned lowest = 0;  ///< bit of the mask
  unsigned bits = 0;    ///< up to its highest
  std::uint64_t changed = 0;
  std::uint64_t carries = 0;
  std::uint64_t up = 0;  ///< changed to a larger pattern of bits
  /// Greatest common divisor of the distances between changed elements.
  std::uint64_t stride = 0;
  ChangedRange range;

  /// Elements from the first to the last, by stride.
  [[nodiscard]] std::uint64_t elements() const {
    return stride == 0 ? changed : (range.last - range.first) / stride + 1;
  }
  [[nodiscard]] PayloadPlaces places() const;
};

/// Reads what `statistics` say has changed.
/// Precondition: statistics.bits_are_comparable and its mask fits 32 bits.
[[nodiscard]] LowBitChange measure_low_bits(const TensorBytes& before,
                                            const TensorBytes& after,
                                            const DeltaStatistics& statistics,
                                            ChangedRange range);

/// Bytes of a payload that are looked at and can be saved.
inline constexpr std::uint64_t kMostPayloadBytes = 16U << 20U;

/// The low bits of a range of elements, one behind the other.
struct Payload {
  unsigned lowest = 0;  ///< first bit of each element
  unsigned bits = 0;    ///< of each element
  std::string packing;  ///< "low bit first" or "high bit first"
  PayloadPlaces places = PayloadPlaces::contiguous;
  std::uint64_t stride = 1;
  std::uint64_t first = 0;     ///< element that it was read from
  std::uint64_t elements = 0;  ///< that may hold it
  std::uint64_t changed = 0;   ///< of these, those that differ
  std::uint64_t size = 0;      ///< bytes in all of the elements
  Bytes stream;                ///< the first kMostPayloadBytes of it
  double entropy = 0;          ///< bits a byte of the stream
  std::string magic;           ///< "ELF", "ZIP", …; empty if none is known
  bool is_constant = false;  ///< every bit the same: truncated, nothing hidden
  /// Of scattered ones, the changed elements, the first of them.
  std::vector<std::uint64_t> positions;
};

/// Reads the low bits (1 to 24) of the elements in order of address, by the
/// stride where there is one, in both packings, and keeps the one that begins
/// like a known file, else the first. Of scattered ones, of those that changed:
/// what else holds bits of it looks unchanged, and is not known.
[[nodiscard]] Payload read_payload(const TensorBytes& before,
                                   const TensorBytes& after,
                                   const DeltaStatistics& statistics,
                                   const LowBitChange& low);

/// The low `bits` of elements of `width` bytes, packed into bytes.
[[nodiscard]] Bytes pack_low_bits(ByteView elements, std::size_t width,
                                  unsigned bits, bool low_first);

/// Shannon entropy of the bytes, 0 to 8; 0 for none.
[[nodiscard]] double byte_entropy(ByteView bytes);

}  // namespace impound
