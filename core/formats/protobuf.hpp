// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The protobuf wire format, read field by field through a small window:
/// messages may be gigabytes and are never built in memory.

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/source.hpp"

namespace impound::wire {

enum class Type : std::uint8_t {
  varint = 0,
  fixed64 = 1,
  bytes = 2,
  group_start = 3,
  group_end = 4,
  fixed32 = 5,
};

struct Field {
  std::uint32_t number = 0;
  Type type = Type::varint;
  std::uint64_t value = 0;   ///< varint, fixed32, fixed64
  std::uint64_t offset = 0;  ///< bytes: where the content begins
  std::uint64_t size = 0;    ///< bytes: of the content
};

/// Random access with one window that follows the reading. All messages of a
/// file share one; not for several threads.
class Window {
 public:
  explicit Window(const ByteSource& source) : source_(source) {}
  [[nodiscard]] std::uint64_t size() const { return source_.size(); }
  /// Precondition: at < size().
  [[nodiscard]] std::uint8_t at(std::uint64_t offset) {
    // In front of the window is far behind it, too: the numbers have no sign.
    if (offset - begin_ >= bytes_.size()) move_to(offset);
    return std::to_integer<std::uint8_t>(
        bytes_[static_cast<std::size_t>(offset - begin_)]);
  }
  /// What is at hand from `offset` on.
  [[nodiscard]] ByteView at_hand(std::uint64_t offset) const {
    if (offset - begin_ >= bytes_.size()) return {};
    return ByteView(bytes_).subspan(static_cast<std::size_t>(offset - begin_));
  }
  /// At most `keep` bytes of a field's content.
  [[nodiscard]] std::string text(const Field& field, std::uint64_t keep);

 private:
  void move_to(std::uint64_t offset);

  const ByteSource& source_;
  std::uint64_t begin_ = 0;
  Bytes bytes_;
};

/// Which fields stand in a message itself, not in what it holds.
struct Outline {
  bool ok = false;  ///< fields from the first byte to the last
  /// Bits 1 to 31: fields of that number that are numbers, and that are bytes,
  /// one that is cut short among them.
  std::uint32_t numbers = 0;
  std::uint32_t bytes = 0;

  [[nodiscard]] bool has_number(unsigned field) const {
    return (numbers >> field & 1U) != 0;
  }
  [[nodiscard]] bool has_bytes(unsigned field) const {
    return (bytes >> field & 1U) != 0;
  }
};

/// One walk over a whole file. Formats whose messages lack a field need not
/// walk it again: a file may be millions of fields that nobody knows.
[[nodiscard]] Outline read_outline(const ByteSource& source);

/// The fields of one message, in the order of the file.
class Message {
 public:
  Message(Window& window, std::uint64_t begin, std::uint64_t end)
      : window_(window), at_(begin), end_(end) {}
  Message(Window& window, const Field& field)
      : Message(window, field.offset, field.offset + field.size) {}

  /// The next field, or empty at the end or where the bytes break the format:
  /// then ok() is false and offset() is the place. Groups, which none of our
  /// formats has, are passed over as every protobuf library does.
  [[nodiscard]] std::optional<Field> next();
  /// Passes over the numbers of one byte that stand here.
  /// @return a bit for each field (below 16) that they are of.
  std::uint32_t skip_small_numbers();
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return at_; }
  /// If what broke the format is a field of bytes that reaches behind the end:
  /// that field, as far as it is there.
  [[nodiscard]] const std::optional<Field>& cut_short() const noexcept {
    return cut_short_;
  }

 private:
  /// Moves behind the end of the group `number`, whose start was read.
  bool skip_group(std::uint32_t number);
  /// Most are of one byte: a file may hold nothing else, for gigabytes.
  std::optional<std::uint64_t> varint() {
    if (at_ < end_) {
      const std::uint8_t first = window_.at(at_);
      if (first < 0x80U) {
        ++at_;
        return first;
      }
    }
    return long_varint();
  }
  std::optional<std::uint64_t> long_varint();
  std::optional<std::uint64_t> fixed(std::size_t width);

  Window& window_;
  std::uint64_t at_;
  std::uint64_t end_;
  bool ok_ = true;
  std::optional<Field> cut_short_;
};

}  // namespace impound::wire
