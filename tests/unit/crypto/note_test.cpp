// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/note.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

Checkpoint some_head() {
  return {.origin = "example.org/IR-1",
          .size = 109482,
          .root = sha256(std::string_view("root")),
          .chain = sha256(std::string_view("chain"))};
}

TEST_CASE("A head survives signing, and no byte of it may change", "[crypto]") {
  const SigningKey key = SigningKey::generate();
  const Checkpoint head = some_head();
  const std::string note = sign_note(head.text(), head.origin, key);
  CHECK(verify_note(parse_note(note, "note"), head.origin, key.public_key()));
  const Checkpoint read =
      parse_checkpoint(parse_note(note, "note").text, "note");
  CHECK(read.text() == head.text());

  int refused = 0;
  for (std::size_t i = 0; i < note.size(); ++i) {
    std::string changed = note;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    try {
      const SignedNote parsed = parse_note(changed, "note");
      if (!verify_note(parsed, head.origin, key.public_key())) ++refused;
    } catch (const Error& error) {
      CHECK(error.code() == Errc::malformed);
      ++refused;
    }
  }
  CHECK(refused == static_cast<int>(note.size()));
}

TEST_CASE("The key id is that of c2sp.org/signed-note", "[crypto]") {
  // The verifier key of Go's golang.org/x/mod/sumdb/note documentation:
  // PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW
  const Bytes encoded =
      from_base64("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const PublicKey key = PublicKey::from_raw(ByteView(encoded).subspan(1));
  CHECK(to_hex(note_key_id("PeterNeumann", key)) == "c74f20a3");
}

TEST_CASE("A note may carry signatures of others", "[crypto]") {
  const SigningKey examiner = SigningKey::generate();
  const SigningKey witness = SigningKey::generate();
  const std::string text = some_head().text();
  const std::string second = sign_note(text, "witness.example", witness);
  const std::string note = sign_note(text, "example.org/IR-1", examiner) +
                           second.substr(text.size() + 1);
  const SignedNote parsed = parse_note(note, "note");
  CHECK(parsed.signatures.size() == 2);
  CHECK(verify_note(parsed, "witness.example", witness.public_key()));
  CHECK(verify_note(parsed, "example.org/IR-1", examiner.public_key()));
  CHECK_FALSE(verify_note(parsed, "example.org/IR-1", witness.public_key()));
}

TEST_CASE("What is no note or no head is refused", "[crypto][hostile]") {
  for (const char* text :
       {"", "\n", "\n\n", "a\n\n", "a\n\nb\n", "a\n\n\xe2\x80\x94 b\n",
        "a\n\n\xe2\x80\x94 b AAAA\n", "a\n\n\xe2\x80\x94 b !!!!!!!!\n",
        "a\x01\n\n\xe2\x80\x94 b AAAAAAAA\n"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_note(text, "note"), Error);
  }
  CHECK_THROWS_AS(parse_note(std::string(kMaxNoteSize + 1, 'a'), "n"), Error);
  const std::string good = some_head().text();
  CHECK_NOTHROW(parse_checkpoint(good, "head"));
  CHECK_THROWS_AS(parse_checkpoint(good + "more\n", "head"), Error);
  CHECK_THROWS_AS(parse_checkpoint("o\n007\n" + good.substr(24), "head"),
                  Error);
  CHECK_THROWS_AS(sign_note("a\n", "two words", SigningKey::generate()), Error);
  CHECK_THROWS_AS(sign_note("a\n\nb\n", "name", SigningKey::generate()), Error);
}

}  // namespace
}  // namespace impound::test
