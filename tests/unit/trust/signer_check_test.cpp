// SPDX-License-Identifier: Apache-2.0
#include "core/trust/signer_check.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/sample_certificates.hpp"
#include "tests/support/signed_model.hpp"

namespace impound::test {
namespace {

using Catch::Contains;

Certificate one(const char* pem) {
  return Certificate::from_text(pem, "test").front();
}

/// {"x509CertificateChain": …} of these.
Json chain(const std::vector<const char*>& pems) {
  Json list = Json::array();
  for (const char* pem : pems) {
    list.push_back({{"rawBytes", to_base64(one(pem).der())}});
  }
  return {{"x509CertificateChain", {{"certificates", std::move(list)}}}};
}

Json keyless(const char* pem) {
  return {{"certificate", {{"rawBytes", to_base64(one(pem).der())}}},
          {"tlogEntries", Json::array()}};
}

SignerReport check(const Json& material, SignatureTrust trust) {
  static const EcSigningKey kKey =
      EcSigningKey::from_pem(kLeafKeyPem, "leaf.key", {});
  if (trust.now == 0) trust.now = *parse_time("2030-01-01");
  return check_signer(read_sigstore_bundle(signed_bundle("{}", kKey, material)),
                      trust);
}

SignatureTrust roots() {
  SignatureTrust trust;
  trust.kind = TrustKind::certificates;
  trust.roots.push_back(one(kRootPem));
  return trust;
}

SignatureTrust sigstore() {
  SignatureTrust trust;
  trust.kind = TrustKind::sigstore;
  return trust;
}

bool has(const SignerReport& report, std::string_view rule) {
  for (const SignatureFinding& finding : report.findings) {
    if (finding.rule == rule) return true;
  }
  return false;
}

TEST_CASE("A chain to a trusted root makes a signature valid", "[compare]") {
  const SignerReport report =
      check(chain({kLeafPem, kIntermediatePem}), roots());
  CHECK(report.state == SignatureState::valid);
  CHECK(report.signer == one(kLeafPem).facts().sha256);
  CHECK(report.chain.size() == 3);
  CHECK(report.unverified.empty());
  CHECK_FALSE(report.is_expired);
  CHECK(report.findings.empty());
}

TEST_CASE("A chain that does not hold, a key that may not sign, another key",
          "[compare]") {
  CHECK_THAT(check(chain({kLeafPem}), roots()).reason,
             Contains("chain does not hold"));
  const SignerReport useless =
      check(chain({kUselessPem, kIntermediatePem}), roots());
  CHECK(useless.state == SignatureState::invalid);
  CHECK_THAT(useless.reason, Contains("cannot be used for signing"));
  CHECK(check(chain({kIntermediatePem}), roots()).state ==
        SignatureState::invalid);
  const SignerReport none = check({{"publicKey", {{"hint", "ab"}}}}, roots());
  CHECK(none.state == SignatureState::invalid);
  CHECK_THAT(none.reason, Contains("name of key ab"));
  Json nonsense = keyless(kLeafPem);
  nonsense["certificate"]["rawBytes"] = "AQID";
  CHECK_THAT(check(nonsense, sigstore()).reason,
             Contains("signing certificate"));
}

TEST_CASE(
    "A certificate that is over is a note, or a failure where time is "
    "enforced",
    "[compare]") {
  const Json material = chain({kExpiredPem, kIntermediatePem});
  const SignerReport report = check(material, roots());
  CHECK(report.state == SignatureState::valid);
  CHECK(report.is_expired);
  CHECK(has(report, "certificate-expired"));
  SignatureTrust strict = roots();
  strict.enforce_time = true;
  CHECK(check(material, strict).state == SignatureState::invalid);
  strict.now = *parse_time("2027-01-15");
  CHECK(check(material, strict).state == SignatureState::valid);
}

TEST_CASE("A keyless signature says what was not verified", "[compare]") {
  const SignerReport report = check(keyless(kLeafPem), sigstore());
  CHECK(report.state == SignatureState::valid);
  CHECK(report.signer == "email:signer@example.com");
  CHECK(report.unverified ==
        std::vector<std::string>{"certificate chain", "transparency log"});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].severity == Severity::medium);
  CHECK_THAT(report.findings[0].message,
             Contains("chain, transparency log: NOT verified"));

  SignatureTrust with_root = sigstore();
  with_root.roots.push_back(one(kRootPem));
  Json whole = chain({kLeafPem, kIntermediatePem});
  CHECK(check(whole, with_root).unverified ==
        std::vector<std::string>{"transparency log"});
  CHECK(check(keyless(kLeafPem), with_root).state == SignatureState::invalid);
  // Asked about as an ordinary chain, it is a keyless signature all the same.
  SignatureTrust both = roots();
  both.roots.push_back(one(kIntermediatePem));
  const SignerReport plain = check(keyless(kLeafPem), both);
  CHECK(plain.state == SignatureState::valid);
  CHECK(has(plain, "keyless-not-proven"));
}

TEST_CASE("A keyless signature can be bound to a name and who vouched for it",
          "[compare]") {
  SignatureTrust trust = sigstore();
  trust.identity = "signer@example.com";
  trust.issuer = "https://issuer.example";
  CHECK(check(keyless(kLeafPem), trust).state == SignatureState::valid);
  trust.identity = "https://example.com/release";
  CHECK(check(keyless(kLeafPem), trust).state == SignatureState::valid);
  trust.identity = "example.com";
  CHECK_THAT(check(keyless(kLeafPem), trust).reason,
             Contains("not example.com"));
  trust.identity.clear();
  trust.issuer = "https://issuer.example.evil";
  CHECK_THAT(check(keyless(kLeafPem), trust).reason, Contains("identified by"));
}

}  // namespace
}  // namespace impound::test
