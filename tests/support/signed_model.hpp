// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Signing a model in memory, and laying out statements by hand, for tests of
/// what verifies.

#include <string>
#include <string_view>
#include <utility>

#include "core/base/json.hpp"
#include "core/crypto/dsse.hpp"
#include "core/trust/model_signature.hpp"
#include "core/trust/model_signer.hpp"

namespace impound::test {

/// The statement of a tree.
inline std::string statement_of(const Tree& tree,
                                const SigningOptions& options) {
  SilentProgress progress;
  const Cancellation cancellation;
  return write_model_statement(
      hash_for_signing(tree, options, progress, cancellation), options,
      "model");
}

/// A bundle around any payload, with any material.
inline Json bundle_of(std::string_view payload, const Bytes& signature,
                      Json material) {
  Json bundle;
  bundle["mediaType"] = kSigstoreMediaType;
  bundle["verificationMaterial"] = std::move(material);
  Json& envelope = bundle["dsseEnvelope"];
  envelope["payload"] = to_base64(as_bytes(payload));
  envelope["payloadType"] = kInTotoPayloadType;
  envelope["signatures"] =
      Json::array({{{"sig", to_base64(signature)}, {"keyid", ""}}});
  return bundle;
}

/// The same signed by `key` over the encoding of today.
inline std::string signed_bundle(std::string_view payload,
                                 const EcSigningKey& key, Json material) {
  return dump_line(bundle_of(payload,
                             key.sign(dsse_pae(kInTotoPayloadType, payload)),
                             std::move(material)));
}

inline SignatureReport verify(std::string_view bundle, const Tree& tree,
                              const SignatureCheckOptions& options) {
  SilentProgress progress;
  const Cancellation cancellation;
  return verify_model_signature(bundle, tree, options, progress, cancellation);
}

inline SignatureCheckOptions trusting(const EcPublicKey& key) {
  SignatureCheckOptions options;
  options.trust.kind = TrustKind::key;
  options.trust.key = key;
  options.signature_name = "model.sig";
  return options;
}

/// True if a finding of that rule is there.
inline bool has_finding(const SignatureReport& report, std::string_view rule) {
  for (const SignatureFinding& finding : report.findings) {
    if (finding.rule == rule) return true;
  }
  return false;
}

}  // namespace impound::test
