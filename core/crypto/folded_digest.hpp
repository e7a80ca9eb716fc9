// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A digest of content whose zeros are counted instead of hashed.
///
/// A sparse file of 64 TB costs nothing to make, and hashing its zeros takes
/// half a day. Where the file system says what is a hole, this digest takes the
/// time of the data alone. It is one of the content and not of its layout:
/// zeros that somebody wrote out are counted as those of a hole are.
///
/// SHA-256 over "folded-sha256 1\n", the size (8 bytes, little-endian), and
/// then the content in blocks of 4096 bytes from its start, the last one
/// shorter: of each block that is not all zeros, a byte 1 and the block; of
/// each longest run of blocks that are, a byte 0 and the bytes in it (8 bytes,
/// little-endian). Two contents have the same text only if they are the same:
/// it can be read back.

#include <cstdint>

#include "core/crypto/digest.hpp"

namespace impound {

/// Feed `size` bytes in order, as bytes or as zeros, then finish once.
class FoldedSha256 {
 public:
  explicit FoldedSha256(std::uint64_t size);

  void update(ByteView bytes);
  /// The same as so many zero bytes, in the time of none.
  void zeros(std::uint64_t count);

  /// Precondition: exactly `size` bytes were fed.
  [[nodiscard]] Digest finish();

 private:
  static constexpr std::size_t kBlock = 4096;

  void block(ByteView bytes);
  void end_run();

  Sha256 hash_;
  Bytes pending_;  ///< the begin of a block
  std::uint64_t run_ = 0;
};

}  // namespace impound
