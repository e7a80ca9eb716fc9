// SPDX-License-Identifier: Apache-2.0
#include "core/trust/signer_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/dsse.hpp"

namespace impound {
namespace {

/// Whether `key` signed the envelope, in any of the ways that signers had.
enum class EnvelopeMatch : std::uint8_t { none, today, old_encoding };

EnvelopeMatch match_envelope(const EcPublicKey& key,
                             const SigstoreBundle& bundle) {
  const std::string today = dsse_pae(bundle.payload_type, bundle.payload);
  if (key.verify(today, bundle.signature)) return EnvelopeMatch::today;
  // model_signing 0.2 encoded the payload wrongly, and with certificates
  // always hashed with SHA-256.
  const std::string old = dsse_pae_v02(bundle.payload_type, bundle.payload);
  if (key.verify(old, bundle.signature) ||
      key.verify(old, bundle.signature, EcdsaHash::sha256)) {
    return EnvelopeMatch::old_encoding;
  }
  return EnvelopeMatch::none;
}

class SignerChecking {
 public:
  SignerChecking(const SigstoreBundle& bundle, const SignatureTrust& trust)
      : bundle_(bundle), trust_(trust) {}

  [[nodiscard]] SignerReport run() {
    try {
      switch (trust_.kind) {
        case TrustKind::key:
          by_key();
          break;
        case TrustKind::certificates:
          by_chain();
          break;
        case TrustKind::sigstore:
          by_sigstore();
          break;
        case TrustKind::nothing:
          report_.unverified.emplace_back("signature");
          break;
      }
    } catch (const Error& error) {
      // A certificate or key in the bundle that is none.
      if (error.code() != Errc::malformed) throw;
      fail(error.what());
    }
    return std::move(report_);
  }

 private:
  void fail(std::string reason) {
    report_.state = SignatureState::invalid;
    report_.reason = std::move(reason);
  }
  void find(Severity severity, std::string rule, std::string message) {
    report_.findings.push_back(
        {std::move(rule), severity, std::move(message), {}});
  }

  void by_key() {
    const EcPublicKey& key = *trust_.key;
    const std::string hint = key.hint();
    report_.curve = to_string(key.curve());
    if (!bundle_.key_hint.empty() && bundle_.key_hint != hint) {
      return fail(fmt::format(
          "Key mismatch: the signature names key {}, the key given is {}",
          printable(bundle_.key_hint.substr(0, 64)), hint));
    }
    if (bundle_.material == SigstoreMaterial::public_key &&
        bundle_.key_hint.empty()) {
      find(Severity::info, "old-verification-material",
           "the signature uses an older format that does not name its key: it "
           "was verified with the key given");
      note_other_key(key);
    }
    if (accept(key)) report_.signer = hint;
  }

  void note_other_key(const EcPublicKey& key) {
    if (bundle_.key_text.empty()) return;
    const EcPublicKey inside =
        EcPublicKey::from_text(bundle_.key_text, "the key in the signature");
    if (inside == key) return;
    find(Severity::low, "other-key-inside",
         "the signature carries another key, " + inside.hint());
  }

  /// True, and the state is valid, if `key` signed.
  bool accept(const EcPublicKey& key) {
    switch (match_envelope(key, bundle_)) {
      case EnvelopeMatch::none:
        fail(
            "the signature is not this key's over this payload: one of them "
            "was changed, or another key signed");
        return false;
      case EnvelopeMatch::old_encoding:
        find(Severity::low, "old-envelope-encoding",
             "signed by model_signing 0.2, which encoded the payload wrongly: "
             "sign it anew");
        [[fallthrough]];
      case EnvelopeMatch::today:
        report_.state = SignatureState::valid;
        return true;
    }
    return false;
  }

  /// The leaf, its facts noted; empty after failing.
  std::optional<Certificate> leaf() {
    if (bundle_.certificates.empty()) {
      fail(fmt::format(
          "the signature carries no certificate but {}: verify it with a key",
          bundle_.key_hint.empty()
              ? "a key"
              : "the name of key " +
                    printable(bundle_.key_hint.substr(0, 64))));
      return std::nullopt;
    }
    Certificate certificate = Certificate::from_der(
        bundle_.certificates.front(), "the signing certificate");
    const CertificateFacts& facts = certificate.facts();
    report_.certificate = facts;
    report_.is_expired =
        trust_.now < facts.not_before || trust_.now > facts.not_after;
    report_.curve = facts.key;
    return certificate;
  }

  std::vector<Certificate> intermediates() const {
    std::vector<Certificate> certificates;
    for (std::size_t i = 1; i < bundle_.certificates.size(); ++i) {
      certificates.push_back(
          Certificate::from_der(bundle_.certificates[i],
                                "an intermediate certificate of the bundle"));
    }
    return certificates;
  }

  /// Against the roots, at the time when the leaf was issued: when it signed
  /// is not known.
  bool chain_holds(const Certificate& end) {
    ChainCheck chain = verify_chain(end, intermediates(), trust_.roots,
                                    end.facts().not_before);
    if (!chain.holds) {
      fail("the certificate chain does not hold: " + chain.reason);
      return false;
    }
    report_.chain = std::move(chain.path);
    return true;
  }

  bool time_allows() {
    const CertificateFacts& facts = *report_.certificate;
    if (!report_.is_expired) return true;
    const std::string window = fmt::format(
        "the certificate was valid from {} to {}",
        format_time(facts.not_before), format_time(facts.not_after));
    if (trust_.enforce_time) {
      fail(window + ", not now");
      return false;
    }
    // A keyless certificate lives for minutes: that it is over says nothing.
    if (trust_.kind != TrustKind::sigstore) {
      find(Severity::low, "certificate-expired",
           window + "; the chain was checked at its first day");
    }
    return true;
  }

  void by_chain() {
    const auto end = leaf();
    if (!end || !chain_holds(*end) || !time_allows()) return;
    if (!end->facts().may_sign) {
      return fail(
          "Signing certificate cannot be used for signing: neither KeyUsage "
          "digitalSignature nor ExtendedKeyUsage codeSigning");
    }
    if (!accept(end->key())) return;
    report_.signer = end->facts().sha256;
    // A bundle with a bare leaf is a keyless one, however it was asked about.
    if (bundle_.material == SigstoreMaterial::certificate) not_in_log();
  }

  void not_in_log() {
    report_.unverified.emplace_back("transparency log");
    find(Severity::medium, "keyless-not-proven",
         trust_.roots.empty()
             ? "chain, transparency log: NOT verified. Anybody can make a "
               "certificate that says this name: the signature proves that "
               "one key signed, not whose it is"
             : "transparency log: NOT verified. The chain says to whom the key "
               "was given; that it signed while its certificate was valid is "
               "not proven");
  }

  void by_sigstore() {
    const auto end = leaf();
    if (!end) return;
    const CertificateFacts& facts = end->facts();
    if (trust_.roots.empty()) {
      report_.unverified.emplace_back("certificate chain");
    } else if (!chain_holds(*end)) {
      return;
    }
    if (!identity_fits(facts) || !time_allows()) return;
    if (!accept(end->key())) return;
    report_.signer = facts.alternative_names.empty()
                         ? facts.subject
                         : facts.alternative_names.front();
    not_in_log();
  }

  bool identity_fits(const CertificateFacts& facts) {
    const auto& names = facts.alternative_names;
    const auto is_wanted = [&](const std::string& name) {
      return name == trust_.identity ||
             name.substr(name.find(':') + 1) == trust_.identity;
    };
    if (!trust_.identity.empty() && std::ranges::none_of(names, is_wanted)) {
      fail(fmt::format(
          "the certificate names {}, not {}",
          names.empty() ? "nobody" : fmt::format("{}", fmt::join(names, ", ")),
          printable(trust_.identity)));
      return false;
    }
    if (!trust_.issuer.empty() && facts.oidc_issuer != trust_.issuer) {
      fail(fmt::format("the holder was identified by \"{}\", not by \"{}\"",
                       facts.oidc_issuer, printable(trust_.issuer)));
      return false;
    }
    return true;
  }

  const SigstoreBundle& bundle_;
  const SignatureTrust& trust_;
  SignerReport report_;
};

}  // namespace

std::string_view to_string(TrustKind kind) noexcept {
  switch (kind) {
    case TrustKind::key:
      return "key";
    case TrustKind::certificates:
      return "certificate-chain";
    case TrustKind::sigstore:
      return "sigstore";
    case TrustKind::nothing:
      return "none";
  }
  return "none";
}

std::string_view to_string(SignatureState state) noexcept {
  switch (state) {
    case SignatureState::valid:
      return "valid";
    case SignatureState::invalid:
      return "invalid";
    case SignatureState::not_checked:
      return "not checked";
  }
  return "not checked";
}

SignerReport check_signer(const SigstoreBundle& bundle,
                          const SignatureTrust& trust) {
  return SignerChecking(bundle, trust).run();
}

}  // namespace impound
