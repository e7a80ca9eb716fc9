// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/ec_key.hpp"

#include "core/base/error.hpp"
#include "core/crypto/dsse.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/sample_certificates.hpp"

namespace impound::test {
namespace {

using Catch::Contains;

constexpr const char* kOtherCurve = R"(-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE0IFoBWJtkkjnbMBOyxzqWHplMrm9pfew
ksRFcAFNNwjfkTf7zBU4OxPEggZyYHQR0VnFWYgHPnoyopVcQ7ncnw==
-----END PUBLIC KEY-----
)";

TEST_CASE("A key of each curve signs what only it verifies", "[crypto]") {
  for (const EcCurve curve : {EcCurve::p256, EcCurve::p384, EcCurve::p521}) {
    const EcSigningKey key = EcSigningKey::generate(curve);
    const EcPublicKey pub = key.public_key();
    CHECK(pub.curve() == curve);
    Bytes signature = key.sign("message");
    CHECK(pub.verify("message", signature));
    CHECK_FALSE(pub.verify("messagf", signature));
    CHECK_FALSE(pub.verify("message", ByteView(signature).first(3)));
    CHECK_FALSE(pub.verify("message", ByteView{}));
    CHECK_FALSE(EcSigningKey::generate(curve).public_key().verify("message",
                                                                  signature));
    signature.back() ^= std::byte{1};
    CHECK_FALSE(pub.verify("message", signature));
  }
}

TEST_CASE("A signature of stock openssl verifies", "[crypto]") {
  // printf 'DSSEv1 28 application/vnd.in-toto+json 2 {}' > pae
  // openssl dgst -sha256 -sign leaf.key pae | base64
  const Bytes signature = from_base64(
      "MEUCIQCv9MmHyizNyCYeGGSvZKhdwtp73rntPnNPiGeu+"
      "64PrQIgKdLbsq/3TdNxdfyi307Pmypu46YbuFNYQkvjQ8hw6qU=");
  const EcSigningKey key = EcSigningKey::from_pem(kLeafKeyPem, "leaf.key", {});
  const std::string pae = dsse_pae("application/vnd.in-toto+json", "{}");
  CHECK(key.public_key().verify(pae, signature));
  CHECK_FALSE(key.public_key().verify(pae, signature, EcdsaHash::sha384));
  CHECK_FALSE(key.public_key().verify(pae + " ", signature));
}

TEST_CASE("A key is named by the hash of its PEM as OpenSSL writes it",
          "[crypto]") {
  const EcPublicKey key =
      EcSigningKey::from_pem(kLeafKeyPem, "leaf.key", {}).public_key();
  // openssl pkey -in leaf.key -pubout | sha256sum
  CHECK(key.hint() ==
        "bb5e30db7ccfb9b1f0effcb0b22e7e4b488e59f7c81cdcbb9b96ec2862ed06a8");
  // Text around the key, or other line ends, are not part of its name.
  std::string pem = "Public-Key: (256 bit)\nsome text\n" + key.pem() + "more\n";
  CHECK(EcPublicKey::from_text(pem, "k").hint() == key.hint());
  const std::size_t body = key.pem().find('\n') + 1;
  const std::size_t end = key.pem().find("-----END");
  std::string base64 = key.pem().substr(body, end - body);
  std::erase(base64, '\n');
  const Bytes der = from_base64(base64);
  CHECK(EcPublicKey::from_text(as_text(der), "k") == key);
}

TEST_CASE("Keys of other kinds are refused in words", "[crypto]") {
  const std::string ed25519 = SigningKey::generate().public_key().pem();
  CHECK_THROWS_WITH(EcPublicKey::from_text(ed25519, "k.pem"),
                    Contains("Only elliptic curve keys are supported"));
  CHECK_THROWS_WITH(EcPublicKey::from_text(kOtherCurve, "k.pem"),
                    Contains("Unsupported key for curve 'secp256k1'"));
  CHECK_THROWS_WITH(EcPublicKey::from_text(kLeafKeyPem, "k.pem"),
                    Contains("a private key: give the public one"));
  CHECK_THROWS_WITH(EcPublicKey::from_text(kLeafPem, "k.pem"),
                    Contains("a certificate"));
  CHECK_THROWS_AS(EcPublicKey::from_text("", "k.pem"), Error);
  CHECK_THROWS_AS(EcPublicKey::from_text("0\x82nonsense", "k.pem"), Error);
  CHECK_THROWS_WITH(
      EcSigningKey::from_pem(SigningKey::generate().pem(""), "k.pem", {}),
      Contains("Only elliptic curve keys are supported"));
}

}  // namespace
}  // namespace impound::test
