// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Deflated bytes as a source that can be read at any offset in bounded memory.

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/source.hpp"

namespace impound {

enum class DeflateWrapping : std::uint8_t { none, zlib, gzip };

/// What the one full pass over the packed bytes found.
struct InflateOutcome {
  std::uint64_t unpacked = 0;     ///< bytes that came out
  std::uint64_t packed_used = 0;  ///< bytes that went in
  bool has_ended = false;         ///< the stream's own end was reached
  bool is_over_limit = false;     ///< stopped at the limit
  std::uint32_t crc32 = 0;        ///< of what came out
  std::string problem;            ///< zlib's words; "" if none
};

/// Content of a deflate stream. Opening unpacks it once to learn its size; a
/// small one is then kept, a large one is unpacked again from the nearest of
/// the states noted every 4 MiB. What came out before an error can be read.
class InflateSource final : public ByteSource {
 public:
  /// `packed` outlives the source. At most `limit` bytes are unpacked.
  InflateSource(const ByteSource& packed, std::uint64_t offset,
                std::uint64_t packed_size, DeflateWrapping wrapping,
                std::uint64_t limit);
  ~InflateSource() override;

  [[nodiscard]] std::uint64_t size() const override;
  void read(std::uint64_t offset, std::span<std::byte> out) const override;
  [[nodiscard]] const InflateOutcome& outcome() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace impound
