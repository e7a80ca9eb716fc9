// SPDX-License-Identifier: Apache-2.0
/// Cases that contain and release a real server by each method that this
/// machine offers: what they say is what is measured, across cases and kills.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "containment/freezer.hpp"
#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/progress.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/release.hpp"
#include "tests/real/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::TempDir;

namespace {

Examiner make_examiner() {
  Actor actor;
  actor.name = "Ada Example";
  actor.org = "Example Org";
  actor.role = "examiner";
  return {actor, SigningKey::generate()};
}

CaseOpening opening(const std::string& id) {
  CaseOpening opening;
  opening.case_id = id;
  opening.title = "a test";
  opening.org = "Example Org";
  return opening;
}

bool is_offered(const std::string& method) {
  if (method == "stop") return true;
  const FreezerMount mount =
      find_freezer(*freeze_method_from(method), ProcFs());
  if (!mount.path) WARN("skipped " << method << ": " << mount.reason);
  return mount.path.has_value();
}

/// A server, its deployment, and the folder where holds are told.
struct Served {
  explicit Served(std::string freeze_method)
      : method(std::move(freeze_method)) {
    ::setenv("IMPOUND_RUN", (temp.path() / "run").c_str(), 1);
    deployment.name = "scene";
    deployment.descriptor = "/nowhere/scene.toml";
    deployment.containment_method = "process";
    deployment.process.port = server.port();
    Probe probe;
    probe.name = "models";
    probe.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/";
    probe.timeout_ms = 400;
    deployment.probes.push_back(probe);
  }
  ~Served() { ::unsetenv("IMPOUND_RUN"); }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  [[nodiscard]] bool is_answering() const {
    return run_probe(deployment.probes.front()).answered;
  }

  std::string method;
  test::Scene server;
  TempDir temp;
  FixedClock clock;
  Deployment deployment;
};

Arguments frozen_by(const std::string& method) {
  return arguments_for(find_containment(all_containments(), "process"),
                       {{"method", method}}, Spelling::values, 0);
}

/// One case. What it still holds is given back when a test ends, so that no
/// failure leaves a frozen server that cannot be ended.
struct OneCase {
  OneCase(Served& on, const std::string& id)
      : served(on),
        folder(on.temp.path() / id),
        file(CaseFile::create(folder, opening(id), eve, on.clock)) {}
  ~OneCase() {
    for (const ContainmentRow& row : open_containments(file)) {
      try {
        static_cast<void>(find_containment(all_containments(), "process")
                              .undo({.deployment = served.deployment,
                                     .clock = served.clock,
                                     .cancellation = cancellation},
                                    row.before));
      } catch (const Error&) {
        continue;
      }
    }
  }
  OneCase(const OneCase&) = delete;
  OneCase& operator=(const OneCase&) = delete;

  ContainResult contain_it() {
    return contain(session,
                   {.deployment = served.deployment,
                    .method = find_containment(all_containments(), "process"),
                    .arguments = frozen_by(served.method),
                    .purpose = "a test",
                    .authority = nullptr,
                    .probe = run_probe});
  }
  ReleaseResult release_it(const std::string& held_by = "") {
    const auto results = release(session, {.methods = all_containments(),
                                           .probe = run_probe,
                                           .purpose = "a test",
                                           .held_by = held_by});
    REQUIRE(results.size() == 1);
    return results.front();
  }
  CaseCheck check() {
    return check_case(session, {.repair = Repair::yes,
                                .methods = all_containments(),
                                .probe = run_probe});
  }

  Served& served;
  fs::path folder;
  Examiner eve = make_examiner();
  CaseFile file;
  Cancellation cancellation;
  SilentProgress progress;
  Session session{.case_file = file,
                  .examiner = eve,
                  .clock = served.clock,
                  .cancellation = cancellation,
                  .progress = progress};
};

}  // namespace

TEST_CASE(
    "a server that one case froze is not frozen again by another, and not "
    "thawed by its release") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_offered(method)) return;
  INFO(method);
  Served served(method);
  OneCase a(served, "IR-A");
  OneCase b(served, "IR-B");
  const ContainResult first = a.contain_it();
  INFO(first.to_text());
  REQUIRE(first.end == ContainEnd::applied);
  REQUIRE(first.proof() == ProofStrength::state_and_probes);

  const ContainResult second = b.contain_it();
  INFO(second.to_text());
  CHECK(second.end == ContainEnd::held_elsewhere);
  CHECK(second.is_contained());
  CHECK(second.holder->case_id == "IR-A");
  CHECK(b.release_it().end == ReleaseEnd::held_elsewhere);
  CHECK_FALSE(served.is_answering());

  if (method !=
      "stop") {  // the name of the group tells, where the mark is gone
    fs::remove_all(served.temp.path() / "run");
    const ContainResult third = b.contain_it();
    CHECK(third.end == ContainEnd::held_elsewhere);
    CHECK_THAT(third.to_text(), Catch::Contains("impound-IR-A-scene-"));
    CHECK_FALSE(b.release_it().is_settled());
    CHECK_FALSE(served.is_answering());
  }
  CHECK(a.release_it().is_released());
  CHECK(served.is_answering());
}

TEST_CASE(
    "a record that an old build wrote over another case's freeze does not keep "
    "its release from ending") {
  if (!is_offered("freeze-v1")) return;
  Served served("freeze-v1");
  OneCase a(served, "IR-A");
  REQUIRE(a.contain_it().end == ContainEnd::applied);
  // What the second case recorded then: the group of the first as the home.
  const Target target{.deployment = served.deployment,
                      .arguments = frozen_by("freeze-v1"),
                      .clock = served.clock,
                      .cancellation = a.cancellation,
                      .case_id = "IR-A"};
  const Json before =
      find_containment(all_containments(), "process").before(target);
  const Json undone =
      find_containment(all_containments(), "process").undo(target, before);
  CHECK_THAT(undone.at("problems").dump(), Catch::Contains("one level up"));
  CHECK(served.is_answering());
  CHECK(a.release_it().is_released());
}

TEST_CASE(
    "a release that is killed at any moment leaves a record that case check "
    "explains, and can be tried again") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_offered(method)) return;
  INFO(method);
  Served served(method);
  int half = 0;
  // Microseconds after the intent is durable; the last ones after the end.
  for (const unsigned delay_us : {0U, 500U, 1'000U, 3'000U, 8'000U, 500'000U}) {
    OneCase one(served, "IR-" + std::to_string(delay_us));
    REQUIRE(one.contain_it().is_contained());
    const std::int64_t entries = one.file.entry_count();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        CaseFile file(one.folder, CaseMode::write, served.clock);
        Session session{.case_file = file,
                        .examiner = one.eve,
                        .clock = served.clock,
                        .cancellation = one.cancellation,
                        .progress = one.progress};
        static_cast<void>(release(session, {.methods = all_containments(),
                                            .probe = run_probe,
                                            .purpose = "a test"}));
      } catch (const Error&) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    while (one.file.entry_count() == entries) ::usleep(100);
    ::usleep(delay_us);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);

    const auto recorded = one.file.containments().front().state;
    const bool answered = served.is_answering();
    const CaseCheck check = one.check();
    INFO(delay_us << " us, " << to_string(recorded) << ": " << check.to_text());
    if (recorded == ContainmentState::releasing) {
      ++half;
      CHECK_THAT(check.to_text(), Catch::Contains("was left releasing"));
    }
    if (recorded != ContainmentState::released) {
      CHECK_THAT(check.to_text(), Catch::Contains(answered ? "as not contained"
                                                           : "as contained"));
    }
    if (one.file.containments().front().state != ContainmentState::released) {
      CHECK(one.release_it().is_released());
    }
    CHECK(served.is_answering());
    CHECK(verify_custody(one.folder, "").ok());
  }
  CHECK(half > 0);
}

TEST_CASE(
    "[I13] a freeze that a restart of the machine ended is not said to be in "
    "force, and is made again") {
  Served served("stop");
  OneCase one(served, "IR-1");
  REQUIRE(one.contain_it().is_contained());
  // The record of an earlier boot about a server that runs.
  struct NextBoot final : Clock {
    [[nodiscard]] TimeNs now() const override { return FixedClock().now(); }
    [[nodiscard]] ClockState state() const override {
      ClockState state = FixedClock().state();
      state.boot_id = "11111111-0000-4000-8000-000000000000";
      return state;
    }
  };
  const NextBoot next;
  ::kill(served.server.pid(), SIGCONT);
  const auto now = measure_containments(one.file, all_containments(), next,
                                        one.cancellation);
  REQUIRE(now.size() == 1);
  CHECK(now.front().measured == Containedness::not_contained);
  CHECK_THAT(now.front().why, Catch::Contains("was restarted since"));

  Session session{.case_file = one.file,
                  .examiner = one.eve,
                  .clock = next,
                  .cancellation = one.cancellation,
                  .progress = one.progress};
  const ContainResult again = contain(
      session, {.deployment = served.deployment,
                .method = find_containment(all_containments(), "process"),
                .arguments = frozen_by("stop"),
                .purpose = "a test",
                .authority = nullptr,
                .probe = run_probe});
  CHECK(again.end == ContainEnd::applied);
  CHECK_FALSE(served.is_answering());
  const auto back = release(
      session,
      {.methods = all_containments(), .probe = run_probe, .purpose = "a test"});
  REQUIRE(back.size() == 1);
  CHECK(back.front().is_released());
  CHECK(served.is_answering());
}
