// SPDX-License-Identifier: Apache-2.0
/// What is read in the source of a playbook, whatever the source is.

#include "lua/host/literal_calls.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

std::size_t count_problems(const std::string& source) {
  LoadedPlaybook playbook;
  playbook.sources["playbook.lua"] = source;
  return literal_problems(playbook, test::instruments()).size();
}

std::string repeated(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

TEST_CASE("source that is no Lua, or never ends, is read to its end",
          "[lua][hostile]") {
  for (const char* const part :
       {"ctx:note(", "ctx:finding({", "ctx:finding({ a = {", "{", "}", "]",
        "ctx:ask({ [", "ctx:gap(}", "ctx:gap(;", "ctx.params[", "ctx.params.",
        "ctx:", "ctx", "function ", "end ", "[[", "\"", "ctx:diff(,,"}) {
    INFO(part);
    CHECK(count_problems(part) <= 1);
    CHECK_NOTHROW(count_problems(repeated(part, 20'000)));
  }
}

TEST_CASE("a call inside a call is looked at as well", "[lua]") {
  CHECK(count_problems("ctx:note(ctx:colect(\"host\"))") == 1);
  CHECK(count_problems(
            "ctx:finding({ verdict = \"likely\", severity = \"low\",\n"
            "title = \"t\",\nevidence = { ctx:collect(\"hots\") } })") == 1);
}

TEST_CASE("tests of a playbook are not held to what a step may say", "[lua]") {
  LoadedPlaybook playbook;
  playbook.sources["test.lua"] = "ctx:colect(\"host\")";
  CHECK(literal_problems(playbook, test::instruments()).empty());
}

}  // namespace
}  // namespace impound::lua
