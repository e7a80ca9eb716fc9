// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Hashes that other people's manifests use, chosen by name.

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/bytes.hpp"

namespace impound {

enum class HashKind : std::uint8_t {
  sha256,   ///< FIPS 180-4, 32 bytes
  sha1,     ///< 20 bytes; identifies, proves nothing against a forger
  blake2b,  ///< RFC 7693, 64 bytes, no key
  md5,      ///< 16 bytes; identifies only, like SHA-1
  sha384,
  sha512,
  sha3_256,  ///< FIPS 202
  sha3_384,
  sha3_512,
  xxh64,  ///< 8 bytes, big-endian as xxhsum prints it; no cryptography
  xxh3,   ///< 64 bits of XXH3, likewise
};

/// "sha256", "sha1", "blake2b", "sha3-256", "xxh64" …
[[nodiscard]] std::string_view to_string(HashKind kind) noexcept;
[[nodiscard]] std::size_t digest_size(HashKind kind) noexcept;

/// Feed bytes, then finish once.
class StreamHash {
 public:
  /// @throws Error{unsupported} if the library refuses this hash.
  explicit StreamHash(HashKind kind);
  ~StreamHash();
  StreamHash(StreamHash&&) noexcept;
  StreamHash& operator=(StreamHash&&) noexcept;

  void update(ByteView bytes);
  /// Ends the computation. Precondition: not called before on this object.
  [[nodiscard]] Bytes finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace impound
