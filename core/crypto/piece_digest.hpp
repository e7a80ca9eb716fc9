// SPDX-License-Identifier: Apache-2.0
#pragma once
/// SHA-256 of a stream and of each piece of it, in one pass.

#include <array>
#include <cstdint>
#include <string_view>

#include "core/crypto/digest.hpp"

namespace impound {

/// A bundle needs the digest of the whole file and of every frame. Computed one
/// after the other they cost the slowest part of sealing and verifying twice.
/// One SHA-256 leaves half of a core's SHA unit idle, because each round waits
/// for the one before; the two run in each other's gaps. Where the processor
/// has no SHA instructions OpenSSL computes both.
class PieceDigest {
 public:
  PieceDigest();

  /// Appends a piece to the stream and returns the digest of the piece alone.
  [[nodiscard]] Digest piece(ByteView bytes);

  /// Appends bytes to the stream that are no piece.
  void update(ByteView bytes);

  /// Digest of the stream. Precondition: not called before on this object.
  [[nodiscard]] Digest finish();

  /// True where the processor's SHA instructions are used.
  [[nodiscard]] static bool is_accelerated() noexcept;

  /// Who computes in this process, for the record: impound's own kernel, or
  /// OpenSSL.
  [[nodiscard]] static std::string_view kernel() noexcept;

  /// Holds streams and pieces of many lengths against OpenSSL and the published
  /// answers; run once a process, by whatever seals, before it seals.
  /// @return true if every digest is right.
  [[nodiscard]] static bool is_right();

 private:
  [[nodiscard]] static bool knows_its_answers();

  /// FIPS 180-4, section 5.3.3.
  static constexpr std::array<std::uint32_t, 8> kStart{
      0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

  /// A SHA-256 under way: whole blocks are in `words`, the rest in `rest`.
  struct State {
    std::array<std::uint32_t, 8> words = kStart;
    std::array<std::byte, 64> rest{};
    std::size_t rest_size = 0;
    std::uint64_t size = 0;

    /// Takes what fills `rest` up to a block; returns what is left.
    [[nodiscard]] ByteView fill(ByteView bytes);
    void update(ByteView bytes);
    [[nodiscard]] Digest finish();
  };

  State stream_;
  Sha256 plain_;  // instead of stream_ where there are no SHA instructions
};

}  // namespace impound
