// SPDX-License-Identifier: Apache-2.0
#include "core/base/utf8.hpp"

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

TEST_CASE("UTF-8 is decoded strictly, one character at a time", "[base]") {
  CHECK(decode_utf8("a\xff").value == 'a');
  CHECK(decode_utf8("\xc3\xa4").value == 0xe4);
  CHECK(decode_utf8("\xe2\x82\xac").length == 3);
  CHECK(decode_utf8("\xf4\x8f\xbf\xbf").value == 0x10ffff);
}

TEST_CASE("what is no UTF-8 has no length", "[base][hostile]") {
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5", "\xc3", "\xe2\x82",
        "\xc3("}) {
    INFO(text);
    CHECK(decode_utf8(text).length == 0);
  }
}

}  // namespace
}  // namespace impound::test
