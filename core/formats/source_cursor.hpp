// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Reading a source in order through a small window: for headers that are
/// longer than memory should hold and may end anywhere.

#include <cstdint>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/source.hpp"

namespace impound {

enum class Endian : std::uint8_t { little, big };

/// After the first read that the source cannot satisfy every further one gives
/// zeros and ok() is false; the offset stays where the read began. A truncated
/// file is evidence, not an error, so nothing is thrown for it.
class SourceCursor {
 public:
  /// `source` outlives the cursor. `window` bytes are read at a time: few for
  /// formats that jump about.
  SourceCursor(const ByteSource& source, std::uint64_t offset,
               std::size_t window = 256 * 1024);

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return at_; }
  [[nodiscard]] std::uint64_t remaining() const noexcept { return size_ - at_; }
  void set_endian(Endian endian) noexcept { endian_ = endian; }

  [[nodiscard]] std::uint8_t u8() {
    return static_cast<std::uint8_t>(integer(1));
  }
  [[nodiscard]] std::uint16_t u16() {
    return static_cast<std::uint16_t>(integer(2));
  }
  [[nodiscard]] std::uint32_t u32() {
    return static_cast<std::uint32_t>(integer(4));
  }
  [[nodiscard]] std::uint64_t u64() { return integer(8); }
  /// An integer of `width` bytes, 1 to 8.
  [[nodiscard]] std::uint64_t integer(std::size_t width);

  /// Moves over `count` bytes and returns the first `keep` of them as text.
  [[nodiscard]] std::string text(std::uint64_t count, std::uint64_t keep);
  void skip(std::uint64_t count);
  /// Ends reading: as if the source ended here.
  void stop() noexcept { ok_ = false; }

 private:
  bool fill(std::size_t count);

  const ByteSource& source_;
  std::uint64_t size_;
  std::uint64_t at_;
  std::size_t window_size_;
  std::uint64_t window_at_ = 0;
  Bytes window_;
  Endian endian_ = Endian::little;
  bool ok_ = true;
};

/// True if every byte of the range is zero; the range lies inside the source.
[[nodiscard]] bool is_zero(const ByteSource& source, std::uint64_t offset,
                           std::uint64_t count);

}  // namespace impound
