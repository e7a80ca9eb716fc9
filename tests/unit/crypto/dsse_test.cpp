// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/dsse.hpp"

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

TEST_CASE("The pre-authentication encoding is that of the DSSE document",
          "[crypto]") {
  CHECK(dsse_pae("http://example.com/HelloWorld", "hello world") ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  CHECK(dsse_pae("", "") == "DSSEv1 0  0 ");
  // Lengths are of bytes.
  CHECK(dsse_pae("t", "\xC3\xA4") == "DSSEv1 1 t 2 \xC3\xA4");
}

TEST_CASE(
    "The encoding of model_signing 0.2 holds the payload as Python "
    "prints bytes",
    "[crypto]") {
  CHECK(dsse_pae_v02("application/vnd.in-toto+json", "{\n}") ==
        R"(DSSEV1 28 application/vnd.in-toto+json 3 b'{\n}')");
  // Each right side was printed by python3 -c 'print(repr(…))'.
  CHECK(python_bytes_repr("a\nb") == R"(b'a\nb')");
  CHECK(python_bytes_repr("it's") == R"(b"it's")");
  CHECK(python_bytes_repr("say \"it's\"") == R"(b'say "it\'s"')");
  CHECK(python_bytes_repr(std::string_view("\\x\t\r\0\x7f\xff", 7)) ==
        R"(b'\\x\t\r\x00\x7f\xff')");
  CHECK(python_bytes_repr("plain \"q\"") == R"(b'plain "q"')");
  CHECK(python_bytes_repr("") == "b''");
}

}  // namespace
}  // namespace impound::test
