// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5/hdf5_heap.hpp"

#include <bit>
#include <map>
#include <optional>
#include <vector>

namespace impound {
namespace {

/// Bytes that hold numbers up to `most`.
std::size_t width_of(std::uint64_t most) {
  return most == 0 ? 1 : (std::bit_width(most) - 1U) / 8U + 1U;
}

bool is_power(std::uint64_t number) { return std::has_single_bit(number); }

/// A version 2 B-tree: calls back with the place of each of its records.
class RecordTree {
 public:
  explicit RecordTree(Hdf5Layout& layout) : layout_(layout) {}

  using Visit = std::function<void(std::uint64_t record)>;

  [[nodiscard]] bool run(std::uint64_t address, const Visit& visit) {
    const auto start = layout_.place(address);
    if (!start) return false;
    SourceCursor cursor = layout_.at(*start);
    if (cursor.text(4, 4) != "BTHD" || cursor.u8() != 0) return false;
    type_ = cursor.u8();
    node_size_ = cursor.u32();
    record_size_ = cursor.u16();
    const unsigned depth = cursor.u16();
    cursor.skip(2);
    const std::uint64_t root = layout_.offset_of(cursor);
    const std::uint64_t count = cursor.u16();
    if (!cursor.ok() || record_size_ == 0 || depth > kMaxDepth) return false;
    if (layout_.is_undefined(root)) return true;  // empty
    if (node_size_ < kOverhead + record_size_) return false;
    const std::uint64_t in_leaf = (node_size_ - kOverhead) / record_size_;
    levels_.push_back({.pointer = 0, .most_below = in_leaf});
    count_width_ = width_of(in_leaf);
    for (unsigned level = 1; level <= depth; ++level) {
      const std::uint64_t pointer =
          layout_.offset_size() + count_width_ +
          (level > 1 ? width_of(levels_.back().most_below) : 0);
      if (node_size_ < kOverhead + pointer) return false;
      const std::uint64_t most =
          (node_size_ - kOverhead - pointer) / (record_size_ + pointer);
      std::uint64_t below = 0;
      if (__builtin_mul_overflow(most + 1, levels_.back().most_below, &below) ||
          __builtin_add_overflow(below, most, &below)) {
        return false;
      }
      levels_.push_back({.pointer = pointer, .most_below = below});
    }
    return node(root, count, depth, visit);
  }

 private:
  static constexpr unsigned kMaxDepth = 16;
  static constexpr std::uint64_t kOverhead = 10;  // signature … checksum

  struct Level {
    std::uint64_t pointer;     ///< bytes of a pointer to a child
    std::uint64_t most_below;  ///< records at this level and below
  };

  bool node(std::uint64_t address, std::uint64_t count, unsigned level,
            const Visit& visit) {
    const auto start = layout_.place(address);
    if (!start) return false;
    SourceCursor cursor = layout_.at(*start);
    if (cursor.text(4, 4) != (level == 0 ? "BTLF" : "BTIN")) return false;
    cursor.skip(1);
    if (cursor.u8() != type_) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!layout_.step()) return false;
      const std::uint64_t record = cursor.offset();
      cursor.skip(record_size_);
      if (!cursor.ok()) return false;
      visit(record);
    }
    if (level == 0) return true;
    for (std::uint64_t i = 0; i <= count; ++i) {
      if (!layout_.step()) return false;
      const std::uint64_t child = layout_.offset_of(cursor);
      const std::uint64_t records = cursor.integer(count_width_);
      cursor.skip(levels_[level].pointer - layout_.offset_size() -
                  count_width_);
      if (!cursor.ok() || !node(child, records, level - 1, visit)) return false;
    }
    return true;
  }

  Hdf5Layout& layout_;
  unsigned type_ = 0;
  std::uint64_t node_size_ = 0;
  std::uint64_t record_size_ = 0;
  std::size_t count_width_ = 1;
  std::vector<Level> levels_;  ///< 0: leaves
};

struct Extent {
  std::uint64_t offset;
  std::uint64_t size;
};

class FractalHeap {
 public:
  explicit FractalHeap(Hdf5Layout& layout) : layout_(layout) {}

  [[nodiscard]] bool open(std::uint64_t address) {
    const auto start = layout_.place(address);
    if (!start) return false;
    SourceCursor cursor = layout_.at(*start);
    if (cursor.text(4, 4) != "FRHP" || cursor.u8() != 0) return false;
    id_size_ = cursor.u16();
    const unsigned filters = cursor.u16();
    cursor.skip(1);
    const std::uint64_t max_managed = cursor.u32();
    cursor.skip(layout_.length_size());
    huge_ = layout_.offset_of(cursor);
    // Free space, its manager, and eight counts and sizes.
    cursor.skip(layout_.offset_size() + 9 * layout_.length_size());
    width_ = cursor.u16();
    start_size_ = layout_.length_of(cursor);
    max_direct_ = layout_.length_of(cursor);
    const unsigned bits = cursor.u16();
    cursor.skip(2);
    root_ = layout_.offset_of(cursor);
    root_rows_ = cursor.u16();
    // Packed heaps need zlib and more; none of the usual writers makes them.
    if (!cursor.ok() || filters != 0 || id_size_ < 2 || bits == 0 ||
        bits > 64 || width_ == 0 || !is_power(start_size_) ||
        !is_power(max_direct_) || max_direct_ < start_size_ ||
        !is_power(width_)) {
      return false;
    }
    offset_width_ = (bits + 7) / 8;
    length_width_ = std::min<std::size_t>(
        (static_cast<std::size_t>(std::countr_zero(max_direct_)) + 7) / 8,
        width_of(max_managed));
    direct_rows_ = static_cast<unsigned>(std::countr_zero(max_direct_) -
                                         std::countr_zero(start_size_)) +
                   2U;
    return true;
  }

  [[nodiscard]] std::size_t id_size() const { return id_size_; }

  /// Where the object lies whose heap id stands at `id`.
  [[nodiscard]] std::optional<Extent> find(std::uint64_t id) {
    SourceCursor cursor = layout_.at(id);
    const unsigned head = cursor.u8();
    if ((head & 0xc0U) != 0) return std::nullopt;
    switch (head >> 4U & 3U) {
      case 0: {
        if (1 + offset_width_ + length_width_ > id_size_) return std::nullopt;
        const std::uint64_t offset = cursor.integer(offset_width_);
        const std::uint64_t size = cursor.integer(length_width_);
        if (!cursor.ok()) return std::nullopt;
        return managed(offset, size);
      }
      case 1:
        return huge(cursor);
      case 2: {
        const bool is_long = id_size_ > 17;
        const std::uint64_t size =
            1 + (is_long ? (head & 15U) << 8U | cursor.u8() : head & 15U);
        return within({.offset = cursor.offset(), .size = size});
      }
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<Extent> within(Extent extent) const {
    const std::uint64_t end = layout_.source().size();
    if (extent.offset > end || extent.size > end - extent.offset) {
      return std::nullopt;
    }
    return extent;
  }

  [[nodiscard]] std::uint64_t row_size(unsigned row) const {
    const unsigned shift = row == 0 ? 0 : row - 1;
    return shift >= static_cast<unsigned>(std::countl_zero(start_size_))
               ? 0
               : start_size_ << shift;
  }

  std::optional<Extent> managed(std::uint64_t offset, std::uint64_t size) {
    std::uint64_t block = root_;
    unsigned rows = root_rows_;
    for (int level = 0; level < 64 && rows != 0; ++level) {
      if (!layout_.step()) return std::nullopt;
      const auto start = layout_.place(block);
      if (!start) return std::nullopt;
      SourceCursor cursor = layout_.at(*start);
      if (cursor.text(4, 4) != "FHIB") return std::nullopt;
      unsigned row = 0;
      std::uint64_t each = 0;
      for (; row < rows; ++row) {
        each = row_size(row);
        std::uint64_t whole = 0;
        if (each == 0 || __builtin_mul_overflow(each, width_, &whole)) {
          return std::nullopt;
        }
        if (offset < whole) break;
        offset -= whole;
      }
      if (row == rows) return std::nullopt;
      const std::uint64_t entry = row * width_ + offset / each;
      offset %= each;
      cursor.skip(1 + layout_.offset_size() + offset_width_ +
                  entry * layout_.offset_size());
      block = layout_.offset_of(cursor);
      if (!cursor.ok() || layout_.is_undefined(block)) return std::nullopt;
      if (row < direct_rows_) {
        rows = 0;
      } else {
        rows = static_cast<unsigned>(std::countr_zero(each) -
                                     std::countr_zero(start_size_) -
                                     std::countr_zero(width_)) +
               1U;
      }
    }
    const auto start = layout_.place(block);
    if (!start || rows != 0) return std::nullopt;
    SourceCursor cursor = layout_.at(*start);
    if (cursor.text(4, 4) != "FHDB" || offset > UINT64_MAX - *start) {
      return std::nullopt;
    }
    return within({.offset = *start + offset, .size = size});
  }

  /// Objects too large for blocks stand on their own; the id is a number that a
  /// tree translates, or their address if it has room for one.
  std::optional<Extent> huge(SourceCursor& cursor) {
    const std::size_t direct = layout_.offset_size() + layout_.length_size();
    if (id_size_ > direct) {
      const auto start = layout_.place(layout_.offset_of(cursor));
      const std::uint64_t size = layout_.length_of(cursor);
      if (!cursor.ok() || !start) return std::nullopt;
      return within({.offset = *start, .size = size});
    }
    const std::uint64_t wanted =
        cursor.integer(std::min<std::size_t>(id_size_ - 1U, 8U));
    if (!cursor.ok()) return std::nullopt;
    if (!has_huge_) {
      has_huge_ = true;
      RecordTree tree(layout_);
      const bool is_whole = tree.run(huge_, [&](std::uint64_t record) {
        SourceCursor in = layout_.at(record);
        const auto start = layout_.place(layout_.offset_of(in));
        const std::uint64_t size = layout_.length_of(in);
        const std::uint64_t number = layout_.length_of(in);
        if (in.ok() && start) {
          huge_objects_[number] = {.offset = *start, .size = size};
        }
      });
      if (!is_whole) return std::nullopt;
    }
    const auto found = huge_objects_.find(wanted);
    if (found == huge_objects_.end()) return std::nullopt;
    return within(found->second);
  }

  Hdf5Layout& layout_;
  std::size_t id_size_ = 0;
  std::uint64_t huge_ = 0;
  std::uint64_t width_ = 1;
  std::uint64_t start_size_ = 1;
  std::uint64_t max_direct_ = 1;
  std::uint64_t root_ = 0;
  unsigned root_rows_ = 0;
  unsigned direct_rows_ = 0;
  std::size_t offset_width_ = 1;
  std::size_t length_width_ = 1;
  bool has_huge_ = false;
  std::map<std::uint64_t, Extent> huge_objects_;
};

}  // namespace

bool visit_hdf5_heap(Hdf5Layout& layout, std::uint64_t heap,
                     std::uint64_t index, Hdf5Message::Type type,
                     const std::function<void(const Hdf5Message&)>& visit) {
  FractalHeap objects(layout);
  if (!objects.open(heap)) return false;
  bool is_whole = true;
  RecordTree tree(layout);
  // Records of attributes begin with the id, those of links with a hash.
  const std::uint64_t before = type == Hdf5Message::link ? 4 : 0;
  const bool was_walked = tree.run(index, [&](std::uint64_t record) {
    const auto found = objects.find(record + before);
    if (!found) {
      is_whole = false;
      return;
    }
    Hdf5Message message;
    message.type = type;
    message.offset = found->offset;
    message.size = found->size;
    if (type == Hdf5Message::attribute) {
      message.flags = layout.at(record + objects.id_size()).u8();
    }
    visit(message);
  });
  return was_walked && is_whole;
}

}  // namespace impound
