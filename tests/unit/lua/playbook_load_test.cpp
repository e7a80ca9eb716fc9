// SPDX-License-Identifier: Apache-2.0
/// What a playbook declares, and what is said about a wrong declaration.

#include "lua/host/field_lines.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

std::string valid() { return test::playbook_with("  ctx:note(\"x\")"); }

/// The valid playbook with `from` replaced by `to`.
std::string with(std::string_view from, std::string_view to) {
  std::string text = valid();
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// The problems of a playbook that must not load, a line each.
std::string problems_of(const std::string& text) {
  const test::ScratchPlaybook scratch;
  const LoadResult result = scratch.read(text);
  CHECK(!result.playbook);
  std::string all;
  for (const Problem& problem : result.problems) all += problem.text() + "\n";
  return all;
}

TEST_CASE("a valid playbook loads with everything it declares", "[lua]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook = scratch.load(valid());
  CHECK(playbook.id == "probe-me");
  CHECK(playbook.version == "1.2.3");
  CHECK(playbook.effect == Effect::read);
  CHECK(playbook.collectors == std::vector<std::string>{"model-files"});
  REQUIRE(playbook.steps.size() == 1);
  CHECK(playbook.steps[0].line == 14);
  CHECK(playbook.sha256.size() == 64);
  CHECK(scratch.load(valid()).sha256 == playbook.sha256);
}

TEST_CASE("a wrong declaration is named with its line and what was expected",
          "[lua]") {
  struct Wrong {
    std::string from, to, expected;
  };
  for (const Wrong& wrong : std::vector<Wrong>{
           {"schema = 1", "schema = 2", ":6: schema: expected 1"},
           {"id = \"probe-me\"", "id = \"probe-you\"",
            ":7: id: expected the name of its folder, \"probe-me\""},
           {"id = \"probe-me\"", "id = \"Probe Me\"",
            ":7: id: expected lower-case words"},
           {"\"1.2.3\"", "\"1.2\"", ":8: version: expected \"major.minor"},
           {"\"1.2.3\"", "1",
            ":8: version: expected \"major.minor.patch\", "
            "found the number 1"},
           {"owner = \"tests\",\n", "",
            ":5: owner: expected the name of a "
            "team, found nothing"},
           {"owner = ", "ownr = ", ":10: ownr: no such field"},
           {"effect = \"read\"", "effect = \"write\"",
            ":11: effect: expected \"read\" or \"contain\", found text "
            "\"write\""},
           {"needs = {", "needs = { network = true,",
            ":12: needs.network: no such field; there are collectors"},
           {"{ \"model-files\" }", "\"model-files\"",
            ":12: needs.collectors: expected a list"},
           {"containments = {}", "containments = { \"process\" }",
            ":12: needs.containments: a playbook with effect \"read\""},
           {"run = act", "run = \"act\"",
            ":14: steps[1].run: expected a function, found text \"act\""},
           {"run = act, effect = \"read\"", "run = act, effect = \"contain\"",
            ":14: steps[1].effect: \"contain\" in a playbook whose effect is "
            "\"read\""},
           {"run = act,", "run = act, after = { \"gone\" },",
            ":14: steps[1].after: there is no step named \"gone\""},
           {"references",
            "params = { a = { type = \"duraton\", help = \"x\" "
            "} },\n  references",
            ":13: params.a.type: expected one of path, text, integer, choice, "
            "duration, digest, boolean, time; found \"duraton\""},
           {"references",
            "params = { a = { type = \"duration\", help = "
            "\"x\", default = \"soon\" } },\n  references",
            ":13: params.a.default: expected a duration such as 90s"},
           {"references",
            "params = { a = { type = \"choice\", help = \"x\" } "
            "},\n  references",
            ":13: params.a.choices: a parameter of type choice needs choices"},
           {"return impound.playbook({", "return ({",
            "playbook.lua: the file must end with return impound.playbook"},
           {"title = ", "title == ", ":9: "},
           {"local impound", "local inpound", "'impound' is not defined"},
       }) {
    INFO(wrong.from << " -> " << wrong.to);
    const std::string problems = problems_of(with(wrong.from, wrong.to));
    INFO(problems);
    CHECK(problems.find(wrong.expected) != std::string::npos);
    CHECK(problems.find("probe-me/playbook.lua") != std::string::npos);
  }
}

TEST_CASE("steps that wait for each other are shown as a chain", "[lua]") {
  const std::string problems = problems_of(
      with("steps = {",
           "steps = { { id = \"a\", title = \"A\", run = act, after = { \"c\" "
           "} }, { id = \"b\", title = \"B\", run = act, after = { \"a\" } },\n"
           "{ id = \"c\", title = \"C\", run = act, after = { \"b\" } },"));
  INFO(problems);
  CHECK(problems.find("steps wait for each other: a -> c -> b -> a") !=
        std::string::npos);
}

TEST_CASE("lines of fields are found around comments, strings and functions",
          "[lua]") {
  const auto lines = field_lines(R"lua(local impound = require("impound")
-- playbook { id = 1 }
return impound.playbook({
  id = "a}", -- }
  --[[ title =
  ]]
  ["title"] = 'x',
  run = function(a, b)
    if a then return { z = b, 1 } end
    for i = 1, 2 do end
  end,
  steps = {
    first,
    { id = "x",
      after = { "y",
        "z" } },
  }, last = [==[
]] ]==], after_last = 1,
})
)lua",
                                 3);
  CHECK(lines.at("id") == 4);
  CHECK(lines.at("title") == 7);
  CHECK(lines.at("run") == 8);
  CHECK(!lines.contains("z"));
  CHECK(lines.at("steps[1]") == 13);
  CHECK(lines.at("steps[2].id") == 14);
  CHECK(lines.at("steps[2].after[2]") == 16);
  CHECK(lines.at("after_last") == 18);
  CHECK(line_of_field(lines, "steps[2].after[7]", 1) == 15);
  CHECK(line_of_field(lines, "nothing", 3) == 3);
}

TEST_CASE("parameters are converted, defaulted and refused by name", "[lua]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(with("references", R"lua(params = {
    count = { type = "integer", help = "A number." },
    place = { type = "path", help = "A path.", default = "" },
    quick = { type = "boolean", help = "Yes or no.", default = false },
    window = { type = "duration", help = "How far back.", default = "7d" },
    release = { type = "digest", help = "A digest.", default = ("A"):rep(64) },
    from = { type = "time", help = "From when.", default = "2026-11-23" },
    side = { type = "choice", help = "Which.", choices = { "left", "right" }, default = "left" },
  },
  references)lua"));
  const auto given = [&playbook](const Json& json) {
    return arguments_for(playbook, json, Spelling::command_line, 0).json();
  };
  const Json values =
      given({{"count", "12"}, {"quick", "yes"}, {"side", "right"}});
  CHECK(values["count"] == 12);
  CHECK(values["place"] == "");
  CHECK(given(values) == values);  // values fit again
  CHECK(values["quick"] == true);
  CHECK(values["window"] == "7d");
  CHECK(values["release"] == std::string(64, 'a'));
  CHECK(values["from"] == "2026-11-23T00:00:00.000000Z");
  CHECK(values["side"] == "right");
  CHECK_THROWS_WITH(given(Json::object()),
                    Catch::Contains("playbook probe-me: count: expected a "
                                    "whole number, found nothing: A number."));
  CHECK_THROWS_WITH(given({{"count", "many"}}),
                    Catch::Contains("playbook probe-me: count: expected a "
                                    "whole number, found \"many\""));
  CHECK_THROWS_WITH(
      given({{"count", 1}, {"cuont", 2}}),
      Catch::Contains("there is no \"cuont\" (did you mean "
                      "\"count\"?); it takes count, from, place"));
  CHECK_THROWS_WITH(given({{"count", 1}, {"side", "up"}}),
                    Catch::Contains("expected one of left, right"));
}

}  // namespace
}  // namespace impound::lua
