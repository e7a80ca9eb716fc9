// SPDX-License-Identifier: Apache-2.0
#pragma once
/// X.509 certificates of signatures: what they say, and whether a chain leads
/// from one to a root that somebody trusts.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/clock.hpp"
#include "core/crypto/ec_key.hpp"

namespace impound {

/// Certificates of one file or one signature that are still read; a chain has
/// three or four, the system's roots some hundred. More is Error{limit}.
inline constexpr std::size_t kMaxCertificates = 2000;

/// What a certificate says. Claims, until a chain is verified.
struct CertificateFacts {
  std::string subject;  ///< RFC 2253, as are all names; escaped
  std::string issuer;
  std::string serial;  ///< hexadecimal
  /// "email:…", "URI:…", "DNS:…": whom it was given to.
  std::vector<std::string> alternative_names;
  TimeNs not_before = 0;
  TimeNs not_after = 0;
  std::string sha256;  ///< of the DER, hexadecimal: its fingerprint
  std::string key;     ///< "EC P-384", or another kind's name
  /// Who identified the holder (Fulcio, OID 1.3.6.1.4.1.57264.1.8 or .1.1).
  std::string oidc_issuer;
  bool is_self_signed = false;
  bool is_authority = false;  ///< basic constraints: CA
  /// KeyUsage digitalSignature, or ExtendedKeyUsage codeSigning.
  bool may_sign = false;
};

class Certificate {
 public:
  /// @throws Error{malformed} naming `source`.
  [[nodiscard]] static Certificate from_der(ByteView der,
                                            std::string_view source);
  /// Every certificate of a PEM file, or the one of a DER file.
  /// @throws Error{malformed} naming `source` if there is none, Error{limit}.
  [[nodiscard]] static std::vector<Certificate> from_text(
      std::string_view text, std::string_view source);

  [[nodiscard]] const CertificateFacts& facts() const noexcept {
    return facts_;
  }
  [[nodiscard]] const Bytes& der() const noexcept { return der_; }
  /// @throws Error{malformed} if it is no key on one of the three curves.
  [[nodiscard]] EcPublicKey key() const;

 private:
  Bytes der_;
  CertificateFacts facts_;
};

struct ChainCheck {
  bool holds = false;
  std::string reason;  ///< OpenSSL's words, and the certificate they are about
  std::vector<std::string> path;  ///< subjects, the leaf's first
};

/// Whether a chain leads from `leaf` over any of `intermediates` to one of
/// `roots` at the time `at`. Revocation is not looked at.
[[nodiscard]] ChainCheck verify_chain(
    const Certificate& leaf, std::span<const Certificate> intermediates,
    std::span<const Certificate> roots, TimeNs at);

}  // namespace impound
