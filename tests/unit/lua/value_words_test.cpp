// SPDX-License-Identifier: Apache-2.0
#include "lua/host/value_words.hpp"

#include <catch2/catch.hpp>

namespace impound::lua {
namespace {

TEST_CASE("A value is told to a person as it is typed, not as JSON") {
  CHECK(value_words("90d") == "90d");
  CHECK(value_words(Json::array({"E001", "E002/7"})) == "E001, E002/7");
  CHECK(value_words(Json{{"window", "36h"}, {"max", 3}, {"deep", true}}) ==
        "window=36h, max=3, deep=true");
  CHECK(value_words(nullptr) == "none");
  CHECK(value_words(Json::array()) == "none");
  CHECK(value_words(1.5) == "1.5");
}

TEST_CASE(
    "No text looks like a second argument or like another kind of value") {
  CHECK(value_words(Json{{"path", "/a, key=/b"}}) == "path=\"/a, key=/b\"");
  CHECK(value_words(Json::array({"a, b", "c"})) == "\"a, b\", c");
  CHECK(value_words(Json::array({Json::array({"a"}), "b"})) == "[a], b");
  CHECK(value_words(Json{{"of", Json{{"a", 1}}}, {"b", 2}}) == "of={a=1}, b=2");
  CHECK(value_words("true") == "\"true\"");
  CHECK(value_words("17") == "\"17\"");
  CHECK(value_words("") == "\"\"");
}

TEST_CASE("A hostile value reaches a person escaped") {
  CHECK(value_words("a\x1b[2J\n") == "a\\x1b[2J\\x0a");
}

}  // namespace
}  // namespace impound::lua
