// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/self_test.hpp"

#include <fmt/format.h>

#include "core/crypto/digest.hpp"
#include "core/crypto/piece_digest.hpp"
#include "core/crypto/signature.hpp"

namespace impound {
namespace {

bool sha256_answers() {
  // FIPS 180-4, the one-block example "abc".
  return sha256(std::string_view("abc")).hex() ==
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
}

/// RFC 8032 section 7.1, test 3.
struct Ed25519Answer {
  PublicKey key = PublicKey::from_raw(from_hex(
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
  Bytes message = from_hex("af82");
  Bytes signature = from_hex(
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
};

bool ed25519_accepts() {
  const Ed25519Answer answer;
  return answer.key.verify(answer.message, answer.signature);
}

bool ed25519_refuses() {
  Ed25519Answer answer;
  answer.message[0] ^= std::byte{1};
  return !answer.key.verify(answer.message, answer.signature);
}

bool ed25519_signs() {
  const SigningKey key = SigningKey::generate();
  const Bytes message = random_bytes(64);
  return key.public_key().verify(message, key.sign(message));
}

}  // namespace

Json run_self_test(const Database& database) {
  const bool sqlite_ok =
      database.text_of("PRAGMA integrity_check") == "ok" &&
      database.text_of(R"(SELECT json_extract('{"a":{"b":[1,"x"]}}',)"
                       R"('$.a.b[1]'))") == "x";
  const std::vector<std::pair<std::string, bool>> results{
      {"SHA-256 of OpenSSL, known answer (FIPS 180-4)", sha256_answers()},
      {fmt::format("SHA-256 that seals bundles ({}): FIPS 180-4, and OpenSSL "
                   "over 8,450 streams and pieces",
                   PieceDigest::kernel()),
       PieceDigest::is_right()},
      {"Ed25519 known answer (RFC 8032, 7.1, test 3)", ed25519_accepts()},
      {"Ed25519 refuses a changed message", ed25519_refuses()},
      {"Ed25519 signs and verifies", ed25519_signs()},
      {"SQLite integrity and JSON", sqlite_ok}};
  Json tests = Json::array();
  bool passed = true;
  for (const auto& [name, good] : results) {
    tests.push_back({{"name", name}, {"passed", good}});
    passed = passed && good;
  }
  return {{"passed", passed},
          {"tests", tests},
          {"sha256_kernel", PieceDigest::kernel()},
          {"sqlite", database.text_of("SELECT sqlite_version()")}};
}

}  // namespace impound
