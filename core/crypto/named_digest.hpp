// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Digests by the names that other people's documents give them, for checking
/// what they state. Our own records use SHA-256 only (digest.hpp).

#include <optional>
#include <string>
#include <string_view>

#include "core/base/source.hpp"

namespace impound {

/// Lower-case hexadecimal digest of a whole source, read in pieces of 4 MiB, by
/// a name of CycloneDX's `hash-alg`: "MD5", "SHA-1", "SHA-256", "SHA-384",
/// "SHA-512", "SHA3-256", "SHA3-384", "SHA3-512", "BLAKE2b-512". Empty for any
/// other name: OpenSSL has no BLAKE3 and no shorter BLAKE2b.
/// @throws Error{unsupported} if OpenSSL refuses a name of this list in this
///         process (a FIPS provider has no MD5), and what source.read() throws.
[[nodiscard]] std::optional<std::string> named_digest(std::string_view name,
                                                      const ByteSource& source);

/// True for the names whose collisions people can make: they identify, they
/// prove nothing against somebody who chose the bytes.
[[nodiscard]] bool is_weak_digest(std::string_view name) noexcept;

}  // namespace impound
