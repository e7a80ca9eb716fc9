// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/ec_key.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using openssl::chars;
using openssl::DigestContext;
using openssl::require;
using openssl::require_made;

/// Bytes of the longest curve name that OpenSSL knows, with some to spare.
constexpr std::size_t kMaxGroupName = 80;

EcCurve curve_of(const EVP_PKEY* key, std::string_view source) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
    openssl::not_a_key(source, "an elliptic curve key",
                       "a key of another kind. Only elliptic curve keys are "
                       "supported");
  }
  std::array<char, kMaxGroupName> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) {
    static_cast<void>(openssl::last_words());
    size = 0;
  }
  const std::string_view group(name.data(), size);
  if (group == "prime256v1" || group == "P-256") return EcCurve::p256;
  if (group == "secp384r1" || group == "P-384") return EcCurve::p384;
  if (group == "secp521r1" || group == "P-521") return EcCurve::p521;
  openssl::not_a_key(
      source, "a key on P-256, P-384 or P-521",
      group.empty() ? "a curve without a name. Unsupported key"
                    : "Unsupported key for curve '" + printable(group) + "'");
}

const EVP_MD* openssl_hash(EcdsaHash hash) {
  switch (hash) {
    case EcdsaHash::sha256:
      return EVP_sha256();
    case EcdsaHash::sha384:
      return EVP_sha384();
    case EcdsaHash::sha512:
      return EVP_sha512();
  }
  return EVP_sha256();
}

Bytes spki_of(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  require(size > 0, "i2d_PUBKEY");
  const ByteView view(reinterpret_cast<const std::byte*>(der),
                      static_cast<std::size_t>(size));
  Bytes copy(view.begin(), view.end());
  OPENSSL_free(der);
  return copy;
}

/// Empty if `der` is no key.
openssl::Key decode_spki(ByteView der) {
  const unsigned char* at = chars(der);
  return openssl::Key(d2i_PUBKEY(nullptr, &at, narrow<long>(der.size())));
}

}  // namespace

std::string_view to_string(EcCurve curve) noexcept {
  switch (curve) {
    case EcCurve::p256:
      return "P-256";
    case EcCurve::p384:
      return "P-384";
    case EcCurve::p521:
      return "P-521";
  }
  return "";
}

EcdsaHash hash_of(EcCurve curve) noexcept {
  switch (curve) {
    case EcCurve::p256:
      return EcdsaHash::sha256;
    case EcCurve::p384:
      return EcdsaHash::sha384;
    case EcCurve::p521:
      return EcdsaHash::sha512;
  }
  return EcdsaHash::sha256;
}

EcPublicKey EcPublicKey::from_text(std::string_view text,
                                   std::string_view source) {
  if (text.find("-----BEGIN") == std::string_view::npos) {
    return from_spki(as_bytes(text), source);
  }
  const auto stream = openssl::stream_over(text);
  const openssl::Key key(
      PEM_read_bio_PUBKEY(stream.get(), nullptr, openssl::hand_over, nullptr));
  if (key == nullptr) {
    std::string words = openssl::last_words();
    if (text.find("PRIVATE KEY-----") != std::string_view::npos) {
      words = "a private key: give the public one";
    } else if (text.find("CERTIFICATE-----") != std::string_view::npos) {
      words = "a certificate";
    }
    openssl::not_a_key(source, "a public key in PEM or DER", words);
  }
  return {spki_of(key.get()), curve_of(key.get(), source)};
}

EcPublicKey EcPublicKey::from_spki(ByteView der, std::string_view source) {
  const openssl::Key key = decode_spki(der);
  if (key == nullptr) {
    openssl::not_a_key(source, "a public key in PEM or DER",
                       openssl::last_words());
  }
  return {spki_of(key.get()), curve_of(key.get(), source)};
}

std::string EcPublicKey::pem() const {
  const openssl::Key key = decode_spki(spki_);
  require(key != nullptr, "d2i_PUBKEY");
  const auto stream = openssl::empty_stream();
  require(PEM_write_bio_PUBKEY(stream.get(), key.get()) == 1,
          "PEM_write_bio_PUBKEY");
  return openssl::content_of(stream);
}

std::string EcPublicKey::hint() const { return sha256(pem()).hex(); }

bool EcPublicKey::verify(std::string_view message, ByteView signature,
                         EcdsaHash hash) const {
  const openssl::Key key = decode_spki(spki_);
  require(key != nullptr, "d2i_PUBKEY");
  const DigestContext context(EVP_MD_CTX_new());
  require_made(context);
  require(EVP_DigestVerifyInit(context.get(), nullptr, openssl_hash(hash),
                               nullptr, key.get()) == 1,
          "EVP_DigestVerifyInit");
  const bool matches =
      EVP_DigestVerify(context.get(), chars(signature), signature.size(),
                       chars(as_bytes(message)), message.size()) == 1;
  if (!matches) ERR_clear_error();
  return matches;
}

struct EcSigningKey::Key {
  openssl::Key evp;
};

EcSigningKey::EcSigningKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
EcSigningKey::~EcSigningKey() = default;
EcSigningKey::EcSigningKey(EcSigningKey&&) noexcept = default;
EcSigningKey& EcSigningKey::operator=(EcSigningKey&&) noexcept = default;

EcSigningKey EcSigningKey::from_pem(std::string_view pem,
                                    std::string_view source,
                                    const PassphrasePrompt& passphrase) {
  openssl::Key key = openssl::read_private_key(pem, source, passphrase);
  static_cast<void>(curve_of(key.get(), source));
  return EcSigningKey(std::make_unique<Key>(Key{std::move(key)}));
}

EcSigningKey EcSigningKey::generate(EcCurve curve) {
  const std::string name(to_string(curve));
  openssl::Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", name.c_str()));
  require(key != nullptr, "EVP_PKEY_Q_keygen");
  return EcSigningKey(std::make_unique<Key>(Key{std::move(key)}));
}

EcPublicKey EcSigningKey::public_key() const {
  return EcPublicKey::from_spki(spki_of(key_->evp.get()), "the signing key");
}

Bytes EcSigningKey::sign(std::string_view message) const {
  const EVP_MD* hash =
      openssl_hash(hash_of(curve_of(key_->evp.get(), "the signing key")));
  const DigestContext context(EVP_MD_CTX_new());
  require_made(context);
  require(EVP_DigestSignInit(context.get(), nullptr, hash, nullptr,
                             key_->evp.get()) == 1,
          "EVP_DigestSignInit");
  const unsigned char* text = chars(as_bytes(message));
  std::size_t size = 0;
  require(
      EVP_DigestSign(context.get(), nullptr, &size, text, message.size()) == 1,
      "EVP_DigestSign");
  Bytes signature(size);
  require(EVP_DigestSign(context.get(),
                         reinterpret_cast<unsigned char*>(signature.data()),
                         &size, text, message.size()) == 1,
          "EVP_DigestSign");
  signature.resize(size);
  return signature;
}

}  // namespace impound
