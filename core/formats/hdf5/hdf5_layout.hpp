// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The ground of an HDF5 file: superblock, addresses, messages of object
/// headers, local heaps. HDF5 File Format Specification 3.0, II, III.D, IV.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/source.hpp"
#include "core/formats/source_cursor.hpp"

namespace impound {

/// A message of an object header, or one that lies in a fractal heap.
struct Hdf5Message {
  /// Those that matter here.
  enum Type : std::uint32_t {
    dataspace = 0x1,
    link_info = 0x2,
    datatype = 0x3,
    link = 0x6,
    external_files = 0x7,
    data_layout = 0x8,
    filters = 0xb,
    attribute = 0xc,
    continuation = 0x10,
    symbol_table = 0x11,
    attribute_info = 0x15,
  };
  std::uint32_t type = 0;
  std::uint8_t flags = 0;
  std::uint64_t offset = 0;  ///< of its content in the file
  std::uint64_t size = 0;
};

class Hdf5Layout {
 public:
  /// `source` outlives the layout.
  explicit Hdf5Layout(const ByteSource& source) : source_(source) {}

  struct Superblock {
    std::uint64_t offset = 0;
    int version = 0;
    std::uint64_t root = 0;   ///< address of the root's object header
    std::uint64_t end = 0;    ///< of all that the file holds, as it declares
    std::string_view broken;  ///< what cannot be read; "" = nothing
  };
  [[nodiscard]] Superblock open();

  [[nodiscard]] const ByteSource& source() const { return source_; }
  [[nodiscard]] SourceCursor at(std::uint64_t offset) const {
    return {source_, std::min(offset, source_.size()), 512};
  }
  /// Hostile files make structures overlap: all walking together is bounded.
  /// @return false if the bound is reached.
  [[nodiscard]] bool step() { return ++steps_ <= kMaxSteps; }
  [[nodiscard]] bool is_exhausted() const { return steps_ > kMaxSteps; }

  [[nodiscard]] std::uint64_t offset_of(SourceCursor& cursor) const {
    return cursor.integer(offset_size_);
  }
  [[nodiscard]] std::uint64_t length_of(SourceCursor& cursor) const {
    return cursor.integer(length_size_);
  }
  [[nodiscard]] std::size_t offset_size() const { return offset_size_; }
  [[nodiscard]] std::size_t length_size() const { return length_size_; }
  /// What every address counts from.
  [[nodiscard]] std::uint64_t base() const { return base_; }
  /// All ones: no address.
  [[nodiscard]] bool is_undefined(std::uint64_t address) const {
    return offset_size_ == 8
               ? address == UINT64_MAX
               : address == (std::uint64_t{1} << (8 * offset_size_)) - 1;
  }
  /// Where an address lies: they count from the base address.
  [[nodiscard]] std::optional<std::uint64_t> place(std::uint64_t address) const;

  /// Calls `visit` for every message of the object header at `address`.
  /// @return false if it could not be read to its end.
  [[nodiscard]] bool messages(
      std::uint64_t address,
      const std::function<void(const Hdf5Message&)>& visit);

  /// Where the texts of the local heap at `heap` begin.
  [[nodiscard]] std::optional<std::uint64_t> local_heap(
      std::uint64_t heap) const;
  /// The text at `offset` of such a heap, which begins at `begin`.
  [[nodiscard]] std::string heap_text(std::uint64_t begin,
                                      std::uint64_t offset) const;

  static constexpr std::uint64_t kMaxName = 4096;
  static constexpr std::uint64_t kMaxSteps = 5'000'000;  ///< of one file

 private:
  static constexpr std::uint64_t kMaxMessages = 100'000;  ///< of one object
  static constexpr std::size_t kMaxChunks = 1000;  ///< of one object header

  const ByteSource& source_;
  std::uint64_t base_ = 0;
  std::uint64_t steps_ = 0;
  std::size_t offset_size_ = 8;
  std::size_t length_size_ = 8;
};

}  // namespace impound
