// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A Sigstore bundle (model.sig): one signed envelope, and what its writer gave
/// to verify it with. Reads; judges no signature.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/formats/problem.hpp"

namespace impound {

/// Bytes of a signature file that are still read: a statement names every file
/// of the model, or every shard, in some 200 bytes, and takes some twenty times
/// its size in memory. More is refused with the problem "sigstore-too-large".
inline constexpr std::uint64_t kMaxSigstoreBundle = 64ULL * 1024 * 1024;
/// Certificates and log entries of one bundle that are kept.
inline constexpr std::size_t kMaxSigstoreEntries = 100;

inline constexpr std::string_view kSigstoreMediaType =
    "application/vnd.dev.sigstore.bundle.v0.3+json";
inline constexpr std::string_view kInTotoPayloadType =
    "application/vnd.in-toto+json";

/// What the bundle says its signature is to be verified with.
enum class SigstoreMaterial : std::uint8_t {
  none,
  public_key,         ///< a hint at a key that the verifier must have
  certificate_chain,  ///< leaf and intermediates
  certificate,        ///< keyless: a short-lived leaf
};

[[nodiscard]] std::string_view to_string(SigstoreMaterial material) noexcept;

/// An entry of a transparency log, as the bundle claims it.
struct SigstoreLogEntry {
  std::string kind;             ///< "dsse", "intoto"
  std::string log_index;        ///< decimal
  std::string integrated_time;  ///< seconds since 1970, decimal
};

struct SigstoreBundle {
  std::string media_type;
  SigstoreMaterial material = SigstoreMaterial::none;
  std::string key_hint;  ///< as written; empty in older bundles
  std::string key_text;  ///< older bundles: the key itself, PEM or DER
  std::vector<Bytes> certificates;  ///< DER, the leaf first
  std::vector<SigstoreLogEntry> log_entries;
  std::size_t timestamps = 0;  ///< RFC 3161 tokens, not looked into

  std::string payload_type;
  std::string payload;  ///< decoded: exactly the bytes that were signed
  Bytes signature;      ///< of the one signature there must be
  std::size_t signatures = 0;

  /// "sigstore-…"; high or worse: a strict rule is broken, and the bundle
  /// cannot verify.
  Problems problems;

  /// False where there is no envelope to speak of.
  [[nodiscard]] bool has_envelope() const noexcept {
    return !payload.empty() && !signature.empty();
  }
};

/// True if `head` begins like a bundle: a JSON object with a media type of
/// Sigstore's.
[[nodiscard]] bool looks_like_sigstore_bundle(std::string_view head) noexcept;

/// Unknown fields are ignored, base64 may be of the URL-safe kind. Strict: the
/// media type, the payload type, exactly one signature.
[[nodiscard]] SigstoreBundle read_sigstore_bundle(std::string_view text);

}  // namespace impound
