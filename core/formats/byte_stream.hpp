// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Bytes read from front to back, once: a file, or what a packed file unpacks
/// to. Memory does not grow with their number.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/source.hpp"

namespace impound {

/// How a whole file is packed, told from its first bytes, never from its name.
enum class Packing : std::uint8_t { none, gzip, zstd, xz, bzip2, lz4 };

[[nodiscard]] std::string_view to_string(Packing packing) noexcept;
[[nodiscard]] Packing packing_of(ByteView head) noexcept;

class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  /// Fills the front of `out`, which is not empty, and says how many bytes; 0
  /// at the end, which is an early one if problem() says so.
  /// @throws what reading the source below throws.
  [[nodiscard]] virtual std::size_t read(std::span<std::byte> out) = 0;
  /// Why the bytes ended before they should have; empty if they did not.
  [[nodiscard]] virtual std::string problem() const { return {}; }
};

/// Opens packed bytes that need a library of the storage room. The rooms that
/// read rows may not include it, so the engine lends them one.
class StreamOpener {
 public:
  StreamOpener() = default;
  StreamOpener(const StreamOpener&) = delete;
  StreamOpener& operator=(const StreamOpener&) = delete;
  virtual ~StreamOpener() = default;

  /// The unpacked bytes of `source`, which outlives the stream.
  [[nodiscard]] virtual std::unique_ptr<ByteStream> open(
      const ByteSource& source) const = 0;
};

/// Bounds on what a packed file may unpack to.
struct ExpansionLimits {
  /// Unpacked bytes of one file. Real shards are below; a bomb is not read on.
  std::uint64_t total = std::uint64_t{1} << 40U;
  /// Unpacked bytes for one packed byte, above the first 64 MiB. zstd packs the
  /// most repetitive logs a few hundredfold.
  std::uint64_t ratio = 2000;
};

/// The bytes of `source`, unpacked if they are packed, with bounds. gzip (of
/// any number of members) is read here, the others through `opener`, which may
/// be null: then the stream is empty and problem() says why.
[[nodiscard]] std::unique_ptr<ByteStream> open_stream(
    const ByteSource& source, Packing packing, const StreamOpener* opener,
    const ExpansionLimits& limits);

}  // namespace impound
