// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/stream_hash.hpp"

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::string hex_of(HashKind kind, std::string_view text) {
  StreamHash hash(kind);
  // In pieces, the last of them empty.
  hash.update(as_bytes(text.substr(0, text.size() / 2)));
  hash.update(as_bytes(text.substr(text.size() / 2)));
  hash.update({});
  Bytes digest = hash.finish();
  CHECK(digest.size() == digest_size(kind));
  return to_hex(digest);
}

TEST_CASE("Each hash gives its published values", "[crypto]") {
  // FIPS 180-4, RFC 3174, RFC 7693 appendix A, xxHash's own test values.
  CHECK(hex_of(HashKind::sha256, "abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex_of(HashKind::sha1, "abc") ==
        "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex_of(HashKind::blake2b, "abc") ==
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  CHECK(hex_of(HashKind::xxh64, "") == "ef46db3751d8e999");
  CHECK(hex_of(HashKind::xxh64, "abc") == "44bc2cf5ad770999");
  CHECK(hex_of(HashKind::xxh3, "") == "2d06800538d394c2");
}

}  // namespace
}  // namespace impound::test
