// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Bytes fetched ahead of those that ask for them piece by piece.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/source.hpp"

namespace impound {

/// Bytes that are read in order, or a few here and a few there: fetched in
/// pieces of a fixed size.
class ReadAhead {
 public:
  ReadAhead(const ByteSource& source, std::uint64_t piece)
      : source_(source), piece_(piece) {}

  [[nodiscard]] Bytes head(std::uint64_t offset, std::uint64_t count) {
    if (offset < begin_ || offset - begin_ > bytes_.size() ||
        count > bytes_.size() - (offset - begin_)) {
      begin_ = offset;
      bytes_ = source_.head(offset, std::max(count, piece_));
    }
    const ByteView from =
        ByteView(bytes_).subspan(static_cast<std::size_t>(offset - begin_));
    const ByteView taken =
        from.first(std::min(from.size(), static_cast<std::size_t>(count)));
    return {taken.begin(), taken.end()};
  }

 private:
  const ByteSource& source_;
  std::uint64_t piece_;
  std::uint64_t begin_ = 0;
  Bytes bytes_;
};

/// A source that owns its bytes.
class HeldSource final : public ByteSource {
 public:
  explicit HeldSource(Bytes bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    SpanSource(bytes_).read(offset, out);
  }

 private:
  Bytes bytes_;
};

}  // namespace impound
