// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/digest.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"
#include "core/base/limits.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using EvpContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;

/// The algorithm is there: what fails then is a want of the machine, which an
/// OpenSSL without memory may call an "initialization error", and is no answer.
void require(int openssl_result, const char* call) {
  openssl::require(openssl_result == 1, call, Errc::io);
}

/// Fetched once: looking the algorithm up costs more than hashing a page.
const EVP_MD* algorithm() {
  static EVP_MD* const kSha256 = [] {
    EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    openssl::require(fetched != nullptr, "EVP_MD_fetch");  // asked again else
    return fetched;
  }();
  return kSha256;
}

}  // namespace

std::string Digest::hex() const { return to_hex(bytes); }

std::optional<Digest> Digest::from_hex(std::string_view hex) {
  if (hex.size() != 64) return std::nullopt;
  const auto is_digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
  };
  if (!std::ranges::all_of(hex, is_digit)) return std::nullopt;
  Digest digest;
  std::ranges::copy(impound::from_hex(hex), digest.bytes.begin());
  return digest;
}

struct Sha256::Context {
  EvpContext evp{EVP_MD_CTX_new()};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  openssl::require_made(context_->evp);
  require(EVP_DigestInit_ex(context_->evp.get(), algorithm(), nullptr),
          "EVP_DigestInit_ex");
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
  require(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()),
          "EVP_DigestUpdate");
}

Digest Sha256::finish() {
  Digest digest;
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(
              context_->evp.get(),
              reinterpret_cast<unsigned char*>(digest.bytes.data()), &size),
          "EVP_DigestFinal_ex");
  return digest;
}

Digest sha256(ByteView bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Digest sha256_of(const ByteSource& source) {
  Sha256 hash;
  Bytes block(static_cast<std::size_t>(
      std::min<std::uint64_t>(source.size(), 4 * limits::kMiB)));
  for (std::uint64_t at = 0; at < source.size();) {
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(block.size(), source.size() - at));
    const std::span<std::byte> part = std::span(block).first(count);
    source.read(at, part);
    hash.update(part);
    at += count;
  }
  return hash.finish();
}

Bytes random_bytes(std::size_t count) {
  Bytes bytes(count);
  require(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                     narrow<int>(count)),
          "RAND_bytes");
  return bytes;
}

}  // namespace impound
