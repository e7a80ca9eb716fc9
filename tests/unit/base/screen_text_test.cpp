// SPDX-License-Identifier: Apache-2.0
#include "core/base/screen_text.hpp"

#include <string>

#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/base/utf8.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::string utf8(std::uint32_t c) {
  std::string out;
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0U | c >> 6U), put(0x80U | (c & 0x3fU));
  } else if (c < 0x10000) {
    put(0xe0U | c >> 12U), put(0x80U | (c >> 6U & 0x3fU)),
        put(0x80U | (c & 0x3fU));
  } else {
    put(0xf0U | c >> 18U), put(0x80U | (c >> 12U & 0x3fU)),
        put(0x80U | (c >> 6U & 0x3fU)), put(0x80U | (c & 0x3fU));
  }
  return out;
}

TEST_CASE("of all characters no control or deceptive one reaches a screen",
          "[base][hostile]") {
  std::size_t escaped = 0;
  for (std::uint32_t c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    const std::string text = "a" + utf8(c) + "b";
    const bool obeyed = is_control_character(c) || is_deceptive_character(c);
    const bool is_line = c == '\n' || c == '\t';
    const bool kept = screen_text(text) == text;
    const bool kept_in_line = screen_line(text) == text;
    escaped += kept_in_line ? 0 : 1;
    if (kept != (!obeyed || is_line) || kept_in_line == obeyed) {
      FAIL("character " << c);
    }
  }
  CHECK(escaped == 65 + 4096 + 62);
}

TEST_CASE("the escapes say which character it was", "[base]") {
  CHECK(screen_text("a\x1b[2J") == "a\\x1b[2J");
  CHECK(screen_text("\xc2\x9b") == "\\xc2\\x9b");
  CHECK(screen_text("\xe2\x80\xae") == "\\u{202e}");
  CHECK(screen_text("\xd8\x9c") == "\\u{61c}");
  CHECK(screen_text("\xff\xc3") == "\\xff\\xc3");
  CHECK(screen_text("one\r\ntwo\tx\n") == "one\\x0d\ntwo\tx\n");
  CHECK(screen_line("one\ntwo\tx") == "one\\x0atwo\\x09x");
  CHECK(screen_text("C:\\x1b \xc3\xa4 \xe2\x82\xac") ==
        "C:\\x1b \xc3\xa4 \xe2\x82\xac");
}

TEST_CASE("what printable() escaped goes through unchanged", "[base]") {
  for (const char* text : {"\x1b\\", "\xe2\x80\xae", "a\nb", "\xff"}) {
    CHECK(screen_text(printable(text)) == printable(text));
  }
}

TEST_CASE("a JSON document for the screen keeps its meaning", "[base]") {
  const Json document = {
      {"a\xc2\x9b", "\x1b[2J \x7f \xe2\x80\xae \xf3\xa0\x80\x81 \xc3\xa4\n"},
      {"n", 1}};
  for (const std::string& text : {dump_line(document), dump_pretty(document)}) {
    const std::string shown = screen_json(text);
    CHECK(parse_json(shown, "x") == document);
    CHECK(screen_text(shown) == shown);
    CHECK(shown.find("\\udb40\\udc01") != std::string::npos);
  }
}

TEST_CASE("a cell of a table makes no row of its own", "[base][hostile]") {
  const std::vector<std::vector<std::string>> rows{
      {"a", "b"}, {"x\ny", "\x1b[2J"}, {"c", "d"}};
  CHECK(format_table(rows) == "a       b\nx\\x0ay  \\x1b[2J\nc       d\n");
}

}  // namespace
}  // namespace impound::test
