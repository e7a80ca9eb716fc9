// SPDX-License-Identifier: Apache-2.0
#include "core/base/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace impound {

ByteView Reader::take(std::uint64_t count, std::string_view what) {
  if (count > remaining()) {
    throw Error(Errc::malformed,
                fmt::format("{}: offset {}: expected {} bytes of {}, {} left",
                            source_, offset(), count, what, remaining()));
  }
  const ByteView taken = bytes_.subspan(at_, static_cast<std::size_t>(count));
  at_ += taken.size();
  return taken;
}

ByteView Reader::peek(std::size_t count) const noexcept {
  return bytes_.subspan(at_, std::min(count, remaining()));
}

std::uint64_t Reader::u64_big() {
  std::uint64_t value = 0;
  for (const std::byte byte : take(8, "u64 (big-endian)")) {
    value = (value << 8U) | std::to_integer<std::uint64_t>(byte);
  }
  return value;
}

void Reader::fail(std::string_view what) const {
  throw Error(Errc::malformed,
              fmt::format("{}: offset {}: {}", source_, offset(), what));
}

}  // namespace impound
