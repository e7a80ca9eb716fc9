// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/repeated_sha256.hpp"

#include <openssl/evp.h>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"

namespace impound {

struct RepeatedSha256::Context {
  Handle<EVP_MD_CTX, EVP_MD_CTX_free> evp{EVP_MD_CTX_new()};
  Handle<EVP_MD, EVP_MD_free> algorithm{
      EVP_MD_fetch(nullptr, "SHA256", nullptr)};
};

RepeatedSha256::RepeatedSha256() : context_(std::make_unique<Context>()) {
  if (!context_->evp || !context_->algorithm) {
    throw Error(Errc::unsupported, "OpenSSL offers no SHA-256");
  }
}

RepeatedSha256::~RepeatedSha256() = default;
RepeatedSha256::RepeatedSha256(RepeatedSha256&&) noexcept = default;
RepeatedSha256& RepeatedSha256::operator=(RepeatedSha256&&) noexcept = default;

Digest RepeatedSha256::of(std::string_view text) {
  Digest digest;
  unsigned int size = 0;
  EVP_MD_CTX* const evp = context_->evp.get();
  if (EVP_DigestInit_ex2(evp, context_->algorithm.get(), nullptr) != 1 ||
      EVP_DigestUpdate(evp, text.data(), text.size()) != 1 ||
      EVP_DigestFinal_ex(evp,
                         reinterpret_cast<unsigned char*>(digest.bytes.data()),
                         &size) != 1) {
    throw Error(Errc::io, "OpenSSL refused to hash");
  }
  return digest;
}

}  // namespace impound
