// SPDX-License-Identifier: Apache-2.0
#include "core/base/closest.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace impound {
namespace {

const std::vector<std::string> kWords{"run",  "release", "resume",
                                      "case", "custody", "exhibit"};

TEST_CASE("A mistyped word is told the nearest one there is") {
  CHECK(closest_word("rum", kWords) == "run");
  CHECK(closest_word("rnu", kWords) == "run");
  CHECK(closest_word("custdy", kWords) == "custody");
  CHECK(closest_word("exihbit", kWords) == "exhibit");
  CHECK(closest_word("realese", kWords) == "release");
  CHECK(did_you_mean("rum", kWords) == "; did you mean \"run\"?");
}

TEST_CASE("The beginning of one word is that word, of two is none of them") {
  CHECK(closest_word("ex", kWords) == "exhibit");
  CHECK(closest_word("re", kWords).empty());
}

TEST_CASE("Nothing is guessed for a word that is far from all") {
  CHECK(closest_word("frobnicate", kWords).empty());
  CHECK(closest_word("", kWords).empty());
  CHECK(closest_word("xyz", kWords).empty());
  CHECK(closest_word("x", std::vector<std::string>{"y"}).empty());
  CHECK(closest_word(std::string(100000, 'r'), kWords).empty());
  CHECK(did_you_mean("frobnicate", kWords).empty());
}

}  // namespace
}  // namespace impound
