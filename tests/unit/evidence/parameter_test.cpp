// SPDX-License-Identifier: Apache-2.0
/// Parameters: one declaration, one conversion, one message.

#include "core/evidence/parameter.hpp"

#include "core/base/error.hpp"
#include "core/evidence/collector.hpp"
#include "tests/support/catch.hpp"

namespace impound {
namespace {

constexpr TimeNs kNow = 1'767'225'600'000'000'000;  // 2026-01-01T00:00:00Z

Parameter of(ParameterType type) { return {.name = "p", .type = type}; }

Json convert(const Parameter& parameter, const Json& given,
             Spelling spelling = Spelling::command_line) {
  return check_parameters("thing", std::vector{parameter}, {{"p", given}},
                          spelling, kNow)
      .json()
      .at("p");
}

Parameter number(std::int64_t least, std::int64_t most) {
  Parameter parameter = of(ParameterType::integer);
  parameter.least = least;
  parameter.most = most;
  return parameter;
}

Parameter side() {
  Parameter parameter = of(ParameterType::choice);
  parameter.choices = {"left", "right"};
  return parameter;
}

TEST_CASE("a wrong value is refused by owner, parameter, value, expectation",
          "[evidence][parameter]") {
  struct Wrong {
    Parameter parameter;
    Json given;
    std::string message;
  };
  Parameter brief = of(ParameterType::text);
  brief.most = 3;
  for (const Wrong& wrong : std::vector<Wrong>{
           {number(1, 9), "banana",
            "a whole number from 1 to 9, found \"banana\""},
           {number(1, 9), "0", "a whole number from 1 to 9, found \"0\""},
           {number(1, 9), "10", "a whole number from 1 to 9, found \"10\""},
           {number(1, 9), "5 ", "a whole number from 1 to 9, found \"5 \""},
           {number(1, 9), "9999999999999999999999", "a whole number from 1"},
           {number(1, 9), 2.5, "a whole number from 1 to 9, found 2.5"},
           {of(ParameterType::integer), 18446744073709551615ULL,
            "a whole number, found 18446744073709551615"},
           {of(ParameterType::boolean), "maybe",
            "true or false (yes or no), found \"maybe\""},
           {of(ParameterType::duration), "soon", "a duration such as 90s"},
           {of(ParameterType::time), "yesterday",
            "a time such as 2026-11-23T03:00:00Z"},
           {of(ParameterType::digest), "ab", "a SHA-256 of 64"},
           {of(ParameterType::path), "", "a path, found \"\""},
           {of(ParameterType::path), std::string("a\0b", 3), "a path, found"},
           {of(ParameterType::path), std::string(5000, 'x'), "a path, found"},
           {brief, "four", "text of at most 3 bytes, found \"four\""},
           {side(), "up", "one of left, right, found \"up\""},
           {side(), "rihgt", "(did you mean \"right\"?)"},
           {of(ParameterType::texts), Json::array({1}), "a list of texts"},
           {of(ParameterType::references), Json::array(),
            "at least one of the items or exhibits"},
           {of(ParameterType::references), Json::array({"E1/x"}),
            "(E001, E001/17) it rests on, found \"E1/x\""},
           {of(ParameterType::table), Json::array({1}), "a table by name"},
       }) {
    INFO(wrong.message);
    CHECK_THROWS_WITH(
        convert(wrong.parameter, wrong.given),
        Catch::Contains("thing: p: expected " + (wrong.message.starts_with("(")
                                                     ? ""
                                                     : wrong.message)) &&
            Catch::Contains(wrong.message));
  }
}

TEST_CASE("a value within its bounds arrives as what it was declared",
          "[evidence][parameter]") {
  CHECK(convert(number(1, 9), "1") == 1);
  CHECK(convert(number(1, 9), "9") == 9);
  CHECK(convert(of(ParameterType::boolean), "yes") == true);
  CHECK(convert(of(ParameterType::boolean), "false") == false);
  CHECK(convert(of(ParameterType::duration), "36h") == "36h");
  CHECK(convert(of(ParameterType::digest), std::string(64, 'A')) ==
        std::string(64, 'a'));
  CHECK(convert(side(), "left") == "left");
  CHECK(convert(of(ParameterType::time), "2026-11-23") ==
        "2026-11-23T00:00:00.000000Z");
}

TEST_CASE("text stands for a number on a command line only",
          "[evidence][parameter]") {
  CHECK(convert(number(1, 9), 5, Spelling::values) == 5);
  CHECK_THROWS_AS(convert(number(1, 9), "5", Spelling::values), Error);
  CHECK_THROWS_AS(convert(of(ParameterType::boolean), "yes", Spelling::values),
                  Error);
}

TEST_CASE("a duration that stands for a time counts back from now",
          "[evidence][parameter]") {
  const Parameter since{.name = "since", .type = ParameterType::time};
  const Arguments arguments = check_parameters(
      "thing", std::vector{since}, {{"since", "36h"}}, Spelling::values, kNow);
  CHECK(arguments.time("since") == kNow - 36LL * 3600 * 1'000'000'000);
  // What is recorded means the same at any later time.
  CHECK(arguments.json().at("since") == "2025-12-30T12:00:00.000000Z");
}

TEST_CASE("defaults are filled in, and an empty one may be left out or said",
          "[evidence][parameter]") {
  Parameter place = of(ParameterType::path);
  place.otherwise = "";
  CHECK(convert(place, "") == "");
  CHECK(convert(place, "/srv") == "/srv");
  Parameter mode = side();
  mode.otherwise = "right";
  CHECK(convert(mode, nullptr) == "right");
  Parameter needed = of(ParameterType::path);
  needed.is_required = true;
  needed.help = "Where it lies.";
  CHECK_THROWS_WITH(
      convert(needed, nullptr),
      Catch::Contains("thing: p: expected a path, found nothing: Where it "
                      "lies."));
  CHECK_FALSE(check_parameters("thing", std::vector{side()}, Json::object(),
                               Spelling::values, kNow)
                  .has("p"));
}

TEST_CASE("a name that nobody declared is refused with the nearest there is",
          "[evidence][parameter]") {
  const std::vector declared{Parameter{.name = "window"},
                             Parameter{.name = "root"}};
  CHECK_THROWS_WITH(check_parameters("thing", declared, {{"windw", "7d"}},
                                     Spelling::values, kNow),
                    Catch::Contains("thing: there is no \"windw\" (did you "
                                    "mean \"window\"?); it takes window, "
                                    "root"));
}

TEST_CASE("bytes that are no UTF-8 come back as they were",
          "[evidence][parameter]") {
  const Parameter root{.name = "root", .type = ParameterType::path};
  const Arguments arguments =
      check_parameters("thing", std::vector{root}, {{"root", "/caf\\xe9"}},
                       Spelling::command_line, kNow);
  CHECK(arguments.path("root")->native() == "/caf\xe9");
}

TEST_CASE("a declaration says all that completion needs",
          "[evidence][parameter]") {
  Parameter parameter = number(1, 9);
  parameter.help = "A number.";
  parameter.otherwise = 3;
  CHECK(parameter.to_json() == Json{{"name", "p"},
                                    {"type", "integer"},
                                    {"help", "A number."},
                                    {"required", false},
                                    {"expects", "a whole number from 1 to 9"},
                                    {"default", 3},
                                    {"min", 1},
                                    {"max", 9}});
}

TEST_CASE("every type reads back as what wrote it, and has a sample that fits",
          "[evidence][parameter]") {
  for (const std::string_view word : one_word_types()) {
    INFO(word);
    const auto type = one_word_type_from(word);
    REQUIRE(type);
    CHECK(to_string(*type) == word);
    Parameter parameter = of(*type);
    if (*type == ParameterType::choice) parameter.choices = {"only"};
    const Json sample = sample_value(parameter);
    CHECK(convert(parameter, sample, Spelling::values) == sample);
  }
  CHECK(sample_value(number(5, 9)) == 5);
  CHECK(sample_value(number(-9, -5)) == -5);
}

void nothing(const Target&, EvidenceSink&) {}

Collector made_up(std::string_view name,
                  std::span<const Parameter> parameters) {
  return {.name = name,
          .summary = "Made up.",
          .reach = Reach::files,
          .volatility = 1,
          .parameters = parameters,
          .collect = nothing,
          .describe = nullptr,
          .estimate = nullptr};
}

TEST_CASE("two collectors that share a name each check by their own type",
          "[evidence][parameter]") {
  const std::vector depth{Parameter{
      .name = "depth", .type = ParameterType::integer, .least = 1, .most = 9}};
  const std::vector how{Parameter{.name = "depth",
                                  .type = ParameterType::choice,
                                  .choices = {"3", "full"}}};
  const Collector first = made_up("first", depth);
  const Collector second = made_up("second", how);
  const std::vector<const Collector*> both{&first, &second};
  const auto shared = share_arguments(both, {{"depth", "3"}}, kNow);
  CHECK(shared.at(0).integer("depth") == 3);
  CHECK(shared.at(1).text("depth") == "3");
  CHECK_THROWS_WITH(share_arguments(both, {{"depth", "full"}}, kNow),
                    Catch::Contains("collector first: depth: expected a whole "
                                    "number from 1 to 9, found \"full\""));
  CHECK_THROWS_WITH(share_arguments(both, {{"depth", "4"}}, kNow),
                    Catch::Contains("collector second: depth: expected one of "
                                    "3, full, found \"4\""));
  CHECK_THROWS_WITH(share_arguments(both, {{"dpth", "3"}}, kNow),
                    Catch::Contains("first, second: there is no \"dpth\" (did "
                                    "you mean \"depth\"?)"));
}

}  // namespace
}  // namespace impound
