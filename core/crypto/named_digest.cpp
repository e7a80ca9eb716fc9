// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/named_digest.hpp"

#include <algorithm>
#include <array>

#include "core/base/limits.hpp"
#include "core/crypto/stream_hash.hpp"

namespace impound {
namespace {

struct NamedHash {
  std::string_view name;
  HashKind kind;
};

constexpr std::array<NamedHash, 9> kNames{{
    {"MD5", HashKind::md5},
    {"SHA-1", HashKind::sha1},
    {"SHA-256", HashKind::sha256},
    {"SHA-384", HashKind::sha384},
    {"SHA-512", HashKind::sha512},
    {"SHA3-256", HashKind::sha3_256},
    {"SHA3-384", HashKind::sha3_384},
    {"SHA3-512", HashKind::sha3_512},
    {"BLAKE2b-512", HashKind::blake2b},
}};

}  // namespace

std::optional<std::string> named_digest(std::string_view name,
                                        const ByteSource& source) {
  const auto* const found =
      std::find_if(kNames.begin(), kNames.end(),
                   [&](const NamedHash& one) { return one.name == name; });
  if (found == kNames.end()) return std::nullopt;
  StreamHash hash(found->kind);
  Bytes block;
  for (std::uint64_t at = 0; at < source.size(); at += block.size()) {
    block.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(4 * limits::kMiB, source.size() - at)));
    source.read(at, block);
    hash.update(block);
  }
  return to_hex(hash.finish());
}

bool is_weak_digest(std::string_view name) noexcept {
  return name == "MD5" || name == "SHA-1";
}

}  // namespace impound
