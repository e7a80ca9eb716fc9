// SPDX-License-Identifier: Apache-2.0
#include "core/base/json.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

TEST_CASE("JSON keeps the order of keys", "[base]") {
  const Json json = parse_json(R"({"b":1,"a":2})", "test");
  CHECK(dump_line(json) == R"({"b":1,"a":2})");
}

TEST_CASE("of a key that stands twice the last value counts", "[base]") {
  CHECK(dump_line(parse_json(R"({"a":1,"b":2,"a":3})", "test")) ==
        R"({"a":3,"b":2})");
  // The same where an object is large enough to be indexed.
  std::string text = "{";
  for (int i = 0; i < 100; ++i) {
    text += "\"k" + std::to_string(i % 90) + "\":" + std::to_string(i) + ",";
  }
  text.back() = '}';
  const Json json = parse_json(text, "test");
  CHECK(json.size() == 90);
  CHECK(json.begin().key() == "k0");
  CHECK(json["k5"] == 95);
  CHECK(json["k50"] == 50);
}

TEST_CASE("a document is built as it is written, whatever it nests", "[base]") {
  const std::string text =
      R"({"o":{"x":[1,-2,3.5,"t",null,true,{"y":[]}],"z":{}},"e":[[],[{}]]})";
  CHECK(dump_line(parse_json(text, "test")) == text);
  CHECK(parse_json("7", "test") == 7);
}

TEST_CASE("what is no JSON says where and of what", "[base][hostile]") {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":1}x", "\xff", "nul", "{\"a\"}", "1e999"}) {
    INFO(text);
    CHECK_THROWS_WITH(parse_json(text, "some.json"),
                      Catch::StartsWith("some.json: "));
  }
  CHECK_THROWS_WITH(parse_json("[1,]", "some.json"),
                    Catch::Contains("offset 4"));
}

TEST_CASE("a vocabulary of many tokens is read in one pass", "[base]") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) {
    text += "\"token" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  }
  text.back() = '}';
  CHECK(parse_json(text, "test").size() == 200'000);
}

TEST_CASE("JSON nested too deep is refused before it is built",
          "[base][hostile]") {
  const std::string deep(100'000, '[');
  CHECK_THROWS_AS(parse_json(deep, "test"), Error);
}

}  // namespace
}  // namespace impound::test
