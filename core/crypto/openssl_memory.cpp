// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/openssl_memory.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "core/base/error.hpp"

namespace impound::openssl {
namespace {

bool is_encrypted(std::string_view pem) {
  return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != pem.npos ||
         pem.find("Proc-Type: 4,ENCRYPTED") != pem.npos;
}

}  // namespace

std::string last_words() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

void require(bool done, const char* call, Errc otherwise) {
  if (!done) {
    // The machine's want, and nothing that this OpenSSL does not know.
    if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE) {
      ERR_clear_error();
      throw std::bad_alloc();
    }
    throw Error(otherwise,
                std::string("OpenSSL refused ") + call + ": " + last_words());
  }
}

MemoryStream stream_over(std::string_view text) {
  MemoryStream stream(BIO_new_mem_buf(text.data(), narrow<int>(text.size())));
  require(stream != nullptr, "BIO_new_mem_buf");
  return stream;
}

MemoryStream empty_stream() {
  MemoryStream stream(BIO_new(BIO_s_mem()));
  require(stream != nullptr, "BIO_new");
  return stream;
}

std::string content_of(const MemoryStream& stream) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(stream.get(), &start);
  return {start, static_cast<std::size_t>(std::max(size, 0L))};
}

int hand_over(char* buffer, int size, int /*writing*/, void* user) {
  const auto* passphrase = static_cast<const std::string*>(user);
  if (passphrase == nullptr || size < 0 ||
      passphrase->size() > static_cast<std::size_t>(size)) {
    return -1;
  }
  std::memcpy(buffer, passphrase->data(), passphrase->size());
  return static_cast<int>(passphrase->size());
}

void not_a_key(std::string_view source, std::string_view expected,
               std::string_view found) {
  throw Error(Errc::malformed, std::string(source) + ": expected " +
                                   std::string(expected) + ", found " +
                                   std::string(found));
}

Key read_private_key(std::string_view pem, std::string_view source,
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
  const MemoryStream stream = stream_over(pem);
  Key key(PEM_read_bio_PrivateKey(stream.get(), nullptr, hand_over, &secret));
  OPENSSL_cleanse(secret.data(), secret.size());
  if (key != nullptr) return key;
  const std::string words = last_words();
  if (encrypted) {
    throw Error(Errc::bad_input, std::string(source) +
                                     ": the passphrase does not open this "
                                     "key (" +
                                     words + ")");
  }
  not_a_key(source, "a private key in PEM (PKCS#8)", words);
}

}  // namespace impound::openssl
