// SPDX-License-Identifier: Apache-2.0
/// list, show, check, test, new, doc.

#include "lua/host/playbook_commands.hpp"

#include <algorithm>
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
  for (const Problem& problem : check_playbook(
           scratch.folder(), test::child_options(), test::instruments())) {
    all += problem.text() + "\n";
  }
  return all;
}

TEST_CASE("a new playbook passes check and test at once", "[lua]") {
  const test::TempDir root;
  const fs::path folder = new_playbook(root.path(), "my-check");
  for (const Problem& problem :
       check_playbook(folder, test::child_options(), test::instruments())) {
    FAIL_CHECK(problem.text());
  }
  const auto results =
      test_playbook(folder, test::child_options(), test::instruments());
  CHECK(results.size() == 3);
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
                test::playbook_with("  if ctx.facts.never then\n"
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
  scratch.write("playbook.lua", test::playbook_with("  ctx:collect(\"host\")"));
  CHECK(has(check_text(scratch),
            "playbook.lua:3: step act: collect(\"host\") is "
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
    t.fails(function() fake.run(playbook, { params = { nothing = 1 } }) end, "there is no \"nothing\"")
  end,
  ["f runs twice"] = function(t)
    t.equal(#fake.run(playbook).notes, 1)
    t.equal(#fake.run(playbook).notes, 1)
  end,
}
)lua");
  ChildOptions options = test::child_options();
  options.limits.instructions = 3'000'000;
  const auto results =
      test_playbook(scratch.folder(), options, test::instruments());
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

TEST_CASE("check finds what is written wrongly in calls that no run reaches",
          "[lua]") {
  struct Slip {
    std::string line, expected;
  };
  for (const Slip& slip : std::vector<Slip>{
           {"ctx:finding({ verdict = \"likely\", sevrity = \"high\", title = "
            "\"x\", evidence = { model } })",
            "finding: there is no \"sevrity\" (did you mean \"severity\"?)"},
           {"ctx:finding({ verdict = \"likely\", severity = \"hihg\", title = "
            "\"x\", evidence = { model } })",
            "finding: severity: expected one of info, low, medium, high, "
            "critical, found \"hihg\" (did you mean \"high\"?)"},
           {"ctx:finding({ [\"verdict\"] = \"confirmd\", title = model.id .. "
            "\"x\", evidence = {} })",
            "finding: verdict: expected one of cleared, cleared (files only), "
            "likely, confirmed, found \"confirmd\""},
           {"ctx:finding({ verdict = model.verdict, title = \"x\" })",
            "finding: evidence: expected at least one"},
           {"ctx:finding({ verdict = \"likely\", title = \"x\", severity = "
            "\"low\", evidence = { \"E1/x\" } })",
            "finding: evidence: expected at least one"},
           {"ctx:gap({ subject = \"s\", reason = \"r\", outcom = \"empty\" })",
            "gap: there is no \"outcom\" (did you mean \"outcome\"?)"},
           {"ctx:gap({ subject = \"s\", reason = \"r\", outcome = \"ok\" })",
            "gap: outcome: expected one of missing, denied, failed, empty, "
            "partial, found \"ok\""},
           {"ctx:ask({ id = \"a\", question = \"b\", defualt = \"no\" })",
            "ask: there is no \"defualt\" (did you mean \"default\"?)"},
           {"ctx:ask({ id = \"a\", question = \"b\", approves = \"contian\" })",
            "ask: approves: expected one of contain, release, found "
            "\"contian\""},
           {"ctx:collect(\"modl-files\")",
            "collector: there is no \"modl-files\" (did you mean "
            "\"model-files\"?)"},
           {"ctx:collect(\"process\", { pdi = 7 })",
            "collector process: there is no \"pdi\" (did you mean \"pid\"?)"},
           {"ctx:collect(\"process\", { pid = \"B\" })",
            "collector process: pid: expected a whole number from 1 to "
            "4194304, found \"B\""},
           {"ctx:collect(\"prompt-log\", { since = \"yesterday\" })",
            "collector prompt-log: since: expected a time"},
           {"ctx:contain(\"process\", { method = \"freeze\" })",
            "containment process: method: expected one of auto, freeze-v2"},
           {"ctx:verify_signature(model, { sigstor = true })",
            "verify_signature: there is no \"sigstor\" (did you mean "
            "\"sigstore\"?)"},
           {"ctx:diff(model, model, { raw = true })",
            "diff: takes no more than 2 arguments"},
           {"ctx:note(ctx.params.windw)",
            "ctx.params: there is no \"windw\" (did you mean \"window\"?)"},
           {"ctx:note(ctx.params[\"windw\"])",
            "ctx.params: there is no \"windw\""},
           {"ctx:colect(\"process\")",
            "ctx: there is no \"colect\" (did you mean \"collect\"?)"},
       }) {
    const test::ScratchPlaybook scratch;
    std::string text = test::playbook_with(
        "  local model = ctx.facts.never\n"
        "  if model then\n    " +
        slip.line + "\n  end");
    text.replace(text.find("references ="), 12,
                 "params = { window = { type = \"duration\", help = \"W.\", "
                 "default = \"7d\" } },\n  references =");
    scratch.write("playbook.lua", text);
    const std::string problems = check_text(scratch);
    INFO(slip.line << " -> " << problems);
    CHECK(has(problems, "playbook.lua:5: " + slip.expected));
    CHECK(std::ranges::count(problems, '\n') == 1);
  }
}

TEST_CASE("check says nothing of calls that are right or computed", "[lua]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with(
      R"lua(  local model = ctx:collect("model-files", { root = ctx.params.place })
  local word = ("hi"):rep(2)
  local fields = { verdict = "odd", sevrity = 1 } -- not of a call
  if ctx.facts.never then
    ctx:finding(fields)
    ctx:finding({ verdict = word, severity = "hi" .. "gh", title = word, evidence = { model, "E001/17" } })
    ctx:finding({ verdict = "cleared", title = "t", evidence = (function() return { model } end)() })
    ctx:finding({ [word] = "x", verdict = "cleared" })
    ctx:note({ sevrity = 1 })
    ctx:note(#fields)
    other.ctx:finding({ sevrity = 1 })
  end)lua");
  text.replace(text.find("references ="), 12,
               "params = { place = { type = \"path\", help = \"W.\" } "
               "},\n  references =");
  text.insert(0, "local other = {} ");
  scratch.write("playbook.lua", text);
  CHECK(check_text(scratch) == "");
}

TEST_CASE("check finds needs that nothing can meet", "[lua]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with("  ctx:note(\"x\")");
  text.replace(text.find("{ \"model-files\" }"), 17,
               "{ \"host\", \"proces\" }");
  scratch.write("playbook.lua", text);
  CHECK(has(check_text(scratch),
            "playbook.lua:12: needs.collectors[2]: there is no \"proces\" (did "
            "you mean \"process\"?)"));
}

TEST_CASE("check holds a default against the bounds beside it", "[lua]") {
  for (const auto& [parameter, expected] :
       std::vector<std::pair<std::string, std::string>>{
           {"type = \"integer\", min = 1, max = 9, default = 10",
            "params.a.default: expected a whole number from 1 to 9, found 10"},
           {"type = \"integer\", min = 9, max = 1, default = 5",
            "params.a.min: is greater than max"},
           {"type = \"integer\", min = \"1\", default = 5",
            "params.a.min: expected a whole number, found text \"1\""},
           {"type = \"path\", max = 3, default = \"\"",
            "params.a.max: only an integer has one, and a text a max"},
           {"type = \"text\", max = 3, default = \"four\"",
            "params.a.default: expected text of at most 3 bytes, found "
            "\"four\""},
           {"type = \"integer\", default = \"5\"",
            "params.a.default: expected a whole number, found \"5\""},
           {"type = \"boolean\", default = \"no\"",
            "params.a.default: expected true or false (yes or no)"},
           {"type = \"choice\", choices = { \"left\" }, default = \"lfet\"",
            "params.a.default: expected one of left, found \"lfet\" (did you "
            "mean \"left\"?)"},
           {"type = \"time\", default = \"never\"",
            "params.a.default: expected a time such as"},
       }) {
    const test::ScratchPlaybook scratch;
    std::string text = test::playbook_with("  ctx:note(\"x\")");
    text.replace(text.find("references ="), 12,
                 "params = { a = { help = \"A.\", " + parameter +
                     " } },\n  references =");
    scratch.write("playbook.lua", text);
    const std::string problems = check_text(scratch);
    INFO(parameter << " -> " << problems);
    CHECK(has(problems, "playbook.lua:13: " + expected));
  }
}

TEST_CASE("a test of a playbook holds its calls against the real collectors",
          "[lua]") {
  const test::ScratchPlaybook scratch;
  scratch.write("playbook.lua",
                test::playbook_with(
                    "  local key = \"rot\"\n"
                    "  ctx:collect(\"model-files\", { [key] = \"/srv\" })"));
  scratch.write("test.lua", R"lua(local fake = require("impound.fake")
return {
  ["says it"] = function(t) t.contains(fake.run(require("playbook")).message, "there is no \"rot\"") end,
}
)lua");
  for (const TestResult& result : test_playbook(
           scratch.folder(), test::child_options(), test::instruments())) {
    INFO(result.message);
    CHECK(result.passed);
  }
}

}  // namespace
}  // namespace impound::lua
