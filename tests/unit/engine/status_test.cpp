// SPDX-License-Identifier: Apache-2.0
#include "core/engine/status.hpp"

#include <array>
#include <cstdlib>
#include <fstream>

#include "core/base/error.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/findings.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/questions.hpp"
#include "core/engine/release.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// What the only containment method of these tests measures.
struct Server {
  Containedness measured = Containedness::not_contained;
  std::string why = "process 12 (served) runs";

  void stand_still() {
    measured = Containedness::contained;
    why = "process 12 (served) stands still";
  }
};
Server server;

Json record_server(const Target&) { return {{"processes", {12}}}; }
Json freeze(const Target&, const Json&) {
  server.stand_still();
  return Json::object();
}
Json thaw(const Target&, const Json&) {
  server = {};
  return Json::object();
}
MeasuredState measure_server(const Target&, const Json& record) {
  MeasuredState state;
  state.measured = server.measured;
  state.why = server.why;
  state.holds_something = server.measured == Containedness::contained;
  state.is_by_record = state.holds_something && !record.empty();
  return state;
}
std::vector<std::string> name_server(const Json& record) {
  return record.empty() ? std::vector<std::string>{}
                        : std::vector<std::string>{"process 12"};
}

constexpr Containment kSwitch{.name = "switch",
                              .summary = "Is as a test says.",
                              .parameters = {},
                              .before = record_server,
                              .apply = freeze,
                              .undo = thaw,
                              .state = measure_server,
                              .things = name_server,
                              .describe = nullptr};
constexpr std::array<const Containment*, 1> kMethods{&kSwitch};

ProbeResult no_probe(const Probe&) { return {}; }

constexpr std::int64_t kHourNs = 3'600'000'000'000;

/// A case in a home of its own, with a chain that a test writes.
struct StatusScene : Scene {
  StatusScene() {
    server = {};
    ::setenv("IMPOUND_HOME", temp.path().c_str(), 1);
    ::setenv("IMPOUND_RUN", (temp.path() / "held").c_str(), 1);
    deployment.name = "support-llm";
    deployment.descriptor = "/srv/support llm.toml";
  }
  ~StatusScene() {
    ::unsetenv("IMPOUND_HOME");
    ::unsetenv("IMPOUND_RUN");
  }

  [[nodiscard]] CaseStatus status() {
    return status_of(file, kMethods, clock, cancellation);
  }

  /// A run that was started and nothing more.
  std::string start_run() {
    EntryDraft start;
    start.action = "playbook.start";
    start.detail = {
        {"playbook", "weights-tampering"},
        {"version", "1.0.0"},
        {"playbook_sha256", "00"},
        {"folder", "/usr/share/impound/playbooks/weights-tampering"},
        {"parameters", {{"window", "7d"}, {"active_harm", false}}},
        {"permissions", {{"effect", "contain"}}},
        {"plan_sha256", "11"},
        {"deployment", "support-llm"},
        {"target", {{"descriptor", "/srv/support llm.toml"}}}};
    return file.reserve_run(start, eve).run;
  }
  void end_run(const std::string& run, const std::string& state,
               const std::string& reason = "") {
    EntryDraft end;
    end.action = "playbook.end";
    end.run = run;
    end.outcome = state == "done" ? Outcome::ok : Outcome::failed;
    end.detail = {{"state", state}, {"reason", reason}};
    file.append({end}, eve);
  }
  void end_step(const std::string& run, const std::string& step,
                Outcome outcome, const std::string& result,
                const std::string& reason) {
    EntryDraft start;
    start.action = "playbook.step";
    start.run = run;
    start.step = step;
    start.detail = {{"phase", "start"}, {"title", step}};
    EntryDraft end = start;
    end.outcome = outcome;
    end.detail = {{"phase", "end"}, {"result", result}, {"reason", reason}};
    file.append({start, end}, eve);
  }
  void add_note(const std::string& run, const Json& detail) {
    EntryDraft draft;
    draft.action = "note";
    draft.run = run;
    draft.detail = detail;
    file.append({draft}, eve);
  }
  void ask(const std::string& run, const Json& choices) {
    add_note(run, {{"kind", "question"},
                   {"id", "contain"},
                   {"text", "Take support-llm out of service?"},
                   {"choices", choices},
                   {"default", "no"}});
  }
  void clear(const std::string& run) {
    add_note(run, {{"kind", "finding"},
                   {"verdict", "cleared"},
                   {"severity", "info"},
                   {"title", "the same"},
                   {"detail", ""},
                   {"items", {"E001"}}});
  }
  void contain_it(const std::string& run = "") {
    session.run = run;
    REQUIRE(contain(session, {.deployment = deployment,
                              .method = kSwitch,
                              .purpose = "a test",
                              .authority = nullptr,
                              .probe = no_probe})
                .is_contained());
    session.run.clear();
  }

  Deployment deployment;
  Cancellation cancellation;
  SilentProgress progress;
  Session session{.case_file = file,
                  .examiner = eve,
                  .clock = clock,
                  .cancellation = cancellation,
                  .progress = progress};
};

TEST_CASE(
    "A case in which nothing happened has nothing open, and says on what "
    "that rests",
    "[engine]") {
  StatusScene scene;
  const CaseStatus status = scene.status();
  CHECK_FALSE(status.is_open());
  CHECK(status.to_text().empty());
  CHECK(status.closing_text() ==
        "Nothing is contained in this case: its record has no containment.\n");
}

TEST_CASE(
    "[I13] status says contained, not contained or unknown as it is "
    "measured, never as it is recorded",
    "[engine]") {
  StatusScene scene;
  scene.contain_it("R001");
  scene.clock.advance(2 * kHourNs);

  CaseStatus status = scene.status();
  REQUIRE(status.contained.size() == 1);
  CHECK(status.is_open());
  const Json json = status.to_json().at("contained").at(0);
  CHECK(json.at("deployment") == "support-llm");
  CHECK(json.at("method") == "switch");
  CHECK(json.at("since") == "2026-11-23T00:00:00.000000Z");
  CHECK(json.at("measured") == "contained");
  CHECK(json.at("by") == "Eve Example");
  CHECK(json.at("next") ==
        "impound release --deployment support-llm --case case");
  CHECK_THAT(status.to_text(),
             Catch::Contains("support-llm is out of service by switch "
                             "(measured now: process 12 (served) stands "
                             "still)") &&
                 Catch::Contains("(2 h 00 min ago), by Eve Example, in R001"));

  server = {Containedness::not_contained, "process 12 (served) runs"};
  status = scene.status();
  CHECK(status.is_open());
  CHECK(status.to_json().at("contained").at(0).at("measured") ==
        "not contained");
  CHECK_THAT(status.to_text(),
             Catch::Contains("support-llm is NOT out of service (measured now: "
                             "process 12 (served) runs)"));

  server = {Containedness::unknown, "Permission denied"};
  status = scene.status();
  CHECK(status.is_open());
  CHECK(status.to_json().at("contained").at(0).at("measured") == "unknown");
  CHECK_THAT(status.closing_text(),
             Catch::Contains("whether support-llm is out of service by switch "
                             "is UNKNOWN: Permission denied"));
}

TEST_CASE(
    "A model that was cleared and is still out of service is said in the "
    "last line, with the command that gives it back",
    "[engine]") {
  StatusScene scene;
  const std::string run = scene.start_run();
  scene.contain_it(run);
  scene.clear(run);
  scene.end_run(run, "done");
  CHECK(scene.status().closing_text() ==
        "support-llm was cleared and is still out of service (measured now: "
        "process 12 (served) stands still); this gives it back: impound "
        "release --deployment support-llm --case case\n");

  // Measured to serve again, it is not said to be out of service.
  server = {Containedness::not_contained, "process 12 (served) runs"};
  CHECK_THAT(scene.status().closing_text(), !Catch::Contains("still out of"));

  // A later run that did not clear it takes the word away.
  server.stand_still();
  scene.end_run(scene.start_run(), "failed");
  CHECK_THAT(scene.status().closing_text(), !Catch::Contains("was cleared"));
}

TEST_CASE(
    "What was released is not contained, and the closing line says what "
    "that rests on",
    "[engine]") {
  StatusScene scene;
  scene.contain_it();
  const auto results =
      release(scene.session,
              {.methods = kMethods, .probe = no_probe, .purpose = "a test"});
  REQUIRE(results.front().is_released());
  const CaseStatus status = scene.status();
  CHECK(status.contained.empty());
  CHECK(
      status.closing_text() ==
      "Nothing is contained in this case: its one containment was undone, and "
      "was measured to be undone then.\n");
}

TEST_CASE(
    "A waiting run says what it asks, what it admits, and a command for "
    "each answer",
    "[engine]") {
  StatusScene scene;
  const std::string run = scene.start_run();
  scene.ask(run, {"yes", "no"});
  scene.end_run(run, "waiting");
  const CaseStatus status = scene.status();
  REQUIRE(status.waiting.size() == 1);
  const WaitingRun& waiting = status.waiting.front();
  CHECK(waiting.waits_for == WaitsFor::answer);
  CHECK(waiting.question == "contain");
  CHECK(waiting.commands ==
        std::vector<std::string>{"impound answer R001 contain yes --case case",
                                 "impound answer R001 contain no --case case"});
  // What a script runs unread is the default, which is never more than asked.
  CHECK(status.to_json().at("waiting").at(0).at("next") ==
        "impound answer R001 contain no --case case && impound resume R001 "
        "--case case");
  CHECK(status.incomplete.empty());

  scene.add_note(run, {{"kind", "answer"},
                       {"id", "contain"},
                       {"text", "Take support-llm out of service?"},
                       {"answer", "no"}});
  CHECK(scene.status().waiting.front().waits_for == WaitsFor::resume);
  CHECK(scene.status().waiting.front().next ==
        "impound resume R001 --case case");
}

TEST_CASE(
    "A run that waits for approvals says how many, and whose own does not "
    "count",
    "[engine]") {
  StatusScene scene;  // its policy asks for one
  const std::string run = scene.start_run();
  scene.session.run = run;
  static_cast<void>(request_approval(
      scene.session, subject_of_call(scene.file, run, 1, GuardedAct::contain)));
  scene.end_run(run, "waiting");
  const WaitingRun waiting = scene.status().waiting.front();
  CHECK(waiting.waits_for == WaitsFor::approval);
  CHECK(waiting.approvals_missing == 1);
  CHECK_THAT(
      scene.status().to_text(),
      Catch::Contains("1 approval of another examiner than Eve Example, to "
                      "contain support-llm in R001") &&
          Catch::Contains("impound approve R001 --reason ") &&
          Catch::Contains("then: impound resume R001 --case case"));

  CHECK_THROWS_WITH(
      decide_approval(scene.session, run, Decision::granted, "by herself"),
      Catch::Contains("cannot approve it"));
  CHECK(scene.status().waiting.front().approvals_missing == 1);

  const Examiner bob = make_examiner("Bob Second");
  (void)scene.file.append(
      {add_signer_draft(SignerCard::of(bob), Rights::from("approve").value())},
      scene.eve);
  Session second{.case_file = scene.file,
                 .examiner = bob,
                 .clock = scene.clock,
                 .cancellation = scene.cancellation,
                 .progress = scene.progress};
  SECTION("granted: somebody has to go on") {
    static_cast<void>(
        decide_approval(second, run, Decision::granted, "agreed"));
    CHECK(scene.status().waiting.front().waits_for == WaitsFor::resume);
  }
  SECTION("denied: it waits for nothing any more") {
    static_cast<void>(
        decide_approval(second, run, Decision::denied, "too early"));
    const WaitingRun denied = scene.status().waiting.front();
    CHECK(denied.waits_for == WaitsFor::abort);
    CHECK_THAT(denied.text, Catch::Contains("Bob Second: too early"));
  }
  SECTION("expired: whoever goes on asks again") {
    scene.clock.advance(25 * kHourNs);
    CHECK(scene.status().waiting.front().waits_for == WaitsFor::resume);
  }
}

TEST_CASE("A containment by hand that waits for approvals is said to wait",
          "[engine]") {
  StatusScene scene;
  static_cast<void>(request_approval(
      scene.session, subject_by_hand(scene.session, scene.deployment, "switch",
                                     Json::object())));
  const CaseStatus status = scene.status();
  REQUIRE(status.waiting.size() == 1);
  CHECK(status.waiting.front().next ==
        "impound approve A001 --reason 'WHY IT MAY' --case case");
  CHECK_THAT(status.to_text(),
             Catch::Contains("Eve Example gives the same command again"));
}

TEST_CASE(
    "A run without an end is at work while its process holds its lock, "
    "and cut off when nobody does",
    "[engine]") {
  StatusScene scene;
  const std::string run = scene.start_run();
  {
    const EvidenceLock lock(scene.folder / "evidence", run);
    const CaseStatus status = scene.status();
    CHECK(status.running.size() == 1);
    CHECK_FALSE(status.is_open());
  }
  const CaseStatus status = scene.status();
  REQUIRE(status.incomplete.size() == 1);
  CHECK(status.running.empty());
  CHECK_THAT(status.incomplete.front().what,
             Catch::Contains("no process holds its lock"));
  CHECK(status.incomplete.front().next == "impound resume R001 --case case");
}

TEST_CASE(
    "A run that did not do everything names the steps and their reasons, "
    "and skipped steps are none of them",
    "[engine]") {
  StatusScene scene;
  const std::string run = scene.start_run();
  scene.end_step(run, "volatile", Outcome::ok, "done", "");
  scene.end_step(run, "stop-harm", Outcome::missing, "skipped", "");
  scene.end_step(run, "weights", Outcome::failed, "failed", "No such file");
  scene.end_run(run, "failed", "step weights failed");
  const CaseStatus status = scene.status();
  REQUIRE(status.incomplete.size() == 1);
  const IncompleteThing& thing = status.incomplete.front();
  REQUIRE(thing.steps.size() == 1);
  CHECK(thing.steps.front().step == "weights");
  CHECK(thing.steps.front().reason == "No such file");
  // The same again, quoted for a shell.
  CHECK(thing.next ==
        "impound run /usr/share/impound/playbooks/weights-tampering "
        "--deployment '/srv/support llm.toml' -p window=7d --case case");

  scene.end_run(run, "aborted");
  CHECK(scene.status().incomplete.empty());
}

TEST_CASE(
    "An exhibit that was begun and never sealed, a stray file and gaps "
    "are incomplete",
    "[engine]") {
  StatusScene scene;
  EntryDraft begin;
  begin.action = "acquire.begin";
  begin.detail = {{"title", "model-files of support-llm"},
                  {"collectors", Json::array()}};
  CHECK(scene.file.reserve_exhibit(begin, scene.eve).exhibit == "E001");
  scene.session.run = "R001";
  add_gap(scene.session, "prompt logs", "none named", "missing");
  std::ofstream(scene.folder / "evidence" / "E777.tar.zst") << "?";
  std::ofstream(scene.folder / "evidence" / "E001.tar.zst.partial") << "?";
  std::map<IncompleteKind, IncompleteThing> found;
  for (const IncompleteThing& one : scene.status().incomplete) {
    CHECK(found.emplace(one.kind, one).second);
  }
  REQUIRE(found.size() == 3);
  CHECK(found.at(IncompleteKind::exhibit).subject == "E001");
  CHECK(found.at(IncompleteKind::exhibit).next ==
        "impound case check --case case");
  CHECK(found.at(IncompleteKind::gaps).what ==
        "R001: 1 thing was not obtained, or not whole");
  CHECK(found.at(IncompleteKind::stray).subject == "E777.tar.zst");
}

TEST_CASE(
    "What is incomplete in a closed case is shown and keeps nothing "
    "open; what it contains does",
    "[engine]") {
  StatusScene scene;
  scene.end_run(scene.start_run(), "interrupted");
  scene.contain_it();
  EntryDraft close;
  close.action = "case.close";
  close.detail = {{"open_items", Json::array()}};
  scene.file.append({close}, scene.eve);
  CaseStatus status = scene.status();
  CHECK(status.incomplete.size() == 1);
  CHECK(status.is_open());
  status.contained.clear();
  CHECK_FALSE(status.is_open());
}

TEST_CASE("A folder that is no case is listed with its problem", "[engine]") {
  const TempDir temp;
  std::ofstream(temp.path() / "case.db") << "no database, but long enough";
  const FixedClock clock;
  const Cancellation cancellation;
  const CaseStatus status =
      status_of_folder(temp.path(), kMethods, clock, cancellation);
  CHECK(status.is_open());
  CHECK_THAT(status.problem, Catch::Contains("case.db"));
  CHECK_THAT(status.to_text(), Catch::Contains("nothing is known"));
  CHECK(status.to_json().at("contained").empty());
}

TEST_CASE("A next command is one that the shell takes apart as it was meant",
          "[engine]") {
  CHECK(shell_word("R001") == "R001");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("it's $HOME") == "'it'\\''s $HOME'");
  CHECK(shell_word("a\nb\x1b[2J") == "$'a\\x0ab\\x1b\\x5b2J'");
  const TempDir temp;
  ::setenv("IMPOUND_HOME", temp.path().c_str(), 1);
  CHECK(next_command(temp.path() / "IR-1", {"release"}) ==
        "impound release --case IR-1");
  CHECK(next_command(temp.path() / "IR-1/", {"release"}) ==
        "impound release --case IR-1");
  CHECK(next_command("/else where/IR-1", {"answer", "R001", "q", "so so"}) ==
        "impound answer R001 q 'so so' --case '/else where/IR-1'");
  ::unsetenv("IMPOUND_HOME");
}

}  // namespace
}  // namespace impound::test
