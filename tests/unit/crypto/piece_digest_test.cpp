// SPDX-License-Identifier: Apache-2.0
/// PieceDigest against OpenSSL, at every length around a block, in every split.

#include <random>

#include "core/crypto/piece_digest.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST_CASE("the digests of a stream and its pieces are OpenSSL's",
          "[crypto][piece]") {
  INFO("accelerated: " << PieceDigest::is_accelerated());
  // Before and after what makes the stream begin within a block.
  for (std::size_t before = 0; before <= 130; ++before) {
    for (std::size_t size = 0; size <= 260; ++size) {
      const std::string text = noise(before + size, 3);
      PieceDigest both;
      both.update(as_bytes(text).first(before));
      const Digest piece = both.piece(as_bytes(text).subspan(before));
      const bool is_piece = piece == sha256(text.substr(before));
      const bool is_stream = both.finish() == sha256(text);
      if (!is_piece || !is_stream) {
        FAIL("wrong with " << size << " bytes behind " << before);
      }
    }
  }
}

TEST_CASE("many pieces of any size", "[crypto][piece]") {
  std::mt19937 random(5);
  const std::string text = noise(3'000'000, 4);
  for (int round = 0; round < 20; ++round) {
    PieceDigest both;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t most = round % 2 == 0 ? 300'000 : 300;
      const std::size_t size = std::min(text.size() - at, random() % most);
      const ByteView part = as_bytes(text).subspan(at, size);
      if (random() % 8 == 0) {
        both.update(part);
      } else if (both.piece(part) != sha256(part)) {
        FAIL("wrong at " << at << ", " << size << " bytes");
      }
      at += size;
    }
    CHECK(both.finish() == sha256(text));
  }
}

TEST_CASE("the digest of the standard's example", "[crypto][piece]") {
  // FIPS 180-4 example: "abc".
  constexpr std::string_view kHex =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  PieceDigest both;
  CHECK(both.piece(as_bytes("abc")).hex() == kHex);
  CHECK(both.finish().hex() == kHex);
  CHECK(PieceDigest().finish() == sha256(""));
}

TEST_CASE("what seals is named and passes its self test", "[crypto][piece]") {
  CHECK(PieceDigest::is_right());
  CHECK(PieceDigest::kernel() == (PieceDigest::is_accelerated()
                                      ? "impound, x86-64 SHA instructions"
                                      : "OpenSSL"));
}

}  // namespace
}  // namespace impound::test
