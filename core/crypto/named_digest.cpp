// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/named_digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"
#include "core/base/limits.hpp"

namespace impound {
namespace {

using EvpContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;

struct NamedAlgorithm {
  std::string_view name;
  const EVP_MD* (*algorithm)();
};

constexpr std::array<NamedAlgorithm, 9> kAlgorithms{{
    {"MD5", EVP_md5},
    {"SHA-1", EVP_sha1},
    {"SHA-256", EVP_sha256},
    {"SHA-384", EVP_sha384},
    {"SHA-512", EVP_sha512},
    {"SHA3-256", EVP_sha3_256},
    {"SHA3-384", EVP_sha3_384},
    {"SHA3-512", EVP_sha3_512},
    {"BLAKE2b-512", EVP_blake2b512},
}};

void require(int openssl_result, std::string_view name) {
  if (openssl_result != 1) {
    throw Error(Errc::unsupported,
                "OpenSSL refused the digest " + std::string(name));
  }
}

}  // namespace

std::optional<std::string> named_digest(std::string_view name,
                                        const ByteSource& source) {
  const auto* const found =
      std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                   [&](const NamedAlgorithm& one) { return one.name == name; });
  if (found == kAlgorithms.end()) return std::nullopt;
  const EvpContext context{EVP_MD_CTX_new()};
  require(EVP_DigestInit_ex(context.get(), found->algorithm(), nullptr), name);
  Bytes block;
  for (std::uint64_t at = 0; at < source.size(); at += block.size()) {
    block.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(4 * limits::kMiB, source.size() - at)));
    source.read(at, block);
    require(EVP_DigestUpdate(context.get(), block.data(), block.size()), name);
  }
  std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(context.get(),
                             reinterpret_cast<unsigned char*>(digest.data()),
                             &size),
          name);
  return to_hex(std::span(digest).first(size));
}

bool is_weak_digest(std::string_view name) noexcept {
  return name == "MD5" || name == "SHA-1";
}

}  // namespace impound
