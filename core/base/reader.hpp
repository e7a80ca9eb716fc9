// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Reading untrusted bytes in order, never past their end.

#include <bit>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "core/base/bytes.hpp"

namespace impound {

/// A cursor over bytes that somebody else wrote. Little-endian unless the name
/// says otherwise. Does not own the bytes.
///
/// Every function throws Error{malformed} that names the source, the offset and
/// what was expected if fewer bytes are left than asked for; the cursor then
/// stands where it stood.
class Reader {
 public:
  /// `base` is added to offsets in messages: the place of `bytes` in its file.
  Reader(ByteView bytes, std::string_view source, std::uint64_t base = 0)
      : bytes_(bytes), source_(source), base_(base) {}

  [[nodiscard]] std::uint64_t offset() const noexcept { return base_ + at_; }
  [[nodiscard]] std::size_t remaining() const noexcept {
    return bytes_.size() - at_;
  }
  [[nodiscard]] bool at_end() const noexcept { return remaining() == 0; }

  [[nodiscard]] std::uint8_t u8() { return little<std::uint8_t>("u8"); }
  [[nodiscard]] std::uint16_t u16() { return little<std::uint16_t>("u16"); }
  [[nodiscard]] std::uint32_t u32() { return little<std::uint32_t>("u32"); }
  [[nodiscard]] std::uint64_t u64() { return little<std::uint64_t>("u64"); }
  [[nodiscard]] std::int32_t i32() { return little<std::int32_t>("i32"); }
  [[nodiscard]] std::int64_t i64() { return little<std::int64_t>("i64"); }
  [[nodiscard]] std::uint64_t u64_big();

  /// The next `count` bytes; the view lives as long as the source.
  [[nodiscard]] ByteView take(std::uint64_t count, std::string_view what);
  void skip(std::uint64_t count, std::string_view what) {
    static_cast<void>(take(count, what));
  }
  /// The next bytes without moving; fewer if fewer are left.
  [[nodiscard]] ByteView peek(std::size_t count) const noexcept;

  /// Throws Error{malformed} for something wrong at the present offset.
  [[noreturn]] void fail(std::string_view what) const;

 private:
  template <typename T>
  T little(std::string_view what) {
    const ByteView raw = take(sizeof(T), what);
    std::make_unsigned_t<T> value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
      value = static_cast<std::make_unsigned_t<T>>(
          (static_cast<std::uint64_t>(value) << 8U) |
          std::to_integer<std::uint64_t>(raw[i]));
    }
    return static_cast<T>(value);
  }

  ByteView bytes_;
  std::string_view source_;  // a name that outlives the reader
  std::uint64_t base_;
  std::size_t at_ = 0;
};

}  // namespace impound
