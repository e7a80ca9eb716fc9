// SPDX-License-Identifier: Apache-2.0
#include "core/formats/sigstore_bundle.hpp"

#include "core/base/json.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

Json honest() {
  return parse_json(R"({
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {"publicKey": {"hint": "ab"}, "tlogEntries": []},
    "dsseEnvelope": {"payload": "e30=",
      "payloadType": "application/vnd.in-toto+json",
      "signatures": [{"sig": "AQI=", "keyid": ""}]}})",
                    "test");
}

SigstoreBundle read(const Json& json) {
  return read_sigstore_bundle(dump_line(json));
}

/// The rule of the one strict problem; "" if there is none.
std::string broken(const Json& json) {
  std::string rules;
  for (const Problem& problem : read(json).problems) {
    if (problem.severity >= Severity::high) rules += problem.rule;
  }
  return rules;
}

TEST_CASE("A bundle is read to the bytes that were signed", "[formats]") {
  const SigstoreBundle bundle = read(honest());
  CHECK(bundle.problems.empty());
  CHECK(bundle.has_envelope());
  CHECK(bundle.payload == "{}");
  CHECK(to_hex(bundle.signature) == "0102");
  CHECK(bundle.key_hint == "ab");
  CHECK(bundle.material == SigstoreMaterial::public_key);
  CHECK(looks_like_sigstore_bundle(dump_line(honest())));
  CHECK_FALSE(looks_like_sigstore_bundle(R"({"mediaType":"image/png"})"));
}

TEST_CASE("What writers of bundles do differently is read all the same",
          "[formats]") {
  Json bundle = honest();
  bundle["unknown"] = {{"deep", Json::array({1, 2})}};
  bundle["verificationMaterial"].erase("tlogEntries");
  bundle["dsseEnvelope"]["payload"] = "-_8";  // URL-safe, no padding
  CHECK(broken(bundle).empty());
  CHECK(to_hex(as_bytes(read(bundle).payload)) == "fbff");

  // Up to 1.0.1: the key itself, and no hint.
  bundle["verificationMaterial"]["publicKey"] = {
      {"rawBytes", "a2V5"}, {"keyDetails", "PKIX_ECDSA_P384_SHA_384"}};
  CHECK(read(bundle).key_text == "key");
  CHECK(read(bundle).key_hint.empty());

  bundle["verificationMaterial"] = {
      {"x509CertificateChain",
       {{"certificates",
         Json::array({{{"rawBytes", "AQ=="}}, {{"rawBytes", "Ag=="}}})}}}};
  CHECK(broken(bundle).empty());
  CHECK(read(bundle).certificates.size() == 2);

  bundle["verificationMaterial"] = {
      {"certificate", {{"rawBytes", "AQ=="}}},
      {"tlogEntries", Json::array({{{"logIndex", "17"},
                                    {"kindVersion", {{"kind", "dsse"}}},
                                    {"integratedTime", 1750000000}}})},
      {"timestampVerificationData",
       {{"rfc3161Timestamps", Json::array({Json::object()})}}}};
  const SigstoreBundle keyless = read(bundle);
  CHECK(keyless.material == SigstoreMaterial::certificate);
  REQUIRE(keyless.log_entries.size() == 1);
  CHECK(keyless.log_entries[0].log_index == "17");
  CHECK(keyless.log_entries[0].integrated_time == "1750000000");
  CHECK(keyless.timestamps == 1);
}

TEST_CASE("Every strict rule of a bundle is a problem of its own",
          "[formats]") {
  Json bundle = honest();
  bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.3";
  CHECK(broken(bundle) == "sigstore-media-type");
  bundle = honest();
  bundle["dsseEnvelope"]["payloadType"] = "application/json";
  CHECK(broken(bundle) == "sigstore-payload-type");
  bundle = honest();
  Json& signatures = bundle["dsseEnvelope"]["signatures"];
  signatures.push_back(signatures[0]);
  CHECK(broken(bundle) == "sigstore-signatures");
  CHECK(read(bundle).signatures == 2);
  bundle["dsseEnvelope"]["signatures"] = Json::array();
  CHECK(broken(bundle) == "sigstore-signatures");
  CHECK_FALSE(read(bundle).has_envelope());
  bundle = honest();
  bundle["dsseEnvelope"]["payload"] = "e30*";
  CHECK(broken(bundle) == "sigstore-payload");
  bundle = honest();
  bundle["dsseEnvelope"]["signatures"][0]["sig"] = 5;
  CHECK(broken(bundle) == "sigstore-signature");
  bundle = honest();
  bundle["verificationMaterial"]["certificate"] = {{"rawBytes", "AQ=="}};
  CHECK(broken(bundle) == "sigstore-material");
  bundle["verificationMaterial"] = Json::object();
  CHECK(broken(bundle) == "sigstore-material");
  bundle = honest();
  bundle["verificationMaterial"] = {{"certificate", {{"rawBytes", "!"}}}};
  CHECK(broken(bundle) == "sigstore-certificatesigstore-certificate");
  bundle = honest();
  bundle.erase("dsseEnvelope");
  CHECK(broken(bundle) == "sigstore-no-envelope");
  CHECK(broken(Json::array()) == "sigstore-not-json");
}

TEST_CASE("Text that is no bundle says why, and stops in time", "[formats]") {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("\xff"),
        std::string(200'000, '['), std::string("{\"a\":") + "1"}) {
    const SigstoreBundle bundle = read_sigstore_bundle(text);
    REQUIRE(bundle.problems.size() == 1);
    CHECK(bundle.problems[0].rule == "sigstore-not-json");
    CHECK_FALSE(bundle.has_envelope());
  }
  std::string many = "{";
  for (int i = 0; i < 2000; ++i) many += "\"" + std::to_string(i) + "\":0,";
  const SigstoreBundle bundle = read_sigstore_bundle(many + "\"x\":0}");
  REQUIRE(bundle.problems.size() == 1);
  CHECK(bundle.problems[0].message.find("1000 keys") != std::string::npos);
}

}  // namespace
}  // namespace impound::test
