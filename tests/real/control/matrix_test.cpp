// SPDX-License-Identifier: Apache-2.0
/// Every containment method against its real part, asked the same of: works,
/// refused, failing half-way, twice, two examiners, restarts, under load.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/isolation.hpp"
#include "tests/real/control/stage.hpp"
#include "tests/support/catch.hpp"

using namespace impound;
using namespace impound::test;

namespace {

/// The stage of this run of a test; null if it is skipped.
std::unique_ptr<Stage> next_stage() {
  const auto name = GENERATE(from_range(stage_names()));
  INFO(name);
  auto stage = make_stage(name);
  if (stage != nullptr) {
    REQUIRE(wait_until([&] { return stage->is_answering(); }));
  } else {
    WARN("skipped " << name);
  }
  return stage;
}

std::string text_of(const std::vector<ReleaseResult>& results) {
  std::string text;
  for (const ReleaseResult& one : results) text += one.to_text();
  return text;
}

}  // namespace

TEST_CASE(
    "a method takes the model out of service, proves it, and gives it back as "
    "it was") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  CaseOnStage one(*stage, "IR-1");
  const ContainAllResult result = one.contain_it();
  INFO(result.to_text());
  REQUIRE(result.is_contained());
  CHECK(result.parts.front().proof() == ProofStrength::state_and_probes);
  for (const ProofPart& part : result.parts.front().proofs()) {
    INFO(part.what << ": " << part.why);
    const bool is_counted =
        part.what != "connections" || stage->counts_connections();
    CHECK(part.shown == (is_counted ? Shown::yes : Shown::unknown));
    CHECK(part.from.empty() == !is_counted);
  }
  CHECK_FALSE(stage->is_answering());
  const auto back = one.release_it();
  INFO(text_of(back));
  REQUIRE(back.size() == 1);
  CHECK(back.front().is_released());
  CHECK(stage->is_answering());
  CHECK(verify_custody(one.folder, "").ok());
  note(stage->method, "works",
       stage->counts_connections()
           ? "contained, proved in four ways, released"
           : "contained, proved in three ways (connections not counted), "
             "released");
}

TEST_CASE("what a dry run shows is what is then sent") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  CaseOnStage one(*stage, "IR-1");
  const Containment& method =
      find_containment(all_containments(), stage->method);
  const Rehearsal rehearsal =
      rehearse(stage->deployment, method,
               arguments_for(stage->deployment, method, Json::object(),
                             Spelling::values, one.clock.now()),
               one.clock, one.cancellation);
  REQUIRE(rehearsal.problem.empty());
  CHECK(stage->is_answering());
  REQUIRE_FALSE(rehearsal.acts.empty());
  REQUIRE(one.contain_it().is_contained());
  std::vector<std::string> sent;
  std::vector<std::string> shown;
  for (const PlannedAct& act : rehearsal.acts) {
    if (!act.request.empty()) shown.push_back(act.request);
  }
  for (const Entry& entry : one.file.entries()) {
    const Json& detail = entry.json.at("detail");
    if (entry.json.at("action") != "isolate.apply" ||
        detail.at("phase") != "after" || !detail.contains("exchanges")) {
      continue;
    }
    for (const Json& exchange : detail.at("exchanges")) {
      const auto request = exchange.at("request").get<std::string>();
      // What apply() only looks at is no act.
      if (std::ranges::find(shown, request) != shown.end()) {
        sent.push_back(request);
      }
      CHECK(exchange.at("end") == "answered");
    }
  }
  CHECK(sent == shown);
  CHECK(one.releases());
  note(stage->method, "dry run",
       std::to_string(shown.size()) + " acts shown, the same sent");
}

TEST_CASE(
    "a method that cannot act says why, and changes nothing: permission, "
    "missing socket, wrong name, wrong state") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  const Deployment good = stage->deployment;
  int number = 0;
  for (const Stage::Refusal& refusal : stage->refusals()) {
    INFO(refusal.behaviour);
    stage->deployment = good;
    refusal.spoil(stage->deployment);
    CaseOnStage one(*stage, "IR-" + std::to_string(++number));
    std::string said;
    try {
      const ContainAllResult result = one.contain_it();
      CHECK_FALSE(result.is_contained());
      CHECK(result.parts.back().end == ContainEnd::not_begun);
      said = result.parts.back().reason;
    } catch (const Error& error) {
      CHECK(error.code() == Errc::bad_input);
      said = error.what();
    }
    CHECK_THAT(said, Catch::Contains(refusal.says));
    CHECK(stage->is_answering());
    CHECK(open_containments(one.file).empty());
    note(stage->method, refusal.behaviour, "nothing changed: " + said);
  }
}

TEST_CASE(
    "applied twice it is measured and not done again; released twice the "
    "second is measured and does nothing") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  CaseOnStage one(*stage, "IR-1");
  REQUIRE(one.contain_it().is_contained());
  const ContainAllResult again = one.contain_it();
  INFO(again.to_text());
  CHECK(again.parts.front().end == ContainEnd::held_already);
  CHECK(again.is_contained());
  REQUIRE(one.releases());
  const auto twice = one.release_it();
  INFO(text_of(twice));
  REQUIRE(twice.size() == 1);
  CHECK(twice.front().end == ReleaseEnd::nothing_open);
  CHECK(twice.front().is_settled());
  CHECK(stage->is_answering());
  note(stage->method, "applied twice", "held already, nothing done");
  note(stage->method, "released twice", "nothing open, measured");
}

TEST_CASE(
    "two examiners at once: the second is told who holds it, and neither its "
    "containment nor its release touches what the first holds") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  CaseOnStage a(*stage, "IR-A");
  CaseOnStage b(*stage, "IR-B");
  REQUIRE(a.contain_it().is_contained());
  const ContainAllResult second = b.contain_it();
  INFO(second.to_text());
  CHECK(second.parts.front().end == ContainEnd::held_elsewhere);
  REQUIRE(second.parts.front().holder);
  CHECK(second.parts.front().holder->case_id == "IR-A");
  for (const ReleaseResult& one : b.release_it()) {
    CHECK(one.end == ReleaseEnd::held_elsewhere);
  }
  CHECK_FALSE(stage->is_answering());
  CHECK(a.releases());
  CHECK(stage->is_answering());
  note(stage->method, "two examiners", "second told who holds it");
}

TEST_CASE(
    "after a restart of the target the state is measured again, and a release "
    "gives it back") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  CaseOnStage one(*stage, "IR-1");
  REQUIRE(one.contain_it().is_contained());
  stage->restart();
  const auto now = measure_containments(one.file, all_containments(), one.clock,
                                        one.cancellation);
  REQUIRE(now.size() == 1);
  const bool answers = stage->is_answering();
  INFO(now.front().to_text());
  // What is said is what a client sees.
  CHECK((now.front().measured == Containedness::contained) == !answers);
  const auto back = one.release_it();
  INFO(text_of(back));
  REQUIRE(back.size() == 1);
  CHECK(back.front().is_released());
  CHECK(wait_until([&] { return stage->is_answering(); }));
  note(stage->method, "released after a restart",
       std::string("measured as ") +
           std::string(to_string(now.front().measured)) + ", released");
}

TEST_CASE(
    "a control plane that fails half-way leaves nothing contained that is said "
    "not to be, and the other way round") {
  const auto stage = next_stage();
  if (stage == nullptr || stage->faults() == nullptr) return;
  struct Named {
    Fault fault;
    const char* name;
  };
  for (const Named& named : {Named{Fault::dies_before, "closes, nothing done"},
                             Named{Fault::dies_after, "does it and closes"},
                             Named{Fault::never, "never answers"},
                             Named{Fault::late, "answers late"},
                             Named{Fault::wrong, "answers wrongly"}}) {
    int tried = 0;
    int rolled_back = 0;
    int contained = 0;
    for (std::size_t at = 1; at < 40; ++at) {
      INFO(named.name << " at request " << at);
      CaseOnStage one(*stage,
                      std::string("IR-") +
                          std::to_string(static_cast<int>(named.fault)) + "-" +
                          std::to_string(at));
      stage->faults()->fail(named.fault, at);
      const ContainAllResult result = one.contain_it();
      const bool is_past = stage->faults()->connections() < at;
      stage->faults()->fail(Fault::none, 0);
      INFO(result.to_text());
      const bool answers = stage->is_answering();
      if (result.is_contained()) CHECK_FALSE(answers);
      const ContainEnd end = result.parts.back().end;
      if (end == ContainEnd::rolled_back || end == ContainEnd::not_begun) {
        CHECK(answers);
      }
      ++tried;
      if (result.is_contained()) ++contained;
      if (result.parts.back().end == ContainEnd::rolled_back) ++rolled_back;
      CHECK(one.releases());
      CHECK(stage->is_answering());
      CHECK(verify_custody(one.folder, "").ok());
      if (is_past) break;
    }
    note(stage->method, std::string("half-way: ") + named.name,
         std::to_string(tried) + " moments: " + std::to_string(contained) +
             " contained, " + std::to_string(rolled_back) + " rolled back");
  }
}

TEST_CASE(
    "a control plane that is dead after the act leaves it open and unknown, "
    "and a later release gives it back") {
  const auto stage = next_stage();
  if (stage == nullptr || stage->faults() == nullptr) return;
  CaseOnStage one(*stage, "IR-1");
  // Find out how many requests a containment takes, then die after the first
  // that changes something.
  REQUIRE(one.contain_it().is_contained());
  REQUIRE(one.releases());
  CaseOnStage two(*stage, "IR-2");
  std::size_t looked = 0;
  {
    const Containment& method =
        find_containment(all_containments(), stage->method);
    stage->faults()->fail(Fault::none, 0);
    const Rehearsal rehearsal =
        rehearse(stage->deployment, method,
                 arguments_for(stage->deployment, method, Json::object(),
                               Spelling::values, two.clock.now()),
                 two.clock, two.cancellation);
    static_cast<void>(rehearsal);
    looked = stage->faults()->connections();
  }
  // before() and the measurement of what is held already come first.
  stage->faults()->fail(Fault::dies_after, 2 * looked, true);
  const ContainAllResult result = two.contain_it();
  INFO(result.to_text());
  CHECK_FALSE(result.is_contained());
  stage->faults()->fail(Fault::none, 0);
  CHECK(two.releases());
  CHECK(stage->is_answering());
  note(stage->method, "half-way: dead after the act",
       std::string(to_string(result.parts.back().end)) +
           ", given back by a later release");
}

namespace {

/// Runs `act` in a process of its own that is killed at its n-th request.
/// False if it ended before it could be.
bool is_killed(Stage& stage, Fault fault, std::size_t at,
               const std::function<void()>& act) {
  stage.faults()->fail(fault, at);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::usleep(20'000);  // until the parent has told the socket whom to kill
    try {
      act();
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  stage.faults()->kills(child);
  int status = 0;
  ::waitpid(child, &status, 0);
  stage.faults()->fail(Fault::none, 0);
  return WIFSIGNALED(status);
}

}  // namespace

namespace {

/// What a process of its own does in a case.
void act_on_case(const Stage& stage, const fs::path& folder,
                 const Examiner& eve, bool is_release) {
  const FixedClock clock;
  const Cancellation cancellation;
  SilentProgress progress;
  CaseFile file(folder, CaseMode::write, clock);
  Session session{.case_file = file,
                  .examiner = eve,
                  .clock = clock,
                  .cancellation = cancellation,
                  .progress = progress};
  if (is_release) {
    static_cast<void>(release(session, {.methods = all_containments(),
                                        .probe = run_probe,
                                        .purpose = "a test"}));
  } else {
    static_cast<void>(contain_all(session, {.deployment = stage.deployment,
                                            .methods = all_containments(),
                                            .purpose = "a test",
                                            .authority = nullptr,
                                            .probe = run_probe}));
  }
}

/// How many kills were tried, and what became of them.
struct Kills {
  int tried = 0;
  int survived = 0;
  int half_done = 0;

  /// A later process checks the case and gives the model back.
  void judge(Stage& stage, CaseOnStage& one, bool was_killed) {
    if (was_killed) {
      ++tried;
      if (!open_containments(one.file).empty()) ++half_done;
    }
    const CaseCheck check =
        check_case(one.session, {.repair = Repair::yes,
                                 .methods = all_containments(),
                                 .probe = run_probe});
    INFO(check.to_text());
    const bool is_back = one.releases() && stage.is_answering() &&
                         verify_custody(one.folder, "").ok();
    CHECK(is_back);
    if (was_killed && is_back) ++survived;
  }

  void print(const Stage& stage, const std::string& where) const {
    CHECK(tried > 0);
    CHECK(half_done > 0);
    CHECK(survived == tried);
    note(stage.method, "kill -9 " + where,
         std::to_string(survived) + " of " + std::to_string(tried) +
             " survived, " + std::to_string(half_done) + " of them half done");
  }
};

}  // namespace

TEST_CASE(
    "a process that is killed between any two steps leaves a record from which "
    "a later one gives the model back") {
  const auto stage = next_stage();
  if (stage == nullptr || stage->faults() == nullptr) return;
  Kills kills;
  for (const bool is_release : {false, true}) {
    for (const Fault fault : {Fault::kill_before, Fault::kill_after}) {
      bool is_over = false;
      for (std::size_t at = 1; !is_over && at < 60; ++at) {
        INFO((is_release ? "release" : "contain")
             << ", killed "
             << (fault == Fault::kill_before ? "before" : "after")
             << " request " << at);
        CaseOnStage one(*stage, std::string(is_release ? "R" : "C") +
                                    (fault == Fault::kill_before ? "b" : "a") +
                                    std::to_string(at));
        if (is_release) REQUIRE(one.contain_it().is_contained());
        is_over = !is_killed(*stage, fault, at, [&] {
          act_on_case(*stage, one.folder, one.eve, is_release);
        });
        kills.judge(*stage, one, !is_over);
      }
    }
  }
  kills.print(*stage, "between every two requests");
}

TEST_CASE(
    "a process that is killed at any moment, where no socket tells the steps "
    "apart, leaves a record from which a later one gives the model back") {
  const auto stage = next_stage();
  if (stage == nullptr || stage->faults() != nullptr) return;
  constexpr int kMoments = 16;
  Kills kills;
  for (const bool is_release : {false, true}) {
    // How long it takes undisturbed; doubled, because a busy machine is slower.
    std::int64_t whole_us = 0;
    for (int moment = -1; moment < kMoments; ++moment) {
      CaseOnStage one(*stage, std::string(is_release ? "R" : "C") +
                                  std::to_string(moment + 1));
      if (is_release) REQUIRE(one.contain_it().is_contained());
      const std::int64_t entries = one.file.entry_count();
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        try {
          act_on_case(*stage, one.folder, one.eve, is_release);
        } catch (const std::exception&) {
          ::_exit(1);
        }
        ::_exit(0);
      }
      const auto start = std::chrono::steady_clock::now();
      int status = 0;
      if (moment < 0) {
        ::waitpid(child, &status, 0);
        whole_us = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::steady_clock::now() - start)
                       .count();
      } else {
        // From the intent on: before it there is nothing to give back.
        while (one.file.entry_count() == entries &&
               ::waitpid(child, &status, WNOHANG) == 0) {
          ::usleep(200);
        }
        ::usleep(static_cast<unsigned>(whole_us * moment / kMoments));
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
      }
      INFO((is_release ? "release" : "contain") << ", moment " << moment);
      kills.judge(*stage, one, WIFSIGNALED(status));
    }
  }
  kills.print(*stage, "at moments after the intent");
}

TEST_CASE(
    "under load no request is answered after contained is said, over 10 000 "
    "that are sent") {
  const auto stage = next_stage();
  if (stage == nullptr) return;
  // The machine is busy, and its control plane slow.
  Json& settings = stage->deployment.containments.front().settings;
  if (settings.contains("timeout_ms")) settings["timeout_ms"] = 60'000;
  CaseOnStage one(*stage, "IR-1");
  AskingClient client(stage->port(), stage->host(), stage->timeout_ms(),
                      stage->client_threads());
  REQUIRE(wait_until([&] { return client.answered_before() > 50; }));
  const ContainAllResult result = one.contain_it();
  client.said_contained();
  INFO(result.to_text());
  REQUIRE(result.is_contained());
  client.send_further(10'000, 120);
  client.stop();
  CHECK(client.answered_after() == 0);
  CHECK(client.sent_after() >= 10'000);
  note(stage->method, "under load",
       std::to_string(client.answered_after()) + " answered of " +
           std::to_string(client.sent_after()) +
           " sent after contained was said; " +
           std::to_string(client.answered_before()) + " answered before");
  CHECK(one.releases());
  CHECK(stage->is_answering());
}
