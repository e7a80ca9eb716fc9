// SPDX-License-Identifier: Apache-2.0
/// list, show, check, test, new, doc.

#include "lua/host/playbook_commands.hpp"

#include <cstdlib>

#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string check_text(const test::ScratchPlaybook& scratch) {
  std::string all;
  for (const Problem& problem :
       check_playbook(scratch.folder(), test::child_options())) {
    all += problem.text() + "\n";
  }
  return all;
}

TEST_CASE("a new playbook passes check and test at once", "[lua]") {
  const test::TempDir root;
  const fs::path folder = new_playbook(root.path(), "my-check");
  for (const Problem& problem : check_playbook(folder, test::child_options())) {
    FAIL_CHECK(problem.text());
  }
  const auto results = test_playbook(folder, test::child_options());
  CHECK(results.size() == 2);
  for (const TestResult& result : results) {
    INFO(result.name << ": " << result.message);
    CHECK(result.passed);
  }
  CHECK(has(root.read("my-check/.luarc.json"), "lua/api"));
  CHECK_THROWS_WITH(new_playbook(root.path(), "my-check"),
                    Catch::Contains("exists already"));
  CHECK_THROWS_WITH(new_playbook(root.path(), "../out"),
                    Catch::Contains("lower-case words"));
}

TEST_CASE("check finds what no run has reached", "[lua]") {
  const test::ScratchPlaybook scratch;
  scratch.write("playbook.lua",
                test::playbook_with("  if ctx.params.never then\n"
                                    "    undefined_function()\n"
                                    "    leaked = 1\n  end"));
  const std::string text = check_text(scratch);
  INFO(text);
  CHECK(has(text, "playbook.lua:4: uses the global \"undefined_function\""));
  CHECK(has(text, "playbook.lua:5: assigns the global \"leaked\""));
}

TEST_CASE("check runs every step against an empty case", "[lua]") {
  const test::ScratchPlaybook scratch;
  scratch.write(
      "playbook.lua",
      test::playbook_with("  local all = ctx:collect(\"model-files\")\n"
                          "  ctx:note(all.nothing.there)"));
  CHECK(has(check_text(scratch),
            "playbook.lua:4: step act: attempt to index a nil value"));
  scratch.write("playbook.lua", test::playbook_with("  ctx:collect(\"gpu\")"));
  CHECK(has(check_text(scratch),
            "playbook.lua:3: step act: collect(\"gpu\") is "
            "not declared"));
}

TEST_CASE("check is pedantic about titles and sentences", "[lua]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with("  ctx:note(\"x\")");
  text.replace(text.find("for a test"), 10, "for a test.");
  text.replace(text.find("references = { \"https://example.org\" }"), 38,
               "params = { a = { type = \"text\", help = \"x\", default = \"\" "
               "} }");
  scratch.write("playbook.lua", text);
  const std::string problems = check_text(scratch);
  CHECK(has(problems, ":9: title: a title has no full stop"));
  CHECK(has(problems, ":13: params.a.help: a full sentence"));
  CHECK(has(problems, "references: name at least one link"));
}

TEST_CASE("a test that fails says what it expected and where", "[lua]") {
  const test::ScratchPlaybook scratch;
  scratch.write("playbook.lua", test::playbook_with("  ctx:note(\"x\")"));
  scratch.write("test.lua", R"lua(local fake = require("impound.fake")
local playbook = require("playbook")
return {
  ["a passes"] = function(t) t.equal(fake.run(playbook).notes[1].text, "x") end,
  ["b fails"] = function(t)
    t.equal(fake.run(playbook).notes, {})
  end,
  ["c loops"] = function() while true do end end,
  ["d misuses"] = function() fake.run(playbook, { colect = {} }) end,
  ["e expects"] = function(t)
    t.fails(function() fake.run(playbook, { params = { nothing = 1 } }) end, "has no parameter")
  end,
  ["f runs twice"] = function(t)
    t.equal(#fake.run(playbook).notes, 1)
    t.equal(#fake.run(playbook).notes, 1)
  end,
}
)lua");
  ChildOptions options = test::child_options();
  options.limits.instructions = 3'000'000;
  const auto results = test_playbook(scratch.folder(), options);
  REQUIRE(results.size() == 6);
  CHECK(results[0].passed);
  CHECK(!results[1].passed);
  CHECK(has(results[1].message, "test.lua:6: expected {  }, found { {…} }"));
  CHECK(has(results[2].message, "executed more than"));
  CHECK(has(results[3].message, "there is no \"colect\" in a setup"));
  CHECK(results[4].passed);
  CHECK(results[5].passed);
}

TEST_CASE("playbooks are found by id, by folder and by file", "[lua]") {
  const test::TempDir root;
  const fs::path folder = new_playbook(root.path(), "found-me");
  ::setenv("IMPOUND_PLAYBOOKS", root.path().c_str(), 1);
  CHECK(find_playbook("found-me") == folder);
  CHECK(find_playbook(folder.string()) == folder);
  CHECK(find_playbook((folder / "playbook.lua").string()) == folder);
  CHECK_THROWS_WITH(find_playbook("not-there"),
                    Catch::Contains(root.path().string()));
  static_cast<void>(root.write("broken-one/playbook.lua", "return 1"));
  const auto list = list_playbooks(test::child_options());
  ::unsetenv("IMPOUND_PLAYBOOKS");
  const auto entry = [&list](std::string_view id) {
    return std::find_if(list.begin(), list.end(),
                        [id](const auto& one) { return one.id == id; });
  };
  REQUIRE(entry("found-me") != list.end());
  CHECK(entry("found-me")->title == "Model differs from its release");
  REQUIRE(entry("broken-one") != list.end());
  CHECK(entry("broken-one")->problems.size() == 1);
  CHECK(entry("weights-tampering") != list.end());  // of the source tree
}

TEST_CASE("show and doc tell what is declared", "[lua]") {
  const fs::path folder =
      fs::path(IMPOUND_SOURCE_DIR) / "playbooks/weights-tampering";
  const LoadedPlaybook playbook = load_playbook(folder, test::child_options());
  const Json shown = show_playbook(playbook);
  CHECK(shown["params"]["window"]["default"] == "7d");
  CHECK(shown["steps"][0]["effect"] == "contain");
  CHECK(shown["sha256"] == playbook.sha256);
  CHECK(shown["files"] == Json{"playbook.lua", "test.lua"});
}

}  // namespace
}  // namespace impound::lua
