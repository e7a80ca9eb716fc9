// SPDX-License-Identifier: Apache-2.0
/// Calls of a playbook: checked, journaled, replayed, planned.

#include "lua/host/playbook_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/base/text.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/recording_host.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

RunOptions run_options() {
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  options.deployment =
      Json{{"name", "prod"}, {"containment_method", "process"}};
  return options;
}

/// One attempt of a playbook whose step is `body`.
RunOutcome attempt(std::string_view body, PlaybookHost& host,
                   std::string_view effect = "read",
                   const RunOptions& options = run_options()) {
  const test::ScratchPlaybook scratch;
  return run_playbook(scratch.load(test::playbook_with(body, effect)), options,
                      host);
}

constexpr std::string_view kThreeCalls = R"lua(
  local model = ctx:collect("model-files", { root = "/srv" })
  ctx:finding({ verdict = "likely", severity = "high", title = "Odd", evidence = { model } })
  ctx:note("worst is " .. ctx:worst_verdict()))lua";

TEST_CASE("calls reach the host in order, with checked arguments", "[lua]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt(kThreeCalls, host);
  CHECK(outcome.state == RunState::done);
  CHECK(outcome.calls == 3);
  CHECK(outcome.worst_verdict == "likely");
  REQUIRE(host.performed.size() == 3);
  CHECK(host.performed[0].arguments["arguments"]["root"] == "/srv");
  CHECK(host.performed[0].at == "playbook.lua:4");
  CHECK(host.performed[1].arguments["evidence"] == Json{"E000"});
  CHECK(host.performed[2].arguments["text"] == "worst is likely");
  CHECK(host.events == std::vector<std::string>{"start act", "done act"});
}

TEST_CASE("a resumed run is answered from the journal up to its frontier",
          "[lua]") {
  test::RecordingHost host;
  host.die_after = 2;
  CHECK_THROWS_AS(attempt(kThreeCalls, host), std::runtime_error);
  CHECK(host.performed.size() == 2);
  host.die_after = -1;
  host.performed.clear();
  const RunOutcome outcome = attempt(kThreeCalls, host);
  CHECK(outcome.state == RunState::done);
  CHECK(outcome.calls == 3);
  CHECK(outcome.replayed == 2);
  REQUIRE(host.performed.size() == 1);
  CHECK(host.performed[0].function == CtxFunction::note);
}

TEST_CASE("a call that was begun and not ended is performed again", "[lua]") {
  test::RecordingHost host;
  static_cast<void>(attempt("  ctx:note(\"a\")", host));
  host.journal[1].answer.reset();
  host.performed.clear();
  const RunOutcome outcome = attempt("  ctx:note(\"a\")", host);
  CHECK(outcome.replayed == 0);
  CHECK(host.performed.size() == 1);
}

TEST_CASE("another path than the recorded one is refused", "[lua]") {
  test::RecordingHost host;
  static_cast<void>(attempt("  ctx:note(\"a\")", host));
  CHECK_THROWS_WITH(
      attempt("  ctx:note(\"b\")", host),
      Catch::Contains("took another path than recorded: call 1 is now note in "
                      "step act at playbook.lua:3"));
}

TEST_CASE("a changed playbook is refused on resume", "[lua]") {
  const test::ScratchPlaybook scratch;
  const std::string before =
      scratch.load(test::playbook_with("  ctx:note(\"a\")")).sha256;
  const LoadedPlaybook changed =
      scratch.load(test::playbook_with("  ctx:note(\"a\") -- harmless"));
  RunOptions options = run_options();
  options.resumed_sha256 = before;
  test::RecordingHost host;
  CHECK_THROWS_WITH(run_playbook(changed, options, host),
                    Catch::Contains("was changed since the run began"));
  CHECK(host.performed.empty());
}

TEST_CASE("ctx shows the parameters and the whole deployment", "[lua]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt(
      "  ctx:note(ctx.deployment.name .. #ctx.deployment.logs .. "
      "ctx.deployment.baseline_path)",
      host);
  INFO(outcome.message);
  CHECK(host.performed.back().arguments["text"] == "prod0");
}

TEST_CASE("a playbook for a newer program is refused", "[lua]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with("  ctx:note(\"a\")");
  text.replace(text.find("needs = {"), 9, "needs = { min_tool = \"0.10.0\",");
  const LoadedPlaybook playbook = scratch.load(text);
  RunOptions options = run_options();
  test::RecordingHost host;
  options.tool_version = "0.9.1";
  CHECK_THROWS_WITH(run_playbook(playbook, options, host),
                    Catch::Contains("needs impound 0.10.0 or newer"));
  options.tool_version = "0.10.0";
  CHECK(run_playbook(playbook, options, host).state == RunState::done);
}

TEST_CASE("an answer too large for a message is an error in Lua", "[lua]") {
  test::RecordingHost host;
  host.answers["probe"] = Json{{"big", std::string(65 << 20, 'x')}};
  const RunOutcome outcome = attempt("  ctx:probe()", host);
  CHECK(outcome.state == RunState::failed);
  CHECK(has(outcome.message, "larger than the limit"));
}

TEST_CASE("a tail call is reported at its step", "[lua]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt("  return ctx:collect(\"gpu\")", host);
  INFO(outcome.message);
  CHECK(has(outcome.message, "playbook.lua:14: collect(\"gpu\") is not"));
}

TEST_CASE("an error of the host is replayed as it was", "[lua]") {
  test::RecordingHost host;
  host.failing["collect"] = "Permission denied";
  const char* body =
      "  local ok, why = pcall(ctx.collect, ctx, \"model-files\")\n"
      "  ctx:note(why.code .. \": \" .. why.message)";
  CHECK(attempt(body, host).state == RunState::done);
  host.failing.clear();
  const RunOutcome again = attempt(body, host);
  CHECK(again.state == RunState::done);
  CHECK(again.replayed == 2);
  CHECK(host.performed.back().arguments["text"] == "io: Permission denied");
}

TEST_CASE("what is no answer ends the run, and is tried again on resume",
          "[lua]") {
  test::RecordingHost host;
  host.failing["collect"] = "No space left on device";
  host.attempts = {"collect"};
  const char* body =
      "  pcall(ctx.collect, ctx, \"model-files\")\n"
      "  ctx:note(\"behind it\")";
  const RunOutcome outcome = attempt(body, host);
  CHECK(outcome.state == RunState::interrupted);
  CHECK(has(outcome.message, "No space left on device"));
  CHECK(host.journal.empty());
  CHECK(host.performed.size() == 1);  // pcall does not lead past it
  host.failing.clear();
  const RunOutcome resumed = attempt(body, host);
  CHECK(resumed.state == RunState::done);
  CHECK(resumed.replayed == 0);
  CHECK(resumed.calls == 2);
}

TEST_CASE("a comparison that failed inside pcall compared nothing", "[lua]") {
  for (const char* call :
       {"ctx.diff, ctx, \"E001\", \"E002\"", "ctx.scan, ctx, \"E001\""}) {
    test::RecordingHost host;
    host.failing["diff"] = "malformed";
    host.failing["scan"] = "malformed";
    const std::string body = std::string("  pcall(") + call + ")";
    CHECK_FALSE(attempt(body.c_str(), host).has_compared);
    REQUIRE(host.journal.size() == 1);
    CHECK_FALSE(attempt(body.c_str(), host).has_compared);  // nor replayed
  }
}

TEST_CASE("a resumed run has the worst verdict of the one that was undisturbed",
          "[lua]") {
  test::RecordingHost host;
  const RunOutcome first = attempt(kThreeCalls, host);
  const RunOutcome again = attempt(kThreeCalls, host);
  CHECK(again.replayed == first.calls);
  CHECK(again.worst_verdict == "likely");
  CHECK(again.worst_verdict == first.worst_verdict);
}

TEST_CASE("plan mode performs nothing and says what would happen", "[lua]") {
  test::RecordingHost host;
  RunOptions options = run_options();
  options.mode = RunMode::plan;
  const RunOutcome outcome = attempt(kThreeCalls, host, "read", options);
  CHECK(outcome.state == RunState::done);
  CHECK(host.performed.empty());
  CHECK(host.journal.empty());
  REQUIRE(outcome.plan.size() == 3);
  CHECK(has(outcome.plan[0].sentence, "Would collect model-files"));
  CHECK(outcome.plan[1].sentence == "May record: Odd.");
}

TEST_CASE("[I12] an undeclared collector is refused, pcall or not",
          "[lua][I12]") {
  for (const char* body :
       {"  ctx:collect(\"process\")",
        "  pcall(ctx.collect, ctx, \"process\")\n  ctx:note(\"went on\")"}) {
    test::RecordingHost host;
    const RunOutcome outcome = attempt(body, host);
    CHECK(outcome.state == RunState::failed);
    CHECK(has(outcome.message,
              "playbook.lua:3: collect(\"process\") is not declared: add it "
              "to needs.collectors"));
    CHECK(host.performed.empty());
  }
}

TEST_CASE("[I12] only a step that declares it may contain", "[lua][I12]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt("  ctx:contain()", host);
  CHECK(has(outcome.message, "the step needs effect = \"contain\""));
  CHECK(host.performed.empty());
}

TEST_CASE("[I12] nothing is contained without an approval", "[lua][I12]") {
  test::RecordingHost host;
  CHECK(has(attempt("  ctx:contain()", host, "contain").message,
            "was not approved"));
  CHECK(host.performed.empty());

  const char* asks =
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = \"contain\" "
      "})\n  ctx:contain()";
  host.answers["ask"] = Json{{"answer", "no"}};
  CHECK(has(attempt(asks, host, "contain").message, "was not approved"));
  CHECK(host.performed.back().function == CtxFunction::ask);

  host.journal.clear();
  host.answers["ask"] = Json{{"answer", "yes"}};
  CHECK(attempt(asks, host, "contain").state == RunState::done);
  CHECK(host.performed.back().function == CtxFunction::contain);
  CHECK(host.performed.back().arguments["method"] == "process");
}

TEST_CASE("[I12] a yes to one act does not allow another", "[lua][I12]") {
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "yes"}};
  CHECK(has(attempt("  ctx:ask({ id = \"back\", question = \"Back?\", "
                    "approves = \"release\" })\n  ctx:contain()",
                    host, "contain")
                .message,
            "contain() in step act was not approved"));
  CHECK(host.performed.back().function == CtxFunction::ask);
}

TEST_CASE("[I12] a yes of one step does not allow an act in the next",
          "[lua][I12]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with(
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = "
      "\"contain\" })",
      "contain");
  text.insert(text.find("return impound.playbook"),
              "local function later(ctx)\n  ctx:contain()\nend\n");
  text.insert(text.find(" },\n})"),
              ", { id = \"later\", title = \"Do it later\", run = later, "
              "effect = \"contain\" }");
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "yes"}};
  const RunOutcome outcome =
      run_playbook(scratch.load(text), run_options(), host);
  CHECK(outcome.state == RunState::failed);
  CHECK(has(outcome.message, "contain() in step later was not approved"));
  CHECK(host.performed.back().function == CtxFunction::ask);
}

TEST_CASE("[I12] an act is allowed by yes and no other word", "[lua][I12]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt(
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = "
      "\"contain\", choices = { \"go\", \"stay\" } })",
      host, "contain");
  CHECK(has(outcome.message, "choices: expected { \"yes\", \"no\" }"));
  CHECK(host.performed.empty());
}

TEST_CASE("[I13] a run has compared if it held evidence against something else",
          "[lua][I13]") {
  for (const auto& [body, expected] : std::vector<std::pair<std::string, bool>>{
           {"ctx:diff(\"E001\", \"E002\")", true},
           {"ctx:scan(\"E001\")", true},
           {"ctx:verify_signature(\"E001\", { signature = \"model.sig\", "
            "unsigned_compare = true })",
            true},
           {"ctx:collect(\"model-files\")", false},
           {"ctx:verify(\"E001\")", false},
           {"ctx:note(\"compared\")", false}}) {
    test::RecordingHost host;
    const RunOutcome outcome = attempt("  " + body, host);
    INFO(body << " " << outcome.message);
    CHECK(outcome.state == RunState::done);
    CHECK(outcome.has_compared == expected);
  }
}

/// Looks at the limits of the child while it waits for the answer to a note.
class LookingHost final : public test::RecordingHost {
 public:
  Json perform(const HostCall& call, std::int64_t n) override {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string pid = entry.path().filename();
      if (pid.find_first_not_of("0123456789") == std::string::npos &&
          is_below_us(pid)) {
        limits.push_back(text_of("/proc/" + pid + "/limits"));
      }
    }
    return RecordingHost::perform(call, n);
  }
  std::vector<std::string> limits;

 private:
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static bool is_below_us(std::string pid) {
    const std::string us = std::to_string(::getpid());
    while (!pid.empty() && pid != us && pid != "0") {
      const std::string status = text_of("/proc/" + pid + "/status");
      const std::size_t at = status.find("PPid:\t");
      if (at == std::string::npos) return false;
      const std::size_t from = at + 6;
      pid = status.substr(from, status.find('\n', from) - from);
      if (pid == us) return true;
    }
    return false;
  }
};

TEST_CASE("the child of a playbook runs under its limits", "[lua]") {
  LookingHost host;
  CHECK(attempt("  ctx:note(\"look at me\")", host).state == RunState::done);
  // One of them: a parent that waits in front of it may have none.
  const bool is_bounded =
      std::ranges::any_of(host.limits, [](const std::string& all) {
        for (const char* name :
             {"Max core file size", "Max file size", "Max processes"}) {
          const std::size_t at = all.find(name);
          if (at == std::string::npos || trim(all.substr(at + 26, 20)) != "0") {
            return false;
          }
        }
        return true;
      });
  INFO((host.limits.empty() ? "no child" : host.limits.front()));
  CHECK(is_bounded);
}

TEST_CASE("[I12] one yes allows one act", "[lua][I12]") {
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "yes"}};
  const RunOutcome outcome = attempt(
      "  ctx:note(\"first\")\n"
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = "
      "\"contain\" })\n  ctx:contain()\n  ctx:contain()",
      host, "contain");
  CHECK(has(outcome.message, "was not approved: ask before each"));
  CHECK(host.performed.size() == 3);
  CHECK(host.performed.back().function == CtxFunction::contain);
  CHECK(host.performed.back().allowed_by == 2);  // the number of the question
}

TEST_CASE("a question without choices is free text", "[lua]") {
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "the night shift"}};
  const RunOutcome outcome = attempt(
      "  ctx:note(ctx:ask({ id = \"who\", question = \"Who saw it?\" }))",
      host);
  INFO(outcome.message);
  CHECK(outcome.state == RunState::done);
  CHECK(host.performed.back().arguments["text"] == "the night shift");
}

TEST_CASE("a surprise in the JSON of a call is an error of that call",
          "[lua]") {
  struct Surprised final : test::RecordingHost {
    Json perform(const HostCall& call, std::int64_t n) override {
      if (call.function == CtxFunction::probe)
        return call.arguments.at("no such key");
      return test::RecordingHost::perform(call, n);
    }
  } host;
  const RunOutcome outcome = attempt(
      "  local ok, why = pcall(ctx.probe, ctx)\n"
      "  ctx:note(why.code .. \" \" .. why.message)",
      host);
  CHECK(outcome.state == RunState::done);
  CHECK(has(host.performed.back().arguments["text"].get<std::string>(),
            "bad_input probe: an argument or an answer is not of the expected "
            "type"));
}

TEST_CASE("what a plan cannot read is an error of that call", "[lua]") {
  struct Blind final : test::RecordingHost {
    Errc code = Errc::io;
    PlannedCall plan(const HostCall& call) override {
      if (call.function == CtxFunction::probe) throw Error(code, "it is gone");
      return test::RecordingHost::plan(call);
    }
  } host;
  RunOptions options = run_options();
  options.mode = RunMode::plan;
  const char* body = "  pcall(ctx.probe, ctx)\n  ctx:note(\"went on\")";
  const RunOutcome outcome = attempt(body, host, "read", options);
  CHECK(outcome.state == RunState::done);
  CHECK(outcome.plan.size() == 1);
  host.code = Errc::bad_input;  // a mistake is said before anything is done
  CHECK_THROWS_WITH(attempt(body, host, "read", options),
                    Catch::Contains("it is gone"));
}

TEST_CASE("a plan knows every question that it meets", "[lua]") {
  test::RecordingHost host;
  RunOptions options = run_options();
  options.mode = RunMode::plan;
  const RunOutcome outcome = attempt(
      "  ctx:ask({ id = \"go\", question = \"Now?\", default = \"no\", "
      "approves = \"contain\" })\n"
      "  ctx:ask({ id = \"who\", question = \"Who?\" })",
      host, "contain", options);
  REQUIRE(outcome.questions.size() == 2);
  const Question& go = outcome.questions[0].question;
  CHECK(outcome.questions[0].step == "act");
  CHECK(go.approves == GuardedAct::contain);
  CHECK(go.otherwise == "no");
  CHECK(go.admits("yes"));
  CHECK_FALSE(go.admits("nope"));
  CHECK_FALSE(go.admits(""));
  const Question& who = outcome.questions[1].question;
  CHECK(who.admits("anybody"));
  CHECK_FALSE(who.admits("  "));
  CHECK(who.admitted() == "any text");
}

TEST_CASE("a declared question is asked as it was declared", "[lua]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with(
      "  ctx:ask({ id = \"go\", question = \"Now?\", choices = { \"a\", "
      "\"b\" } })");
  const auto declare = [&](const std::string& questions) {
    std::string playbook = text;
    playbook.replace(playbook.find("references ="), 12,
                     "questions = " + questions + ",\n  references =");
    return playbook;
  };
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "a"}};
  const LoadedPlaybook same = scratch.load(
      declare("{ go = { question = \"Now?\", choices = { \"a\", \"b\" } } }"));
  REQUIRE(same.questions.size() == 1);
  CHECK(run_playbook(same, run_options(), host).state == RunState::done);
  CHECK(has(document_playbook(same), "| `go` | Now? | a or b | – | – |"));
  CHECK(show_playbook(same)["questions"][0]["id"] == "go");
  const LoadedPlaybook other = scratch.load(
      declare("{ go = { question = \"Now?\", choices = { \"a\" } } }"));
  test::RecordingHost again;
  const RunOutcome outcome = run_playbook(other, run_options(), again);
  CHECK(has(outcome.message, "is declared with other choices"));
  CHECK(again.performed.empty());
  for (const auto& [questions, problem] :
       std::vector<std::pair<std::string, std::string>>{
           {"{ go = { question = \"Now?\", approves = \"delete\" } }",
            "questions.go.approves: expected \"contain\" or \"release\""},
           {"{ go = { question = \"Now?\", choices = { \"a\" }, default = "
            "\"b\" } }",
            "questions.go.default: expected a"},
           {"{ go = { choices = { \"a\" } } }",
            "questions.go.question: expected a question"},
           {"{ go = { question = \"Now?\", why = \"x\" } }",
            "questions.go.why: no such field"}}) {
    const LoadResult result = scratch.read(declare(questions));
    REQUIRE_FALSE(result.playbook);
    INFO(result.problems[0].message);
    CHECK(has(result.problems[0].message, problem));
  }
}

TEST_CASE("[I12] a declared question approves what it was declared to approve",
          "[lua][I12]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with(
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = \"contain\" "
      "})",
      "contain");
  text.replace(text.find("references ="), 12,
               "questions = { go = { question = \"Now?\", approves = "
               "\"release\" } },\n  references =");
  test::RecordingHost host;
  const RunOutcome outcome =
      run_playbook(scratch.load(text), run_options(), host);
  INFO(outcome.message);
  CHECK(has(outcome.message, "is declared with other choices or another act"));
  CHECK(host.performed.empty());
}

TEST_CASE("a file that declares another playbook than was loaded does not run",
          "[lua]") {
  const test::ScratchPlaybook scratch;
  LoadedPlaybook playbook =
      scratch.load(test::playbook_with("  ctx:note(\"a\")"));
  playbook.declared["title"] = "Shown to somebody";
  test::RecordingHost host;
  const RunOutcome outcome = run_playbook(playbook, run_options(), host);
  CHECK(outcome.state == RunState::failed);
  CHECK(has(outcome.message, "declares another playbook than before"));
  CHECK(host.performed.empty());
}

TEST_CASE(
    "[I12] an approval that outlives its step is refused, replayed or not",
    "[lua][I12]") {
  std::string text = test::playbook_with(
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = \"contain\" "
      "})",
      "contain");
  text.insert(text.find("return impound.playbook"),
              "local function later(ctx)\n  ctx:contain()\nend\n");
  const std::size_t end = text.rfind(" },\n})");
  REQUIRE(end != std::string::npos);
  text.insert(end,
              ", { id = \"later\", title = \"Later\", run = later, effect = "
              "\"contain\" }");
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook = scratch.load(text);
  test::RecordingHost host;
  host.answers["ask"] = Json{{"answer", "yes"}};
  for (const std::int64_t replayed : {0, 1}) {
    const RunOutcome outcome = run_playbook(playbook, run_options(), host);
    CHECK(outcome.replayed == replayed);
    CHECK(outcome.state == RunState::failed);
    CHECK(has(outcome.message, "contain() in step later was not approved"));
    CHECK(host.performed.size() == 1);  // the question alone
  }
}

TEST_CASE("[I12] a containment declared under another name does not pass",
          "[lua][I12]") {
  const std::string ask =
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = \"contain\" "
      "})\n";
  for (const auto& [declared, call] :
       std::vector<std::pair<std::string, std::string>>{
           {"process", "ctx:contain()"},  // the deployment names another
           {"deployment", "ctx:contain(\"process\")"}}) {
    std::string text = test::playbook_with(ask + "  " + call, "contain");
    const std::string was = "containments = { \"process\" }";
    REQUIRE(text.find(was) != std::string::npos);
    text.replace(text.find(was), was.size(),
                 "containments = { \"" + declared + "\" }");
    const test::ScratchPlaybook scratch;
    RunOptions options = run_options();
    options.deployment["containment_method"] = "freezer-of-others";
    test::RecordingHost host;
    host.answers["ask"] = Json{{"answer", "yes"}};
    const RunOutcome outcome = run_playbook(scratch.load(text), options, host);
    INFO(declared);
    CHECK(has(outcome.message, "is not declared"));
    CHECK(host.performed.size() == 1);  // the question alone
  }
}

TEST_CASE("[I12] an undeclared containment method is refused", "[lua][I12]") {
  test::RecordingHost host;
  CHECK(has(attempt("  ctx:contain(\"firewall\")", host, "contain").message,
            "add it to needs.containments"));
  CHECK(host.performed.empty());
}

TEST_CASE("a missing approval ends the run as waiting, and it resumes",
          "[lua]") {
  test::RecordingHost host;
  const char* body =
      "  ctx:note(\"before\")\n"
      "  ctx:ask({ id = \"go\", question = \"Now?\", approves = \"contain\" "
      "})\n  ctx:contain()";
  host.answers["ask"] = Json{{"waiting", "approval go"}};
  const RunOutcome waiting = attempt(body, host, "contain");
  CHECK(waiting.state == RunState::waiting);
  CHECK(waiting.message == "approval go");
  host.answers["ask"] = Json{{"answer", "yes"}};
  const RunOutcome resumed = attempt(body, host, "contain");
  CHECK(resumed.state == RunState::done);
  CHECK(resumed.replayed == 1);
}

TEST_CASE("arguments that do not fit are refused at their line", "[lua]") {
  for (const auto& [body, expected] :
       std::vector<std::pair<std::string, std::string>>{
           {"ctx:finding({ verdict = \"sure\", title = \"x\", evidence = { "
            "\"E001\" } })",
            "finding: verdict: expected one of cleared, cleared (files only), "
            "likely, confirmed, found \"sure\""},
           {"ctx:finding({ verdict = \"likely\", title = \"x\", severity = "
            "\"high\", evidence = {} })",
            "evidence: expected at least one of the items or exhibits"},
           {"ctx:finding({ verdict = \"likely\", title = \"x\", evidence = { "
            "\"E001\" } })",
            "severity: expected one of info"},
           {"ctx:finding({ verdict = \"cleared\", title = \"x\", evidence = { "
            "\"../x\" } })",
            "items or exhibits (E001, E001/17) it rests on, found \"../x\""},
           {"ctx:collect()", "collector: expected text, found nothing"},
           {"ctx:collect(\"model-files\", \"x\")",
            "arguments: expected a table"},
           {"ctx:ask({ id = \"a\", question = \"b\", defualt = \"no\" })",
            "ask: there is no \"defualt\" (did you mean \"default\"?); it "
            "takes "
            "id, question, choices"},
           {"ctx:ask({ id = \"a\", question = \"b\", choices = { \"x\" }, "
            "default = \"y\" })",
            "default: expected one of the choices"},
           {"ctx:ask({ id = \"a\", question = \"b\", choices = {} })",
            "choices: expected at least one; leave it out for free text"},
           {"ctx:ask({ id = \"a\", question = \"b\", approves = "
            "\"contain\", default = \"maybe\" })",
            "default: expected one of the choices"},
           {"ctx:gap({ subject = \"s\", reason = \"r\", outcome = \"odd\" })",
            "outcome: expected one of missing, denied"},
           {"ctx:ask({ id = act })",
            "id: expected text, a number, a boolean "
            "or a table, found a function"},
           {"ctx:colect(\"model-files\")", "colect"},
       }) {
    test::RecordingHost host;
    const RunOutcome outcome = attempt("  " + body, host);
    INFO(body << " -> " << outcome.message);
    CHECK(outcome.state == RunState::failed);
    CHECK(has(outcome.message, expected));
    CHECK(has(outcome.message, "playbook.lua:3: "));
    CHECK(host.performed.empty());
  }
}

TEST_CASE("a failed step skips what rests on it, and nothing else", "[lua]") {
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with("  error(\"broken\")");
  const std::string one = "steps = { {";
  text.replace(
      text.find(one), one.size(),
      "steps = {\n    { id = \"first\", title = \"A\", run = act },\n"
      "    { id = \"second\", title = \"B\", run = act, after = { \"first\" } "
      "},\n    { id = \"third\", title = \"C\", run = act, after = { "
      "\"second\" } },\n    { id = \"never\", title = \"D\", run = act, when "
      "= function() return false end },\n    {");
  test::RecordingHost host;
  const RunOutcome outcome =
      run_playbook(scratch.load(text), run_options(), host);
  CHECK(outcome.state == RunState::failed);
  CHECK(host.events == std::vector<std::string>{
                           "start first", "failed first", "skipped second",
                           "skipped third", "start never", "skipped never",
                           "start act", "failed act"});
  CHECK(outcome.steps[0].message == "playbook.lua:3: broken");
  CHECK(outcome.steps[2].message == "step second did not succeed");
}

TEST_CASE("items come in pages, and reads are bytes", "[lua]") {
  test::RecordingHost host;
  host.item_count = 1234;
  const RunOutcome outcome = attempt(
      "  local n, last = 0, nil\n"
      "  for item in ctx:collect(\"model-files\"):items(\"**\") do n = n + 1 "
      "last = item end\n"
      "  ctx:note(n .. \" \" .. last.ref .. \" \" .. #last:read() .. \" \" .. "
      "last:read(0, 4):byte(2))",
      host);
  INFO(outcome.message);
  CHECK(outcome.state == RunState::done);
  CHECK(host.performed.back().arguments["text"] == "1234 E000/1234 4 255");
  CHECK(outcome.calls == 2);  // looking at sealed evidence is not journaled
}

TEST_CASE("the hash of a call does not depend on the order of keys", "[lua]") {
  const HostCall a{.function = CtxFunction::note,
                   .step = "s",
                   .arguments = Json{{"x", 1}, {"y", Json{{"b", 1}, {"a", 2}}}},
                   .at = "one"};
  const HostCall b{.function = CtxFunction::note,
                   .step = "s",
                   .arguments = Json{{"y", Json{{"a", 2}, {"b", 1}}}, {"x", 1}},
                   .at = "two"};
  CHECK(call_sha256(a) == call_sha256(b));
  HostCall c = a;
  c.step = "t";
  CHECK(call_sha256(a) != call_sha256(c));
}

TEST_CASE("files that are right are worse than cleared, better than likely",
          "[lua][I13]") {
  test::RecordingHost host;
  const RunOutcome outcome = attempt(
      R"lua(  local model = ctx:collect("model-files")
  ctx:finding({ verdict = "cleared (files only)", title = "Files", evidence = { model } })
  ctx:finding({ verdict = "cleared", title = "Else", evidence = { model } })
  ctx:note("worst is " .. ctx:worst_verdict()))lua",
      host);
  CHECK(outcome.state == RunState::done);
  CHECK(outcome.worst_verdict == "cleared (files only)");
  CHECK(host.performed.back().arguments["text"] ==
        "worst is cleared (files only)");
}

TEST_CASE(
    "a parameter that a collector does not have, or a value that does not "
    "fit, is an error of the call in a run and in a plan",
    "[lua]") {
  for (const auto& [body, expected] :
       std::vector<std::pair<std::string, std::string>>{
           {"ctx:collect(\"model-files\", { rot = \"/srv\" })",
            "collector model-files: there is no \"rot\" (did you mean "
            "\"root\"?); it takes root"},
           {"ctx:collect(\"model-files\", { root = 7 })",
            "collector model-files: root: expected a path, found 7"},
       }) {
    for (const RunMode mode : {RunMode::run, RunMode::plan}) {
      test::RecordingHost host;
      RunOptions options = run_options();
      options.mode = mode;
      const RunOutcome outcome = attempt("  " + body, host, "read", options);
      INFO(body << " -> " << outcome.message);
      CHECK(outcome.state == RunState::failed);
      CHECK(has(outcome.message, expected));
      CHECK(host.performed.empty());
    }
  }
}

TEST_CASE("a time that a call gives as a duration is recorded as it was said",
          "[lua]") {
  // The hash of a call must be the same when the run is resumed a day later.
  test::RecordingHost host;
  const test::ScratchPlaybook scratch;
  std::string text =
      test::playbook_with("  ctx:collect(\"prompt-log\", { since = \"36h\" })");
  text.replace(text.find("{ \"model-files\" }"), 17, "{ \"prompt-log\" }");
  const RunOutcome outcome =
      run_playbook(scratch.load(text), run_options(), host);
  INFO(outcome.message);
  REQUIRE(host.performed.size() == 1);
  CHECK(host.performed[0].arguments["arguments"]["since"] == "36h");
}

TEST_CASE("a parameter that was never declared is an error, not nil", "[lua]") {
  for (const RunMode mode : {RunMode::run, RunMode::plan}) {
    test::RecordingHost host;
    RunOptions options = run_options();
    const test::ScratchPlaybook scratch;
    std::string text = test::playbook_with(
        "  local name = \"windw\"\n  ctx:note(ctx.params[name])");
    text.replace(text.find("references ="), 12,
                 "params = { window = { type = \"duration\", help = \"W.\", "
                 "default = \"7d\" } },\n  references =");
    options.mode = mode;
    const LoadedPlaybook playbook = scratch.load(text);
    options.parameters =
        arguments_for(playbook, Json::object(), Spelling::values, 0);
    const RunOutcome outcome = run_playbook(playbook, options, host);
    INFO(outcome.message);
    CHECK(outcome.state == RunState::failed);
    CHECK(has(outcome.message,
              "playbook.lua:4: ctx.params: there is no \"windw\" (did you mean "
              "\"window\"?); there are window"));
    CHECK(host.performed.empty());
  }
}

}  // namespace
}  // namespace impound::lua
