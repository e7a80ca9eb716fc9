// SPDX-License-Identifier: Apache-2.0
#pragma once
/// SHA-256 of bytes that arrive in pieces.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/source.hpp"

namespace impound {

/// A finished SHA-256 (FIPS 180-4): 32 bytes, compared by value.
struct Digest {
  std::array<std::byte, 32> bytes{};

  [[nodiscard]] std::string hex() const;  ///< 64 lower-case hex digits
  /// Empty unless `hex` is exactly 64 hexadecimal digits.
  [[nodiscard]] static std::optional<Digest> from_hex(std::string_view hex);
  friend bool operator==(const Digest&, const Digest&) = default;
  friend auto operator<=>(const Digest&, const Digest&) = default;
};

/// Feed bytes, then finish once.
class Sha256 {
 public:
  /// @throws Error{unsupported} if OpenSSL has no SHA-256, Error{io} else.
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(ByteView bytes);

  /// Ends the computation. Precondition: not called before on this object.
  [[nodiscard]] Digest finish();

 private:
  struct Context;  // keeps <openssl/evp.h> out of every file that hashes
  std::unique_ptr<Context> context_;
};

[[nodiscard]] Digest sha256(ByteView bytes);
[[nodiscard]] inline Digest sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

/// Digest of a whole source, read in pieces of 4 MiB.
/// @throws what source.read() throws.
[[nodiscard]] Digest sha256_of(const ByteSource& source);

/// `count` bytes from the operating system's generator.
[[nodiscard]] Bytes random_bytes(std::size_t count);

}  // namespace impound
