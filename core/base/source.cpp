// SPDX-License-Identifier: Apache-2.0
#include "core/base/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace impound {
namespace {

void require_inside(std::uint64_t offset, std::uint64_t count,
                    std::uint64_t size) {
  if (offset > size || count > size - offset) {
    throw Error(Errc::malformed,
                fmt::format("offset {}: expected {} bytes, the source has {}",
                            offset, count, size));
  }
}

}  // namespace

Bytes ByteSource::head(std::uint64_t offset, std::uint64_t count) const {
  const std::uint64_t whole = size();
  if (offset >= whole) return {};
  Bytes bytes(narrow<std::size_t>(std::min(count, whole - offset)));
  read(offset, bytes);
  return bytes;
}

void SpanSource::read(std::uint64_t offset, std::span<std::byte> out) const {
  require_inside(offset, out.size(), bytes_.size());
  // Not std::ranges::copy: GCC 12 copies byte by byte at -O2.
  if (out.empty()) return;
  std::memmove(out.data(), bytes_.data() + offset, out.size());
}

SubSource::SubSource(const ByteSource& whole, std::uint64_t offset,
                     std::uint64_t size)
    : whole_(whole), offset_(offset), size_(size) {
  require_inside(offset, size, whole.size());
}

void SubSource::read(std::uint64_t offset, std::span<std::byte> out) const {
  require_inside(offset, out.size(), size_);
  whole_.read(offset_ + offset, out);
}

}  // namespace impound
