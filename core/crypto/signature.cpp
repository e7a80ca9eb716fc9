// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/signature.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using openssl::chars;
using openssl::content_of;
using openssl::DigestContext;
using openssl::not_a_key;
using openssl::require;
using openssl::require_made;
using EvpKey = openssl::Key;

constexpr std::size_t kSignatureSize = 64;  // RFC 8032
constexpr std::size_t kRawKeySize = 32;     // RFC 8032

std::array<std::byte, kRawKeySize> raw_public(const EVP_PKEY* key) {
  std::array<std::byte, kRawKeySize> raw{};
  std::size_t size = raw.size();
  require(EVP_PKEY_get_raw_public_key(
              key, reinterpret_cast<unsigned char*>(raw.data()), &size) == 1 &&
              size == raw.size(),
          "EVP_PKEY_get_raw_public_key");
  return raw;
}

EvpKey evp_public(const std::array<std::byte, kRawKeySize>& raw) {
  EvpKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, chars(raw),
                                         raw.size()));
  require(key != nullptr, "EVP_PKEY_new_raw_public_key");
  return key;
}

}  // namespace

PublicKey PublicKey::from_pem(std::string_view pem, std::string_view source) {
  const auto stream = openssl::stream_over(pem);
  const EvpKey key(
      PEM_read_bio_PUBKEY(stream.get(), nullptr, openssl::hand_over, nullptr));
  if (key == nullptr) {
    not_a_key(source, "a public key in PEM", openssl::last_words());
  }
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    not_a_key(source, "an Ed25519 public key", "a key of another kind");
  }
  PublicKey result;
  result.raw_ = raw_public(key.get());
  return result;
}

PublicKey PublicKey::from_raw(ByteView raw) {
  if (raw.size() != kRawKeySize) {
    throw Error(Errc::malformed, "an Ed25519 public key has 32 bytes, found " +
                                     std::to_string(raw.size()));
  }
  PublicKey result;
  std::ranges::copy(raw, result.raw_.begin());
  return result;
}

std::string PublicKey::pem() const {
  const EvpKey key = evp_public(raw_);
  const auto stream = openssl::empty_stream();
  require(PEM_write_bio_PUBKEY(stream.get(), key.get()) == 1,
          "PEM_write_bio_PUBKEY");
  return content_of(stream);
}

Digest PublicKey::fingerprint() const { return sha256(ByteView(raw_)); }

bool PublicKey::verify(ByteView message, ByteView signature) const {
  if (signature.size() != kSignatureSize) return false;
  const EvpKey key = evp_public(raw_);
  const DigestContext context(EVP_MD_CTX_new());
  require_made(context);
  require(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr,
                               key.get()) == 1,
          "EVP_DigestVerifyInit");
  const bool matches =
      EVP_DigestVerify(context.get(), chars(signature), signature.size(),
                       chars(message), message.size()) == 1;
  if (!matches) ERR_clear_error();
  return matches;
}

struct SigningKey::Key {
  EvpKey evp;
};

SigningKey::SigningKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;

SigningKey SigningKey::generate() {
  EvpKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  require(key != nullptr, "EVP_PKEY_Q_keygen");
  return SigningKey(std::make_unique<Key>(Key{std::move(key)}));
}

SigningKey SigningKey::from_pem(std::string_view pem, std::string_view source,
                                const PassphrasePrompt& passphrase) {
  EvpKey key = openssl::read_private_key(pem, source, passphrase);
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    not_a_key(source, "an Ed25519 private key", "a key of another kind");
  }
  return SigningKey(std::make_unique<Key>(Key{std::move(key)}));
}

std::string SigningKey::pem(std::string_view passphrase) const {
  const auto stream = openssl::empty_stream();
  const EVP_CIPHER* cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
  require(PEM_write_bio_PKCS8PrivateKey(
              stream.get(), key_->evp.get(), cipher,
              passphrase.empty() ? nullptr : passphrase.data(),
              narrow<int>(passphrase.size()), nullptr, nullptr) == 1,
          "PEM_write_bio_PKCS8PrivateKey");
  return content_of(stream);
}

PublicKey SigningKey::public_key() const {
  return PublicKey::from_raw(raw_public(key_->evp.get()));
}

Bytes SigningKey::sign(ByteView message) const {
  const DigestContext context(EVP_MD_CTX_new());
  require_made(context);
  require(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr,
                             key_->evp.get()) == 1,
          "EVP_DigestSignInit");
  Bytes signature(kSignatureSize);
  std::size_t size = signature.size();
  require(EVP_DigestSign(context.get(),
                         reinterpret_cast<unsigned char*>(signature.data()),
                         &size, chars(message), message.size()) == 1 &&
              size == kSignatureSize,
          "EVP_DigestSign");
  return signature;
}

}  // namespace impound
