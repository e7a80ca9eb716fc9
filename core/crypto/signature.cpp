// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/signature.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"

namespace impound {
namespace {

using EvpKey = Handle<EVP_PKEY, EVP_PKEY_free>;
using EvpContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using MemoryBio = Handle<BIO, BIO_free_all>;

constexpr std::size_t kSignatureSize = 64;  // RFC 8032
constexpr std::size_t kRawKeySize = 32;     // RFC 8032

std::string last_openssl_words() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

void require(bool done, const char* call) {
  if (!done) {
    throw Error(Errc::unsupported, std::string("OpenSSL refused ") + call +
                                       ": " + last_openssl_words());
  }
}

const unsigned char* chars(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

MemoryBio bio_over(std::string_view text) {
  MemoryBio bio(BIO_new_mem_buf(text.data(), narrow<int>(text.size())));
  require(bio != nullptr, "BIO_new_mem_buf");
  return bio;
}

std::string content_of(const MemoryBio& bio) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &start);
  return {start, static_cast<std::size_t>(std::max(size, 0L))};
}

/// OpenSSL asks for the passphrase that from_pem() got beforehand, so that no
/// C++ exception of a prompt ever passes through C code.
int hand_over(char* buffer, int size, int /*writing*/, void* user) {
  const auto* passphrase = static_cast<const std::string*>(user);
  if (passphrase == nullptr || size < 0 ||
      passphrase->size() > static_cast<std::size_t>(size)) {
    return -1;
  }
  std::memcpy(buffer, passphrase->data(), passphrase->size());
  return static_cast<int>(passphrase->size());
}

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

bool is_encrypted(std::string_view pem) {
  return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != pem.npos ||
         pem.find("Proc-Type: 4,ENCRYPTED") != pem.npos;
}

[[noreturn]] void not_a_key(std::string_view source, std::string_view expected,
                            const std::string& found) {
  throw Error(Errc::malformed, std::string(source) + ": expected " +
                                   std::string(expected) + ", found " + found);
}

}  // namespace

PublicKey PublicKey::from_pem(std::string_view pem, std::string_view source) {
  const MemoryBio bio = bio_over(pem);
  const EvpKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, hand_over, nullptr));
  if (key == nullptr) {
    not_a_key(source, "a public key in PEM", last_openssl_words());
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
  const MemoryBio bio(BIO_new(BIO_s_mem()));
  require(bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), key.get()) == 1,
          "PEM_write_bio_PUBKEY");
  return content_of(bio);
}

Digest PublicKey::fingerprint() const { return sha256(ByteView(raw_)); }

bool PublicKey::verify(ByteView message, ByteView signature) const {
  if (signature.size() != kSignatureSize) return false;
  const EvpKey key = evp_public(raw_);
  const EvpContext context(EVP_MD_CTX_new());
  require(context != nullptr, "EVP_MD_CTX_new");
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
  std::string secret;
  const bool encrypted = is_encrypted(pem);
  if (encrypted) {
    if (!passphrase) {
      throw Error(Errc::bad_input, std::string(source) +
                                       ": the key is encrypted and there is "
                                       "nobody to ask for its passphrase");
    }
    secret = passphrase();
  }
  const MemoryBio bio = bio_over(pem);
  EvpKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, hand_over, &secret));
  OPENSSL_cleanse(secret.data(), secret.size());
  if (key == nullptr) {
    const std::string words = last_openssl_words();
    if (encrypted) {
      throw Error(Errc::bad_input, std::string(source) +
                                       ": the passphrase does not open this "
                                       "key (" +
                                       words + ")");
    }
    not_a_key(source, "a private key in PEM (PKCS#8)", words);
  }
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    not_a_key(source, "an Ed25519 private key", "a key of another kind");
  }
  return SigningKey(std::make_unique<Key>(Key{std::move(key)}));
}

std::string SigningKey::pem(std::string_view passphrase) const {
  const MemoryBio bio(BIO_new(BIO_s_mem()));
  require(bio != nullptr, "BIO_new");
  const EVP_CIPHER* cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
  require(PEM_write_bio_PKCS8PrivateKey(
              bio.get(), key_->evp.get(), cipher,
              passphrase.empty() ? nullptr : passphrase.data(),
              narrow<int>(passphrase.size()), nullptr, nullptr) == 1,
          "PEM_write_bio_PKCS8PrivateKey");
  return content_of(bio);
}

PublicKey SigningKey::public_key() const {
  return PublicKey::from_raw(raw_public(key_->evp.get()));
}

Bytes SigningKey::sign(ByteView message) const {
  const EvpContext context(EVP_MD_CTX_new());
  require(context != nullptr, "EVP_MD_CTX_new");
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
