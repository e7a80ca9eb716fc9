// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/stream_hash.hpp"

#include <xxhash.h>

#include "core/base/error.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using XxhState = Handle<XXH64_state_t, XXH64_freeState>;
using Xxh3State = Handle<XXH3_state_t, XXH3_freeState>;

const EVP_MD* openssl_hash(HashKind kind) {
  switch (kind) {
    case HashKind::sha256:
      return EVP_sha256();
    case HashKind::sha1:
      return EVP_sha1();
    case HashKind::blake2b:
      return EVP_blake2b512();
    case HashKind::md5:
      return EVP_md5();
    case HashKind::sha384:
      return EVP_sha384();
    case HashKind::sha512:
      return EVP_sha512();
    case HashKind::sha3_256:
      return EVP_sha3_256();
    case HashKind::sha3_384:
      return EVP_sha3_384();
    case HashKind::sha3_512:
      return EVP_sha3_512();
    case HashKind::xxh64:
    case HashKind::xxh3:
      return nullptr;
  }
  return nullptr;
}

Bytes big_endian(XXH64_hash_t value) {
  XXH64_canonical_t canonical{};
  XXH64_canonicalFromHash(&canonical, value);
  const auto bytes = std::as_bytes(std::span(canonical.digest));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string_view to_string(HashKind kind) noexcept {
  switch (kind) {
    case HashKind::sha256:
      return "sha256";
    case HashKind::sha1:
      return "sha1";
    case HashKind::blake2b:
      return "blake2b";
    case HashKind::md5:
      return "md5";
    case HashKind::sha384:
      return "sha384";
    case HashKind::sha512:
      return "sha512";
    case HashKind::sha3_256:
      return "sha3-256";
    case HashKind::sha3_384:
      return "sha3-384";
    case HashKind::sha3_512:
      return "sha3-512";
    case HashKind::xxh64:
      return "xxh64";
    case HashKind::xxh3:
      return "xxh3";
  }
  return "";
}

std::size_t digest_size(HashKind kind) noexcept {
  switch (kind) {
    case HashKind::md5:
      return 16;
    case HashKind::sha1:
      return 20;
    case HashKind::sha256:
    case HashKind::sha3_256:
      return 32;
    case HashKind::sha384:
    case HashKind::sha3_384:
      return 48;
    case HashKind::sha512:
    case HashKind::sha3_512:
    case HashKind::blake2b:
      return 64;
    case HashKind::xxh64:
    case HashKind::xxh3:
      return 8;
  }
  return 0;
}

struct StreamHash::State {
  HashKind kind;
  openssl::DigestContext evp;
  XxhState xxh64;
  Xxh3State xxh3;
};

StreamHash::StreamHash(HashKind kind) : state_(std::make_unique<State>()) {
  state_->kind = kind;
  if (const EVP_MD* hash = openssl_hash(kind)) {
    state_->evp.reset(EVP_MD_CTX_new());
    openssl::require(
        state_->evp != nullptr &&
            EVP_DigestInit_ex(state_->evp.get(), hash, nullptr) == 1,
        "EVP_DigestInit_ex");
    return;
  }
  bool is_ready = false;
  if (kind == HashKind::xxh64) {
    state_->xxh64.reset(XXH64_createState());
    is_ready = state_->xxh64 != nullptr &&
               XXH64_reset(state_->xxh64.get(), 0) == XXH_OK;
  } else {
    state_->xxh3.reset(XXH3_createState());
    is_ready = state_->xxh3 != nullptr &&
               XXH3_64bits_reset(state_->xxh3.get()) == XXH_OK;
  }
  if (!is_ready) throw Error(Errc::unsupported, "xxHash refused to start");
}

StreamHash::~StreamHash() = default;
StreamHash::StreamHash(StreamHash&&) noexcept = default;
StreamHash& StreamHash::operator=(StreamHash&&) noexcept = default;

void StreamHash::update(ByteView bytes) {
  if (bytes.empty()) return;
  bool is_taken = false;
  if (state_->evp != nullptr) {
    is_taken =
        EVP_DigestUpdate(state_->evp.get(), bytes.data(), bytes.size()) == 1;
  } else if (state_->xxh64 != nullptr) {
    is_taken =
        XXH64_update(state_->xxh64.get(), bytes.data(), bytes.size()) == XXH_OK;
  } else {
    is_taken = XXH3_64bits_update(state_->xxh3.get(), bytes.data(),
                                  bytes.size()) == XXH_OK;
  }
  if (!is_taken) throw Error(Errc::unsupported, "a hash refused its input");
}

Bytes StreamHash::finish() {
  if (state_->xxh64 != nullptr) {
    return big_endian(XXH64_digest(state_->xxh64.get()));
  }
  if (state_->xxh3 != nullptr) {
    return big_endian(XXH3_64bits_digest(state_->xxh3.get()));
  }
  Bytes digest(digest_size(state_->kind));
  unsigned int size = 0;
  openssl::require(
      EVP_DigestFinal_ex(state_->evp.get(),
                         reinterpret_cast<unsigned char*>(digest.data()),
                         &size) == 1,
      "EVP_DigestFinal_ex");
  return digest;
}

}  // namespace impound
