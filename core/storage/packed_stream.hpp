// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a packed file (zstd, xz, bzip2, lz4, gzip) unpacks to, from front to
/// back.

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/source.hpp"

namespace impound {

/// Unpacks in bounded memory: the window that the packed file asks for, at most
/// 128 MiB for zstd, and 512 KiB. Serves one thread.
class PackedStream {
 public:
  /// `packed` outlives the stream.
  explicit PackedStream(const ByteSource& packed);
  ~PackedStream();
  PackedStream(const PackedStream&) = delete;
  PackedStream& operator=(const PackedStream&) = delete;

  /// Fills the front of `out`; 0 at the end, or where problem() says why.
  /// @throws what reading `packed` throws.
  [[nodiscard]] std::size_t read(std::span<std::byte> out);
  /// Why it was not read to its end; empty if it was, or was not yet.
  [[nodiscard]] const std::string& problem() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace impound
