// SPDX-License-Identifier: Apache-2.0
/// Slips of the keys: what was meant, and what was not.

#include "core/base/spelling.hpp"

#include <vector>

#include "tests/support/catch.hpp"

namespace impound {
namespace {

TEST_CASE("a slip of the keys is traced to the word that was meant",
          "[base][spelling]") {
  const std::vector<std::string> known{"window", "active_harm", "severity",
                                       "high",   "pid",         "default"};
  for (const auto& [slip, meant] :
       std::vector<std::pair<std::string, std::string>>{
           {"windw", "window"},
           {"widnow", "window"},
           {"Window", "window"},
           {"sevrity", "severity"},
           {"hihg", "high"},
           {"pidd", "pid"},
           {"defualt", "default"},
           {"active-harm", "active_harm"}}) {
    INFO(slip);
    CHECK(nearest_word(slip, known) == meant);
  }
}

TEST_CASE("a mistyped command is told the nearest one there is",
          "[base][spelling]") {
  const std::vector<std::string> known{"run",  "release", "resume",
                                       "case", "custody", "exhibit"};
  CHECK(nearest_word("rum", known) == "run");
  CHECK(nearest_word("rnu", known) == "run");
  CHECK(nearest_word("custdy", known) == "custody");
  CHECK(nearest_word("exihbit", known) == "exhibit");
  CHECK(nearest_word("realese", known) == "release");
  CHECK(did_you_mean("rum", known) == "; did you mean \"run\"?");
  CHECK(did_you_mean("frobnicate", known).empty());
}

TEST_CASE("the beginning of one word is that word, of two is none of them",
          "[base][spelling]") {
  const std::vector<std::string> known{"run", "release", "resume", "exhibit"};
  CHECK(nearest_word("ex", known) == "exhibit");
  CHECK(nearest_word("re", known).empty());
}

TEST_CASE("a word that is near to nothing is no slip", "[base][spelling]") {
  const std::vector<std::string> known{"window", "a", "pid", "since"};
  for (const char* other : {"banana", "x", "b", "", "door", "po"}) {
    INFO(other);
    CHECK(nearest_word(other, known).empty());
  }
  CHECK(nearest_word(std::string(5000, 'w'), known).empty());
}

TEST_CASE("a message names the word, what was meant, and what there is",
          "[base][spelling]") {
  const std::vector<std::string> known{"since", "until"};
  CHECK(no_such_word("sinze", known, "it takes") ==
        "there is no \"sinze\" (did you mean \"since\"?); it takes since, "
        "until");
  CHECK(no_such_word("\x1b[2J", known, "it takes") ==
        "there is no \"\\x1b[2J\"; it takes since, until");
  CHECK(no_such_word("x", {}, "it takes") ==
        "there is no \"x\"; it takes nothing");
}

}  // namespace
}  // namespace impound
