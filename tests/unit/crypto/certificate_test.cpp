// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/certificate.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/sample_certificates.hpp"

namespace impound::test {
namespace {

using Catch::Contains;

Certificate one(const char* pem) {
  return Certificate::from_text(pem, "test").front();
}

TEST_CASE("A certificate says what stock openssl says it says", "[crypto]") {
  const CertificateFacts leaf = one(kLeafPem).facts();
  CHECK(leaf.subject == "O=Example Corp,CN=Model Signer");
  CHECK(leaf.issuer == "CN=Test Intermediate");
  CHECK(leaf.serial == "03");
  CHECK(leaf.alternative_names ==
        std::vector<std::string>{"email:signer@example.com",
                                 "URI:https://example.com/release"});
  CHECK(leaf.oidc_issuer == "https://issuer.example");
  CHECK(leaf.key == "EC P-256");
  CHECK(leaf.may_sign);
  CHECK_FALSE(leaf.is_self_signed);
  CHECK_FALSE(leaf.is_authority);
  // openssl x509 -outform DER | sha256sum
  CHECK(leaf.sha256 ==
        "30e79e765dd9c4bb9579437f591edeac42e22aa785586862d07a490976baa3e7");
  const CertificateFacts root = one(kRootPem).facts();
  CHECK(root.is_self_signed);
  CHECK(root.is_authority);
  CHECK_FALSE(root.may_sign);
  CHECK_FALSE(one(kUselessPem).facts().may_sign);
  const CertificateFacts expired = one(kExpiredPem).facts();
  CHECK(expired.oidc_issuer == "https://old.example");
  CHECK(format_time(expired.not_before) == "2027-01-01T00:00:00.000000Z");
  CHECK(format_time(expired.not_after) == "2027-02-01T00:00:00.000000Z");
  CHECK(one(kLeafPem).key() == one(kExpiredPem).key());
}

TEST_CASE("Files of certificates are read whole or refused", "[crypto]") {
  const std::string two = std::string("text\n") + kRootPem + kIntermediatePem;
  CHECK(Certificate::from_text(two, "f").size() == 2);
  const Bytes der = one(kLeafPem).der();
  CHECK(Certificate::from_text(as_text(der), "f").size() == 1);
  CHECK_THROWS_WITH(Certificate::from_text("", "f.pem"), Contains("f.pem"));
  CHECK_THROWS_AS(Certificate::from_text(kLeafKeyPem, "f"), Error);
  const std::string torn =
      std::string(kRootPem) + std::string(kLeafPem).substr(0, 200);
  CHECK_THROWS_AS(Certificate::from_text(torn, "f"), Error);
  CHECK_THROWS_AS(
      Certificate::from_der(ByteView(der).first(der.size() / 2), "f"), Error);
}

TEST_CASE("A chain holds only with its links, its root and its time",
          "[crypto]") {
  const Certificate leaf = one(kLeafPem);
  const std::vector<Certificate> between{one(kIntermediatePem)};
  const std::vector<Certificate> roots{one(kRootPem)};
  const TimeNs then = leaf.facts().not_before;
  const ChainCheck good = verify_chain(leaf, between, roots, then);
  CHECK(good.holds);
  CHECK(good.path == std::vector<std::string>{"O=Example Corp,CN=Model Signer",
                                              "CN=Test Intermediate",
                                              "CN=Test Root"});
  const ChainCheck no_link = verify_chain(leaf, {}, roots, then);
  CHECK_FALSE(no_link.holds);
  CHECK_THAT(no_link.reason, Contains("unable to get local issuer") &&
                                 Contains("Model Signer"));
  // The one in between is no root, even if somebody trusts it alone.
  CHECK_FALSE(verify_chain(leaf, {}, between, then).holds);
  CHECK_FALSE(verify_chain(leaf, between, {}, then).holds);
  const TimeNs too_early = *parse_time("2000-01-01");
  CHECK_THAT(verify_chain(leaf, between, roots, too_early).reason,
             Contains("not yet valid"));
  // A leaf that claims to be an authority's, and is not.
  CHECK_FALSE(
      verify_chain(leaf, std::vector{one(kUselessPem)}, roots, then).holds);
  CHECK(verify_chain(one(kExpiredPem), between, roots,
                     one(kExpiredPem).facts().not_before)
            .holds);
}

}  // namespace
}  // namespace impound::test
