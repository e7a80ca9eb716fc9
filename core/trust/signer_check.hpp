// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Who signed a model: the signature over the envelope against a key, a
/// certificate chain, or the certificate that the bundle brings along.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/crypto/certificate.hpp"
#include "core/crypto/ec_key.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/sigstore_bundle.hpp"

namespace impound {

/// What the signature is held against.
enum class TrustKind : std::uint8_t {
  key,           ///< a public key that the caller knows
  certificates,  ///< roots that the caller trusts
  sigstore,      ///< the certificate in the bundle, and roots where given
  nothing,       ///< the signature is not looked at
};

/// "key", "certificate-chain", "sigstore", "none".
[[nodiscard]] std::string_view to_string(TrustKind kind) noexcept;

struct SignatureTrust {
  TrustKind kind = TrustKind::nothing;
  std::optional<EcPublicKey> key;
  std::vector<Certificate> roots;
  std::string identity;  ///< sigstore: the name that must have signed; or empty
  std::string issuer;    ///< sigstore: who must have identified it; or empty
  /// A certificate must be valid now, not only when it was issued.
  bool enforce_time = false;
  TimeNs now = 0;
};

/// Something to look at beside the verdict. Medium and worse make a model that
/// verifies one with findings.
struct SignatureFinding {
  std::string rule;
  Severity severity = Severity::low;
  std::string message;
  std::vector<std::string> paths;  ///< files it is about; raw bytes
};

enum class SignatureState : std::uint8_t { valid, invalid, not_checked };

/// "valid", "invalid", "not checked".
[[nodiscard]] std::string_view to_string(SignatureState state) noexcept;

struct SignerReport {
  SignatureState state = SignatureState::not_checked;
  std::string reason;  ///< why it is not valid
  /// Of a key its hint, of a certificate its fingerprint, of keyless signing
  /// the identity; empty if nobody was found to have signed.
  std::string signer;
  std::string curve;
  std::optional<CertificateFacts> certificate;
  bool is_expired = false;              ///< now
  std::vector<std::string> chain;       ///< subjects up to the root
  std::vector<std::string> unverified;  ///< "certificate chain", …
  std::vector<SignatureFinding> findings;
};

/// Precondition: bundle.has_envelope().
[[nodiscard]] SignerReport check_signer(const SigstoreBundle& bundle,
                                        const SignatureTrust& trust);

}  // namespace impound
