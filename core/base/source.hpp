// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Bytes that can be read at any offset without being held in memory: a file, a
/// member of an exhibit, a span. Parsers of large formats read through this.

#include <cstdint>

#include "core/base/bytes.hpp"

namespace impound {

class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  /// Bytes in the source; fixed for its life.
  [[nodiscard]] virtual std::uint64_t size() const = 0;

  /// Fills `out` from `offset` on. May be called from several threads at once.
  /// @throws Error{malformed} if offset + out.size() > size(), Error{io} if the
  ///         source cannot be read, Error{integrity} if it is a damaged
  ///         exhibit.
  virtual void read(std::uint64_t offset, std::span<std::byte> out) const = 0;

  /// Up to `count` bytes from `offset`, fewer at the end.
  [[nodiscard]] Bytes head(std::uint64_t offset, std::uint64_t count) const;
};

/// A source over memory that somebody else owns and that outlives it.
class SpanSource final : public ByteSource {
 public:
  explicit SpanSource(ByteView bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  ByteView bytes_;
};

/// A window of another source, which outlives it.
class SubSource final : public ByteSource {
 public:
  /// @throws Error{malformed} if the window leaves `whole`.
  SubSource(const ByteSource& whole, std::uint64_t offset, std::uint64_t size);
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  const ByteSource& whole_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

}  // namespace impound
