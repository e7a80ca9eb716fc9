// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/signature.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

Errc code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("nothing was thrown");
  return Errc::io;
}

TEST_CASE("Ed25519 answers as in RFC 8032, section 7.1, test 3", "[crypto]") {
  const PublicKey key = PublicKey::from_raw(from_hex(
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
  const Bytes message = from_hex("af82");
  Bytes signature = from_hex(
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
  CHECK(key.verify(message, signature));
  CHECK_FALSE(key.verify(from_hex("af83"), signature));
  signature[3] ^= std::byte{1};
  CHECK_FALSE(key.verify(message, signature));
  signature.pop_back();
  CHECK_FALSE(key.verify(message, signature));
}

TEST_CASE("A key survives PEM, plain and encrypted", "[crypto]") {
  const SigningKey key = SigningKey::generate();
  const Bytes signature = key.sign(as_bytes("evidence"));
  REQUIRE(signature.size() == 64);

  const SigningKey plain = SigningKey::from_pem(key.pem(""), "key", nullptr);
  CHECK(plain.public_key() == key.public_key());
  CHECK(plain.sign(as_bytes("evidence")) == signature);

  const std::string locked = key.pem("correct horse");
  int asked = 0;
  const SigningKey opened = SigningKey::from_pem(locked, "key", [&] {
    ++asked;
    return std::string("correct horse");
  });
  CHECK(asked == 1);
  CHECK(opened.public_key() == key.public_key());
  CHECK(code_of([&] {
          (void)SigningKey::from_pem(locked, "key",
                                     [] { return std::string("wrong"); });
        }) == Errc::bad_input);
  CHECK(code_of([&] { (void)SigningKey::from_pem(locked, "key", nullptr); }) ==
        Errc::bad_input);

  const PublicKey read = PublicKey::from_pem(key.public_key().pem(), "key");
  CHECK(read == key.public_key());
  CHECK(read.fingerprint() == sha256(ByteView(read.raw())));
}

TEST_CASE("What is no Ed25519 key is refused by name", "[crypto][hostile]") {
  CHECK(code_of([] { (void)PublicKey::from_pem("nonsense", "a.pem"); }) ==
        Errc::malformed);
  CHECK(code_of([] { (void)SigningKey::from_pem("", "a.pem", nullptr); }) ==
        Errc::malformed);
  CHECK(code_of([] { (void)PublicKey::from_raw(Bytes(31)); }) ==
        Errc::malformed);
  // A P-256 public key: right armour, wrong kind.
  const char* const kP256 =
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
      "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
      "-----END PUBLIC KEY-----\n";
  CHECK_THROWS_WITH(PublicKey::from_pem(kP256, "p256.pem"),
                    Catch::Contains("p256.pem") && Catch::Contains("Ed25519"));
}

}  // namespace
}  // namespace impound::test
