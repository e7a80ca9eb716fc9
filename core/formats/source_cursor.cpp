// SPDX-License-Identifier: Apache-2.0
#include "core/formats/source_cursor.hpp"

#include <algorithm>

namespace impound {
namespace {

constexpr std::size_t kWindow = 256 * 1024;

}  // namespace

SourceCursor::SourceCursor(const ByteSource& source, std::uint64_t offset,
                           std::size_t window)
    : source_(source),
      size_(source.size()),
      at_(std::min(offset, source.size())),
      window_size_(window) {}

bool SourceCursor::fill(std::size_t count) {
  if (!ok_) return false;
  if (count > remaining()) {
    ok_ = false;
    return false;
  }
  if (at_ >= window_at_ && at_ - window_at_ <= window_.size() &&
      window_.size() - (at_ - window_at_) >= count) {
    return true;
  }
  window_ = source_.head(at_, std::max(window_size_, count));
  window_at_ = at_;
  return window_.size() >= count;
}

std::uint64_t SourceCursor::integer(std::size_t width) {
  if (!fill(width)) {
    ok_ = false;
    return 0;
  }
  const std::byte* raw = window_.data() + (at_ - window_at_);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t from = endian_ == Endian::big ? i : width - 1 - i;
    value = (value << 8U) | std::to_integer<std::uint64_t>(raw[from]);
  }
  at_ += width;
  return value;
}

std::string SourceCursor::text(std::uint64_t count, std::uint64_t keep) {
  if (!ok_ || count > remaining()) {
    ok_ = false;
    return {};
  }
  const std::uint64_t wanted = std::min(count, keep);
  std::string out;
  if (wanted <= kWindow) {
    if (!fill(static_cast<std::size_t>(wanted))) return {};
    const ByteView view(window_);
    out = as_text(view.subspan(static_cast<std::size_t>(at_ - window_at_),
                               static_cast<std::size_t>(wanted)));
  } else {
    out = as_text(source_.head(at_, wanted));
  }
  at_ += count;
  return out;
}

void SourceCursor::skip(std::uint64_t count) {
  if (!ok_ || count > remaining()) {
    ok_ = false;
    return;
  }
  at_ += count;
}

bool is_zero(const ByteSource& source, std::uint64_t offset,
             std::uint64_t count) {
  while (count > 0) {
    const Bytes chunk =
        source.head(offset, std::min<std::uint64_t>(count, kWindow));
    if (chunk.empty()) return false;
    if (std::ranges::any_of(chunk,
                            [](std::byte b) { return b != std::byte{}; }))
      return false;
    offset += chunk.size();
    count -= chunk.size();
  }
  return true;
}

}  // namespace impound
