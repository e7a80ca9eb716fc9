// SPDX-License-Identifier: Apache-2.0
/// The made-up case against the engine it stands for, and the steps that all
/// playbooks share, told once.

#include <map>
#include <sstream>

#include "lua/host/call_check.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

/// Runs tests (the body of test.lua's table) of a playbook whose one step is
/// `body`; every one has to pass.
void require_passes(std::string_view body, std::string_view tests,
                    std::string_view effect = "contain") {
  const test::ScratchPlaybook scratch;
  scratch.write("playbook.lua", test::playbook_with(body, effect));
  scratch.write("test.lua",
                "local fake = require(\"impound.fake\")\n"
                "local playbook = require(\"playbook\")\n"
                "return {\n" +
                    std::string(tests) + "\n}\n");
  const auto results = test_playbook(scratch.folder(), test::child_options(),
                                     test::instruments());
  REQUIRE(!results.empty());
  for (const TestResult& result : results) {
    INFO(result.name << ": " << result.message);
    CHECK(result.passed);
  }
}

constexpr std::string_view kContains =
    "  require(\"impound.response\").contain(ctx)";

TEST_CASE("[I13] a containment that was not measured is a gap of its step",
          "[lua][I13]") {
  require_passes(kContains, R"lua(
  ["rolled back"] = function(t)
    local case = fake.run(playbook, {
      answers = { contain = "yes" },
      contain = { contained = false, reason = "probe other still answers" },
    })
    t.equal(case.contained, false)
    t.equal(case.gaps[1].subject, "containment")
    t.contains(case.gaps[1].reason, "probe other still answers; rolled back, measured as not contained")
    t.equal(#case.gaps, 1)
    t.equal(case.steps.act.result, "incomplete")
  end,
  ["in force"] = function(t)
    local case = fake.run(playbook, { answers = { contain = "yes" } })
    t.truthy(case.contained)
    t.equal(#case.gaps, 0)
    t.equal(case.steps.act.result, "done")
  end,)lua");
}

TEST_CASE("[I13] a deployment without a method is not taken out of service",
          "[lua][I13]") {
  require_passes(kContains, R"lua(
  ["no method"] = function(t)
    local case = fake.run(playbook, { answers = { contain = "yes" }, deployment = { containment_method = "" } })
    t.equal(case.contained, false)
    t.equal(case.gaps[1].subject, "containment")
    t.equal(#case.questions, 0)
    t.equal(case.steps.act.result, "incomplete")
  end,)lua");
}

TEST_CASE("a made-up case refuses an answer that the question does not admit",
          "[lua]") {
  require_passes(
      "  ctx:note(ctx:ask({ id = \"q\", question = \"Which?\", choices = { "
      "\"a\", \"b\" } }))",
      R"lua(
  ["outside"] = function(t)
    local case = fake.run(playbook, { answers = { q = "c" } })
    t.equal(case.state, "failed")
    t.contains(case.message, "\"c\" is no answer to \"q\": expected a or b")
  end,
  ["inside"] = function(t) t.equal(fake.run(playbook, { answers = { q = "b" } }).notes[1].text, "b") end,
  ["nobody answers a question without a default"] = function(t)
    local case = fake.run(playbook, {})
    t.equal(case.state, "waiting")
    t.equal(#case.notes, 0)
  end,)lua",
      "read");
}

TEST_CASE("a release that did not succeed leaves the made-up case contained",
          "[lua]") {
  require_passes(
      "  ctx:ask({ id = \"in\", question = \"?\", approves = \"contain\" })\n"
      "  ctx:contain()\n"
      "  ctx:ask({ id = \"out\", question = \"?\", approves = \"release\" })\n"
      "  ctx:release(\"it is over\")\n"
      "  ctx:note(tostring(ctx:probe().contained))",
      R"lua(
  ["still held"] = function(t)
    local case = fake.run(playbook, { answers = { ["in"] = "yes", out = "yes" }, release = { released = false } })
    t.equal(case.contained, true)
    t.equal(case.notes[1].text, "true")
  end,
  ["released"] = function(t)
    local case = fake.run(playbook, { answers = { ["in"] = "yes", out = "yes" } })
    t.equal(case.contained, false)
    t.equal(case.notes[1].text, "false")
  end,
  ["what the setup says of the probe is what the probe says"] = function(t)
    local case = fake.run(playbook, { answers = { ["in"] = "yes", out = "yes" }, probe = { contained = true } })
    t.equal(case.notes[1].text, "true")
  end,)lua");
}

TEST_CASE("a made-up case has no answer about what its setup does not name",
          "[lua]") {
  require_passes("  ctx:scan(ctx:collect(\"model-files\"))",
                 R"lua(
  ["another exhibit"] = function(t)
    local case = fake.run(playbook, { scan = { E007 = { verdict = "no-code" } } })
    t.equal(case.state, "failed")
    t.contains(case.message, "fake.run: scan: there is no \"E001\"")
  end,
  ["that one, and one for all others"] = function(t)
    t.equal(fake.run(playbook, { scan = { E001 = { verdict = "no-code" } } }).state, "done")
    t.equal(fake.run(playbook, { scan = { E007 = {}, verdict = "no-code" } }).state, "done")
  end,
  ["a field that no answer has"] = function(t)
    t.fails(function() fake.run(playbook, { scan = { verdikt = "no-code" } }) end, "scan: there is no \"verdikt\"")
    t.fails(function() fake.run(playbook, { diff = { ["a -> b"] = { identicl = true } } }) end, "\"identicl\"")
  end,)lua",
                 "read");
}

TEST_CASE("a step that looks at what is served is done in a made-up case",
          "[lua]") {
  require_passes("  ctx:served()", R"lua(
  ["a process serves it"] = function(t) t.equal(fake.run(playbook, {}).steps.act.result, "done") end,
  ["no process is found"] = function(t)
    local case = fake.run(playbook, { served = { tie = "unknown", sentence = "no process", pids = {} } })
    t.equal(case.steps.act.message, "no process")
  end,)lua",
                 "read");
}

/// "Difference" -> its fields without a question mark, from
/// lua/api/context.lua.
std::map<std::string, std::vector<std::string>> promised_fields() {
  std::istringstream stubs(read_text_file(
      fs::path(IMPOUND_SOURCE_DIR) / "lua/api/context.lua", 1 << 20));
  std::map<std::string, std::vector<std::string>> promised;
  std::string owner;
  for (std::string line; std::getline(stubs, line);) {
    constexpr std::string_view kClass = "---@class impound.";
    constexpr std::string_view kField = "---@field ";
    if (line.starts_with(kClass)) {
      owner = line.substr(kClass.size());
    } else if (line.starts_with(kField)) {
      const std::string name = line.substr(
          kField.size(), line.find(' ', kField.size()) - kField.size());
      if (!name.ends_with('?')) promised[owner].push_back(name);
    } else if (!line.starts_with("---")) {
      owner.clear();
    }
  }
  return promised;
}

TEST_CASE("the stand-in of a plan has every field that the stubs promise",
          "[lua]") {
  const auto promised = promised_fields();
  for (const auto& [function, owner] :
       std::vector<std::pair<CtxFunction, std::string>>{
           {CtxFunction::contain, "ContainResult"},
           {CtxFunction::served, "ServedModel"},
           {CtxFunction::diff, "Difference"},
           {CtxFunction::load_baseline, "BaselineContent"},
           {CtxFunction::verify_signature, "SignatureReport"},
           {CtxFunction::scan, "ScanReport"}}) {
    REQUIRE(promised.contains(owner));
    const Json answer = rule_of(function).stand_in(Json::object());
    for (const std::string& field : promised.at(owner)) {
      INFO(to_string(function) << ": " << field);
      CHECK(answer.contains(field));
    }
  }
  const Json counted =
      rule_of(CtxFunction::diff).stand_in(Json::object())["compared"];
  for (const std::string& field : promised.at("Compared")) {
    CHECK(counted.contains(field));
  }
}

}  // namespace
}  // namespace impound::lua
