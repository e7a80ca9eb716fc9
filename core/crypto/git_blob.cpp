// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/git_blob.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"
#include "core/base/limits.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using EvpContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;

void require(int openssl_result, const char* call) {
  openssl::require(openssl_result == 1, call);
}

}  // namespace

std::string git_blob_name(const ByteSource& source) {
  const EvpContext context{EVP_MD_CTX_new()};
  openssl::require_made(context);
  require(EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr),
          "EVP_DigestInit_ex");
  const auto update = [&](ByteView bytes) {
    require(EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()),
            "EVP_DigestUpdate");
  };
  update(as_bytes("blob " + std::to_string(source.size()) + '\0'));
  Bytes block;
  for (std::uint64_t at = 0; at < source.size(); at += block.size()) {
    block.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(4 * limits::kMiB, source.size() - at)));
    source.read(at, block);
    update(block);
  }
  std::array<std::byte, 20> digest{};
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(context.get(),
                             reinterpret_cast<unsigned char*>(digest.data()),
                             &size),
          "EVP_DigestFinal_ex");
  return to_hex(digest);
}

}  // namespace impound
