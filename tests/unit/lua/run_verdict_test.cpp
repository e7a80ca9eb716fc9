// SPDX-License-Identifier: Apache-2.0
/// What a run came to: steps, findings and comparisons, judged in one place.

#include "lua/host/run_verdict.hpp"

#include <set>

#include "tests/support/catch.hpp"
#include "tests/unit/lua/recording_host.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

StepOutcome step(StepResult result, std::string message = {}) {
  StepOutcome outcome;
  outcome.step.id = "act";
  outcome.result = result;
  outcome.message = std::move(message);
  outcome.has_ended = true;
  return outcome;
}

RunOutcome run_of(std::vector<StepOutcome> steps, bool has_compared) {
  RunOutcome outcome;
  outcome.steps = std::move(steps);
  outcome.has_compared = has_compared;
  return outcome;
}

std::vector<FindingSaid> said(const std::vector<std::string>& verdicts) {
  std::vector<FindingSaid> findings;
  for (const std::string& one : verdicts) {
    findings.push_back({.verdict = one, .detail = "why " + one});
  }
  return findings;
}

RunVerdict verdict(const RunOutcome& outcome,
                   const std::vector<std::string>& verdicts) {
  return conclude(outcome, said(verdicts)).verdict;
}

/// One attempt of a playbook whose step is `body`.
RunOutcome attempt(std::string_view body, PlaybookHost& host) {
  const test::ScratchPlaybook scratch;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  options.deployment = Json{{"containment_method", "process"}};
  return run_playbook(scratch.load(test::playbook_with(body, "contain")),
                      options, host);
}

constexpr std::string_view kAsksAndContains =
    "  if ctx:ask({ id = \"go\", question = \"Now?\", approves = \"contain\" "
    "}) "
    "== \"yes\" then ctx:contain() end";

TEST_CASE("[I13] a run that compared nothing and found nothing is incomplete",
          "[lua][I13]") {
  const RunOutcome outcome = run_of({step(StepResult::done)}, false);
  const RunConclusion conclusion = conclude(outcome, {});
  CHECK(conclusion.verdict == RunVerdict::incomplete);
  REQUIRE(conclusion.incomplete().size() == 1);
  CHECK(conclusion.incomplete()[0].find("nothing was compared") == 0);
  CHECK(verdict(run_of({step(StepResult::done)}, true), {}) ==
        RunVerdict::nothing_found);
}

TEST_CASE("[I13] a run that only preserves is not told that a step was undone",
          "[lua][I13]") {
  const std::string text =
      conclude(run_of({step(StepResult::done)}, false), {}).to_text();
  CHECK(text ==
        "Outcome: incomplete: every step was done, and nothing was compared: "
        "whether anything was tampered with is unknown.\n");
  const std::string with_gap =
      conclude(run_of({step(StepResult::incomplete, "logs: none")}, false), {})
          .to_text();
  CHECK(with_gap ==
        "Outcome: incomplete: nothing suspicious was recorded, and what stands "
        "below was not done.\n"
        "Besides, nothing was compared: whether anything was tampered with is "
        "unknown.\n"
        "Not done:\n  step act: logs: none\n");
}

TEST_CASE("a step that was skipped because an earlier one failed is listed",
          "[lua][I13]") {
  StepOutcome skipped = step(StepResult::skipped, "step act did not succeed");
  skipped.step.id = "look";
  skipped.blocked_by = "act";
  RunOutcome outcome =
      run_of({step(StepResult::failed, "no such file"), skipped,
              step(StepResult::skipped, "its condition does not hold")},
             true);
  outcome.state = RunState::failed;
  CHECK(
      conclude(outcome, {}).undone ==
      std::vector<std::string>{"step act: no such file",
                               "step look: skipped, step act did not succeed"});
}

TEST_CASE("findings win over what is incomplete, and both are said",
          "[lua][I13]") {
  const RunOutcome outcome =
      run_of({step(StepResult::incomplete, "prompt logs: none")}, true);
  const RunConclusion conclusion =
      conclude(outcome, said({"cleared", "likely"}));
  CHECK(conclusion.verdict == RunVerdict::findings);
  CHECK(conclusion.suspicions == 1);
  const std::string text = conclusion.to_text();
  CHECK(text.find("Outcome: findings") == 0);
  CHECK(text.find("step act: prompt logs: none\n") != std::string::npos);
}

TEST_CASE("a cleared run with an incomplete step is not cleared",
          "[lua][I13]") {
  CHECK(verdict(run_of({step(StepResult::done)}, true), {"cleared"}) ==
        RunVerdict::cleared);
  CHECK(verdict(run_of({step(StepResult::incomplete, "x")}, true),
                {"cleared"}) == RunVerdict::incomplete);
  CHECK(verdict(run_of({step(StepResult::done)}, true),
                {"cleared", "cleared (files only)"}) ==
        RunVerdict::cleared_files_only);
  CHECK(verdict(run_of({step(StepResult::done)}, true), {"exonerated"}) ==
        RunVerdict::findings);  // a word that this build does not know
  // A step whose own condition did not hold was not asked for.
  CHECK(verdict(run_of({step(StepResult::skipped, "no")}, true), {"cleared"}) ==
        RunVerdict::cleared);
}

TEST_CASE("[I13] the last words say why only the files were cleared",
          "[lua][I13]") {
  const RunOutcome outcome = run_of({step(StepResult::done)}, true);
  const std::string text =
      conclude(outcome, said({"cleared", "cleared (files only)"})).to_text();
  CHECK(text.find("Outcome: cleared (files only)") == 0);
  CHECK(text.find("  why cleared (files only)\n") != std::string::npos);
  CHECK(conclude(outcome, said({"cleared"})).to_text().find("why") ==
        std::string::npos);
}

TEST_CASE("a run that did not end is not judged by its findings",
          "[lua][I13]") {
  RunOutcome outcome = run_of({StepOutcome{}}, true);
  for (const auto& [state, expected] :
       std::vector<std::pair<RunState, RunVerdict>>{
           {RunState::waiting, RunVerdict::waiting},
           {RunState::failed, RunVerdict::failed},
           {RunState::interrupted, RunVerdict::interrupted}}) {
    outcome.state = state;
    const RunConclusion conclusion = conclude(outcome, said({"cleared"}));
    CHECK(conclusion.verdict == expected);
    CHECK(conclusion.undone.size() == 1);  // the step was not reached
  }
}

TEST_CASE("[I13] a step in which something could not be had is incomplete",
          "[lua][I13]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt(
      "  ctx:gap({ subject = \"logs\", reason = \"none are named\" })", host);
  CHECK(outcome.state == RunState::done);
  CHECK(outcome.steps[0].result == StepResult::incomplete);
  CHECK(outcome.steps[0].message == "logs: none are named");
  CHECK(host.events.back() == "incomplete act");
}

TEST_CASE(
    "[I13] a containment that was not measured does not end its step done",
    "[lua][I13]") {
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "yes"}};
  CHECK(attempt(kAsksAndContains, host).steps[0].result == StepResult::done);
  for (const Json& answer :
       {Json{{"contained", false}, {"reason", "probe root still answers"}},
        Json{{"method", "process"}}}) {
    test::RecordingHost again;
    again.answers["ask"] = Json{{"answer", "yes"}};
    again.answers["contain"] = answer;
    const RunOutcome outcome = attempt(kAsksAndContains, again);
    CHECK(outcome.steps[0].result == StepResult::incomplete);
    CHECK(outcome.steps[0].message.find("not measured to be contained") !=
          std::string::npos);
  }
}

TEST_CASE("a step whose question was answered no is incomplete, also replayed",
          "[lua][I13]") {
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "no"}};
  for (int attempts = 0; attempts < 2; ++attempts) {
    const RunOutcome outcome = attempt(kAsksAndContains, host);
    CHECK(outcome.steps[0].result == StepResult::incomplete);
    CHECK(outcome.steps[0].message ==
          "\"go\" was answered no: contain was not allowed");
    CHECK(outcome.replayed == attempts);
  }
}

TEST_CASE("every verdict has a word of its own", "[lua][I13]") {
  std::set<std::string_view> words;
  for (const RunVerdict one :
       {RunVerdict::findings, RunVerdict::incomplete,
        RunVerdict::cleared_files_only, RunVerdict::cleared,
        RunVerdict::nothing_found, RunVerdict::failed, RunVerdict::waiting,
        RunVerdict::interrupted}) {
    words.insert(to_string(one));
  }
  CHECK(words.size() == 8);
  CHECK(to_string(RunVerdict::cleared_files_only) == "cleared (files only)");
  CHECK(to_string(RunVerdict::nothing_found) == "nothing found");
}

}  // namespace
}  // namespace impound::lua
