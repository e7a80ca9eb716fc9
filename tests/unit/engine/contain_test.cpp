// SPDX-License-Identifier: Apache-2.0
/// The transaction against a service that obeys, fails or lies as a test says.
#include "core/engine/contain.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>

#include "core/base/error.hpp"
#include "core/base/progress.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/case_close.hpp"
#include "core/engine/places.hpp"
#include "core/engine/release.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// The service, and what goes wrong with it.
struct Service {
  Containedness measured = Containedness::not_contained;
  bool is_held = false;        ///< something stands still
  bool is_held_by_us = false;  ///< and by what impound did
  bool is_measurable = true;
  bool is_there = true;
  bool apply_fails = false;
  bool undo_fails = false;       ///< throws, and changes nothing
  bool undo_lies = false;        ///< says it did, and changes nothing
  bool another_answers = false;  ///< the forbidden probe asks someone else
  bool is_deaf = false;          ///< no probe is ever answered
  bool is_unaskable = false;     ///< no probe can even be sent
  bool is_gone_after_undo = false;
  std::string foreign_group;
  std::function<void()> after_apply = [] {};  ///< what else happens meanwhile
  std::function<void()> before_look = [] {};
  int applied = 0;
  int undone = 0;

  void freeze() {
    measured = Containedness::contained;
    is_held = is_held_by_us = true;
  }
  void thaw() {
    measured = Containedness::not_contained;
    is_held = is_held_by_us = false;
  }
};
Service service;

Json before(const Target& target) {
  service.before_look();
  if (!service.is_there) throw Error(Errc::io, "cannot find the process");
  return {{"processes", {target.deployment.name == "large" ? 8 : 7}}};
}

Json apply(const Target&, const Json&) {
  ++service.applied;
  if (service.apply_fails) {
    service.is_held = service.is_held_by_us = true;  // half of it
    throw Error(Errc::io, "cannot freeze process 8");
  }
  service.freeze();
  service.after_apply();
  return {{"stopped", true}};
}

Json undo(const Target&, const Json&) {
  if (service.undo_fails) throw Error(Errc::io, "the group will not thaw");
  ++service.undone;
  if (!service.undo_lies) service.thaw();
  if (service.is_gone_after_undo) service.measured = Containedness::unknown;
  return {{"woken", true}};
}

MeasuredState state(const Target&, const Json& record) {
  if (!service.is_measurable) throw Error(Errc::io, "nobody is at home");
  MeasuredState found;
  found.measured = service.measured;
  found.why = "the service said so";
  found.holds_something = service.is_held;
  found.is_by_record = service.is_held_by_us && !record.empty();
  found.held_by = service.foreign_group;
  return found;
}

std::vector<std::string> things(const Json& record) {
  return record.empty() ? std::vector<std::string>{}
                        : std::vector<std::string>{
                              "process " + record.at("processes")[0].dump()};
}

constexpr Containment kObedient{.name = "obedient",
                                .summary = "Does as a test says.",
                                .parameters = {},
                                .before = before,
                                .apply = apply,
                                .undo = undo,
                                .state = state,
                                .things = things,
                                .describe = nullptr};
constexpr std::array<const Containment*, 1> kMethods{&kObedient};

ProbeResult ask(const Probe& probe) {
  if (service.is_unaskable) throw Error(Errc::io, "no route to it");
  ProbeResult result;
  result.name = probe.name;
  result.what = "GET " + probe.url;
  result.connected_only = probe.name == "port";
  result.answered =
      result.connected_only || service.another_answers ||
      (!service.is_deaf && service.measured == Containedness::not_contained);
  result.detail = result.answered ? "HTTP 200" : "silence";
  return result;
}

/// One case with a session that acts, and a deployment. All cases of a test
/// share a machine: what is held on it lies in one folder.
struct Machine {
  Machine() {
    service = {};
    ::setenv("IMPOUND_RUN", (temp.path() / "run").c_str(), 1);
    deployment.name = "small";
    deployment.descriptor = "/nowhere/small.toml";
    deployment.containment_method = "obedient";
    deployment.process.port = 1;
    add_probe("models");
  }
  ~Machine() { ::unsetenv("IMPOUND_RUN"); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void add_probe(const std::string& name) {
    Probe probe;
    probe.name = name;
    probe.url = "http://x/" + name;
    deployment.probes.push_back(probe);
  }

  TempDir temp;
  FixedClock clock;
  Deployment deployment;
};

struct OneCase {
  explicit OneCase(Machine& on, const std::string& id = "IR-1")
      : machine(on),
        file(CaseFile::create(on.temp.path() / id, opening(id), eve,
                              on.clock)) {}

  ContainResult contain_it() {
    return contain(session, {.deployment = machine.deployment,
                             .method = kObedient,
                             .purpose = "a test",
                             .authority = nullptr,
                             .probe = ask});
  }
  std::vector<ReleaseResult> release_all(const std::string& held_by = "") {
    return release(session, {.methods = kMethods,
                             .probe = ask,
                             .purpose = "a test",
                             .held_by = held_by});
  }
  ReleaseResult release_it(const std::string& held_by = "") {
    const auto results = release_all(held_by);
    REQUIRE(results.size() == 1);
    return results.front();
  }
  CaseCheck check() {
    return check_case(
        session, {.repair = Repair::yes, .methods = kMethods, .probe = ask});
  }
  ContainmentState recorded() {
    const auto rows = file.containments();
    REQUIRE_FALSE(rows.empty());
    return rows.back().state;
  }
  std::vector<ContainmentNow> measured() {
    return measure_containments(file, kMethods, machine.clock, cancellation);
  }
  /// The last entry of an action.
  Json last(const std::string& action) {
    Json found;
    for (const Entry& entry : file.entries()) {
      if (entry.json.at("action") == action) found = entry.json;
    }
    return found;
  }
  CloseResult close(const std::string& still_contained = "") {
    return close_case(session, {.reason = "done",
                                .still_contained = still_contained,
                                .methods = kMethods});
  }

  Machine& machine;
  Examiner eve = make_examiner();
  CaseFile file;
  Cancellation cancellation;
  SilentProgress progress;
  Session session{.case_file = file,
                  .examiner = eve,
                  .clock = machine.clock,
                  .cancellation = cancellation,
                  .progress = progress};
};

TEST_CASE(
    "[I13] what the record holds open is measured each time, and what cannot "
    "be measured is unknown",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  REQUIRE(one.measured().size() == 1);
  CHECK(one.measured().front().measured == Containedness::contained);

  service.thaw();  // as after a reboot: the record still says contained
  CHECK(one.measured().front().row.state == ContainmentState::contained);
  CHECK(one.measured().front().measured == Containedness::not_contained);

  service.is_measurable = false;
  CHECK(one.measured().front().measured == Containedness::unknown);
  CHECK_THAT(one.measured().front().why, Catch::Contains("nobody is at home"));
  service.is_measurable = true;
  CHECK(measure_containments(one.file, {}, machine.clock, one.cancellation)
            .front()
            .measured == Containedness::unknown);

  CHECK(one.release_it().is_released());
  CHECK(one.measured().empty());
}

TEST_CASE(
    "[I13] silent probes contain nothing where the method measures that it "
    "runs",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  // Freezing did not hold, and the server happens to answer nobody.
  service.after_apply = [] {
    service.thaw();
    service.is_deaf = true;
  };
  const ContainResult result = one.contain_it();
  CHECK_FALSE(result.is_contained());
  CHECK(result.proof() == ProofStrength::none);
  CHECK(result.reason == "measured as not contained: the service said so");
  CHECK(one.recorded() != ContainmentState::contained);
  CHECK(one.last("isolate.verify").at("outcome") == "failed");
}

TEST_CASE(
    "[I13] a state that cannot be measured contains nothing, whatever the "
    "probes say",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  service.after_apply = [] { service.is_measurable = false; };
  const ContainResult result = one.contain_it();
  CHECK_FALSE(result.is_contained());
  CHECK_THAT(result.reason, Catch::Contains("measured as unknown"));
}

TEST_CASE(
    "[I13] rolled back is said only where the rollback was measured, and a "
    "rollback that failed stays open for release",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  service.another_answers = true;  // a probe on another live server

  SECTION("measured as running") {
    const ContainResult result = one.contain_it();
    CHECK_FALSE(result.is_contained());
    CHECK(result.end == ContainEnd::rolled_back);
    CHECK(result.state.measured == Containedness::not_contained);
    CHECK_THAT(result.to_text(), Catch::Contains("It was rolled back; "
                                                 "measured then: the service "
                                                 "said so"));
    CHECK(one.recorded() == ContainmentState::rolled_back);
  }
  SECTION("the undo throws") {
    service.undo_fails = true;
    const ContainResult result = one.contain_it();
    CHECK(result.end == ContainEnd::rollback_failed);
    CHECK_FALSE(result.is_rolled_back());
    CHECK_FALSE(result.to_json().at("rolled_back").get<bool>());
    CHECK_THAT(
        result.to_text(),
        Catch::Contains("THE ROLLBACK FAILED") &&
            Catch::Contains("the group will not thaw") &&
            Catch::Contains("impound release --deployment small --case"));
    CHECK(one.recorded() == ContainmentState::rollback_failed);
    CHECK(one.last("isolate.undo").at("outcome") == "failed");
    service.undo_fails = false;
    CHECK(one.release_it().is_released());
    CHECK(one.recorded() == ContainmentState::released);
  }
  SECTION("the undo says it worked, and it did not") {
    service.undo_lies = true;
    const ContainResult result = one.contain_it();
    CHECK(result.end == ContainEnd::rollback_failed);
    CHECK(one.recorded() == ContainmentState::rollback_failed);
  }
  SECTION("what holds afterwards cannot be measured") {
    struct Blind {
      static Json undo(const Target& target, const Json& record) {
        service.is_measurable = false;
        return impound::test::undo(target, record);
      }
    };
    Containment blind = kObedient;
    blind.undo = Blind::undo;
    const ContainResult result =
        contain(one.session, {.deployment = machine.deployment,
                              .method = blind,
                              .purpose = "a test",
                              .authority = nullptr,
                              .probe = ask});
    CHECK(result.end == ContainEnd::rollback_unknown);
    CHECK_THAT(result.to_text(), Catch::Contains("not measured to be back") &&
                                     Catch::Contains("nobody is at home"));
    CHECK(one.recorded() == ContainmentState::rollback_failed);
  }
  SECTION("the method failed half way") {
    service.another_answers = false;
    service.apply_fails = true;
    const ContainResult result = one.contain_it();
    CHECK(result.end == ContainEnd::rolled_back);
    CHECK_THAT(result.reason, Catch::Contains("cannot freeze process 8"));
    CHECK_FALSE(service.is_held);
  }
}

TEST_CASE(
    "[I13] where the record gives out under the act, the error says that the "
    "service stands still and what gives it back",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  service.after_apply = [&] {
    EntryDraft draft = one.session.draft("case.close");
    draft.detail["open_items"] = Json::array();
    one.file.append({draft}, one.eve);
  };
  try {
    static_cast<void>(one.contain_it());
    FAIL("the act could not be recorded");
  } catch (const Error& error) {
    CHECK_THAT(
        error.what(),
        Catch::Contains("small is measured now as contained") &&
            Catch::Contains("impound release --deployment small --case"));
  }
}

TEST_CASE(
    "[I13] \"Nothing was changed\" is not said where an earlier containment "
    "was undone first",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  // A worker was started again: a part stands still, the whole does not.
  service.measured = Containedness::not_contained;
  machine.deployment.probes.clear();
  int looks = 0;
  service.before_look = [&] { service.is_there = ++looks < 2; };
  const ContainResult result = one.contain_it();
  CHECK(result.end == ContainEnd::not_begun);
  CHECK(service.undone == 1);
  CHECK_THAT(result.to_text(), !Catch::Contains("Nothing was changed") &&
                                   Catch::Contains("was undone before"));
}

TEST_CASE("[I13] \"Nothing was changed\" is said where nothing was begun",
          "[engine]") {
  Machine machine;
  OneCase one(machine);
  service.is_there = false;
  service.measured = Containedness::unknown;
  const ContainResult result = one.contain_it();
  CHECK(result.end == ContainEnd::not_begun);
  CHECK_THAT(result.to_text(), Catch::Contains("cannot find the process") &&
                                   Catch::Contains("Nothing was changed."));
  CHECK(service.applied == 0);
  CHECK(one.file.containments().empty());
  CHECK(one.last("isolate.verify").at("outcome") == "failed");
}

TEST_CASE(
    "[I13] a mark stays when what it marks could not be looked at before it is "
    "contained anew",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  const std::string mark = list_holds(holds_folder()).holds.at(0).intent;
  service.is_measurable = false;
  CHECK_FALSE(one.contain_it().is_contained());
  const auto marks = list_holds(holds_folder()).holds;
  CHECK(std::ranges::count(marks, mark, &Hold::intent) == 1);
}

TEST_CASE(
    "[I13] what a crash left between act and measurement is undone before it "
    "is contained anew, and not taken for contained",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  const bool is_applied = GENERATE(true, false);
  INFO(is_applied);
  // What a process leaves that is killed before, or after, its act is recorded.
  REQUIRE(one.contain_it().is_contained());
  CHECK(one.release_it().is_released());
  const int undone = service.undone;
  const int applied = service.applied;
  Json before = one.last("isolate.apply").at("detail");
  for (const Entry& entry : one.file.entries()) {
    const Json& detail = entry.json.at("detail");
    if (entry.json.at("action") == "isolate.apply" &&
        detail.at("phase") == "before") {
      before = detail;
    }
  }
  EntryDraft intent = one.session.draft("isolate.apply");
  intent.purpose = "a test";
  intent.outcome = Outcome::intended;
  intent.detail = before;
  const Entry begun = one.file.append({intent}, one.eve).front();
  service.freeze();
  if (is_applied) {
    EntryDraft after = one.session.draft("isolate.apply");
    after.purpose = "a test";
    after.detail = one.last("isolate.apply").at("detail");
    after.detail["phase"] = "after";
    after.detail["intent"] = begun.json.at("id");
    after.detail["after"] = {{"stopped", true}};
    after.refs = {begun.json.at("id").get<std::string>()};
    static_cast<void>(one.file.append({after}, one.eve));
    CHECK(one.recorded() == ContainmentState::applied);
  } else {
    CHECK(one.recorded() == ContainmentState::intended);
  }

  SECTION("the undo holds") {
    const ContainResult result = one.contain_it();
    CHECK(result.end == ContainEnd::applied);
    CHECK(result.is_contained());
    CHECK(service.undone == undone + 1);
    CHECK(service.applied == applied + 1);
    const auto rows = one.file.containments();
    REQUIRE(rows.size() == 3);
    CHECK(rows[1].state == ContainmentState::rolled_back);
    CHECK(rows[2].state == ContainmentState::contained);
  }
  SECTION("the undo fails") {
    service.undo_fails = true;
    const ContainResult result = one.contain_it();
    CHECK(result.end == ContainEnd::rollback_failed);
    CHECK_FALSE(result.is_contained());
    CHECK(service.applied == applied);
    CHECK_THAT(result.to_text(), Catch::Contains("could not be undone"));
  }
}

TEST_CASE(
    "[I13] the mark on the machine stays as long as something is measured to "
    "be held, and no longer",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  const auto marks = [&] {
    return list_holds(machine.temp.path() / "run").holds.size();
  };
  SECTION("after a rollback that did not hold") {
    service.another_answers = true;
    service.undo_lies = true;
    CHECK(one.contain_it().end == ContainEnd::rollback_failed);
    CHECK(marks() == 1);
    service.undo_lies = false;
    CHECK(one.release_it().is_released());
  }
  SECTION("after a rollback that held") {
    service.another_answers = true;
    CHECK(one.contain_it().end == ContainEnd::rolled_back);
  }
  SECTION("after a release that did not hold") {
    REQUIRE(one.contain_it().is_contained());
    CHECK(marks() == 1);
    service.undo_fails = true;
    CHECK(one.release_it().end == ReleaseEnd::still_held);
    CHECK(marks() == 1);
    service.undo_fails = false;
    CHECK(one.release_it().is_released());
  }
  SECTION("after a release that is measured to run, and is not answered") {
    REQUIRE(one.contain_it().is_contained());
    service.is_deaf = true;
    CHECK(one.release_it().end == ReleaseEnd::silent);
  }
  SECTION("as a check completes the record of a release") {
    REQUIRE(one.contain_it().is_contained());
    const auto rows = open_containments(one.file);
    EntryDraft intent = one.session.draft("isolate.undo");
    intent.purpose = "a test";
    intent.outcome = Outcome::intended;
    intent.detail = {{"intent", rows.front().id},
                     {"kind", "release"},
                     {"method", "obedient"},
                     {"phase", "before"},
                     {"after", nullptr}};
    static_cast<void>(one.file.append({intent}, one.eve));
    static_cast<void>(one.check());
    CHECK(marks() == 1);  // it stands still
    CHECK(one.release_it().is_released());
  }
  CHECK(marks() == 0);
}

TEST_CASE("a release is of the deployment that was named, and of no other",
          "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  machine.deployment.name = "large";
  service.thaw();
  REQUIRE(one.contain_it().is_contained());
  const auto results = release(one.session, {.methods = kMethods,
                                             .probe = ask,
                                             .purpose = "a test",
                                             .deployment = "small"});
  REQUIRE(results.size() == 1);
  CHECK(results.front().deployment == "small");
  const auto open = open_containments(one.file);
  REQUIRE(open.size() == 1);
  CHECK(open.front().deployment == "large");
}

TEST_CASE("what is measured of a release with nothing open is what was named",
          "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  machine.deployment.name = "large";
  service.thaw();
  REQUIRE(one.contain_it().is_contained());
  CHECK(one.release_all().size() == 2);
  const ReleaseRequest named{.methods = kMethods,
                             .probe = ask,
                             .purpose = "a test",
                             .deployment = "small"};
  const auto results = release(one.session, named);
  REQUIRE(results.size() == 1);
  CHECK(results.front().deployment == "small");
  CHECK(results.front().end == ReleaseEnd::nothing_open);
  CHECK(one.release_all().size() == 2);
}

TEST_CASE(
    "[I13] a probe that could not be asked, or must go on and does not, "
    "proves no containment",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  SECTION("it could not be asked") {
    service.after_apply = [] { service.is_unaskable = true; };
    const ContainResult result = one.contain_it();
    CHECK_FALSE(result.is_contained());
    CHECK_THAT(result.reason,
               Catch::Contains("could not be asked: no route to it"));
  }
  SECTION("it must go on") {
    machine.deployment.probes[0].after_containment = ProbeExpectation::allowed;
    const ContainResult result = one.contain_it();
    CHECK_FALSE(result.is_contained());
    CHECK_THAT(result.reason, Catch::Contains("must answer and is silent"));
    CHECK(result.end == ContainEnd::rolled_back);
  }
  SECTION("it must go on, and does") {
    machine.deployment.probes[0].after_containment = ProbeExpectation::allowed;
    service.another_answers = true;
    const ContainResult result = one.contain_it();
    CHECK(result.is_contained());
    CHECK(result.proof() == ProofStrength::state_alone);
  }
}

TEST_CASE("what was not contained because somebody stopped it is no answer",
          "[engine]") {
  Machine machine;
  OneCase one(machine);
  one.session.run = "R001";
  one.session.slot = JournalSlot{.n = 1, .call_sha256 = "h", .call = "{}"};
  service.another_answers = true;
  const bool is_stopped = GENERATE(true, false);
  service.after_apply = [&] {
    if (is_stopped) one.cancellation.request();
  };
  CHECK_FALSE(one.contain_it().is_contained());
  CHECK(one.file.journal("R001").empty() == is_stopped);
}

TEST_CASE("a case that is closed says which runs did not end", "[engine]") {
  Machine machine;
  OneCase one(machine);
  EntryDraft start = one.session.draft("playbook.start");
  start.detail = {{"playbook", "p"},         {"version", "1.0.0"},
                  {"playbook_sha256", "00"}, {"parameters", Json::object()},
                  {"permissions", nullptr},  {"plan_sha256", "11"},
                  {"deployment", "small"}};
  const std::string run = one.file.reserve_run(start, one.eve).run;
  const CloseResult closed = one.close();
  REQUIRE(closed.open_items.size() == 1);
  CHECK_THAT(closed.open_items.front(),
             Catch::Contains("run " + run + " of p is"));
}

TEST_CASE("what was contained last is released first", "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  machine.deployment.name = "large";  // another process of the same machine
  service.thaw();
  REQUIRE(one.contain_it().is_contained());
  const std::vector<ReleaseResult> results = one.release_all();
  REQUIRE(results.size() == 2);
  CHECK(results[0].deployment == "large");
  CHECK(results[1].deployment == "small");
}

TEST_CASE(
    "[I13] a release that was not proved is recorded failed, stays open, and "
    "can be tried again",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());

  SECTION("it is measured to stand still") {
    service.undo_lies = true;
    const ReleaseResult result = one.release_it();
    CHECK(result.end == ReleaseEnd::still_held);
    CHECK_FALSE(result.is_settled());
    CHECK_THAT(result.to_text(), Catch::Contains("NOT released: measured as "
                                                 "contained"));
  }
  SECTION("the undo throws") {
    service.undo_fails = true;
    const ReleaseResult result = one.release_it();
    CHECK(result.end == ReleaseEnd::still_held);
    CHECK_THAT(result.why, Catch::Contains("the group will not thaw"));
  }
  SECTION("it runs, and a probe that answered before is silent") {
    service.is_deaf = true;
    const ReleaseResult result = one.release_it();
    CHECK(result.end == ReleaseEnd::silent);
    CHECK_FALSE(result.is_settled());
  }
  SECTION("it is down: that is not \"still in force\"") {
    service.is_measurable = false;
    const ReleaseResult result = one.release_it();
    CHECK(result.end == ReleaseEnd::unknown);
    CHECK_THAT(result.to_text(),
               Catch::Contains("not measured to be contained"));
    // Nobody could look: whoever comes next must still find what it may be.
    CHECK(list_holds(holds_folder()).holds.size() == 1);
  }
  SECTION("it was looked for and is not there: nobody holds it") {
    service.is_gone_after_undo = true;
    const ReleaseResult result = one.release_it();
    CHECK(result.end == ReleaseEnd::unknown);
    CHECK(list_holds(holds_folder()).holds.empty());
  }
  CHECK(one.recorded() == ContainmentState::release_failed);
  CHECK(one.last("isolate.undo").at("outcome") == "failed");
  CHECK(one.check().open_problems() == 1);
  service.undo_lies = service.undo_fails = service.is_deaf = false;
  service.is_gone_after_undo = false;
  service.is_measurable = true;
  CHECK(one.release_it().is_released());
  CHECK(one.recorded() == ContainmentState::released);
  CHECK(one.last("isolate.undo").at("outcome") == "ok");
}

TEST_CASE(
    "[I13] release never says that all is well while containment is measured, "
    "even if the record has nothing open",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  REQUIRE(one.release_it().is_released());

  ReleaseResult found = one.release_it();
  CHECK(found.end == ReleaseEnd::nothing_open);
  CHECK(found.is_settled());
  CHECK_THAT(found.to_text(), Catch::Contains("measured now as not contained"));

  service.freeze();  // by whatever means
  found = one.release_it();
  CHECK(found.end == ReleaseEnd::nothing_open);
  CHECK_FALSE(found.is_settled());
  CHECK_THAT(found.to_text(), Catch::Contains("measured now as contained"));
  CHECK(service.undone == 1);
}

TEST_CASE("[I13] a probe that proves nothing is not counted as proof",
          "[engine]") {
  Machine machine;
  SECTION("it answered before and is silent now: counted") {
    machine.add_probe("port");  // connected_only
    const ContainResult result = OneCase(machine).contain_it();
    CHECK(result.is_contained());
    CHECK(result.proof() == ProofStrength::state_and_probes);
    CHECK(result.probes.proofs() == 1);
    CHECK_THAT(result.to_text(), Catch::Contains("proved by 1 of 2 probes"));
  }
  SECTION("it was silent all along: not counted") {
    service.is_deaf = true;
    const ContainResult result = OneCase(machine).contain_it();
    CHECK(result.is_contained());
    CHECK(result.proof() == ProofStrength::state_alone);
    CHECK_THAT(result.to_text(), Catch::Contains("by the method alone") &&
                                     Catch::Contains("no probe proves it") &&
                                     !Catch::Contains("proved by"));
  }
  SECTION("it only connects: not counted") {
    machine.deployment.probes.clear();
    machine.add_probe("port");
    const ContainResult result = OneCase(machine).contain_it();
    CHECK(result.is_contained());
    CHECK(result.proof() == ProofStrength::state_alone);
    CHECK_THAT(result.to_text(), Catch::Contains("no probe proves it"));
  }
  SECTION("a release counts the same way") {
    machine.add_probe("port");
    OneCase one(machine);
    REQUIRE(one.contain_it().is_contained());
    const ReleaseResult back = one.release_it();
    CHECK(back.is_released());
    CHECK(back.probes.proofs() == 1);
    CHECK_THAT(back.to_text(), Catch::Contains("proved by 1 of 2 probes"));
  }
  SECTION("what was silent before the containment need not answer after it") {
    service.is_deaf = true;
    OneCase one(machine);
    REQUIRE(one.contain_it().is_contained());
    const ReleaseResult back = one.release_it();
    CHECK(back.is_released());
    CHECK(back.probes.proofs() == 0);
  }
}

TEST_CASE(
    "what this case holds already is measured again and not contained twice",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  const ContainResult again = one.contain_it();
  CHECK(again.is_contained());
  CHECK(again.end == ContainEnd::held_already);
  // The probe of before the containment is what it is held against.
  CHECK(again.proof() == ProofStrength::state_and_probes);
  CHECK(service.applied == 1);
  CHECK(one.file.containments().size() == 1);

  service.another_answers = true;
  const ContainResult doubted = one.contain_it();
  CHECK_FALSE(doubted.is_contained());
  CHECK_THAT(doubted.to_text(), Catch::Contains("nothing was changed"));
  CHECK(service.undone == 0);
}

TEST_CASE(
    "what another case holds is said, not contained twice, and not thawed by "
    "a release that was not told to",
    "[engine]") {
  Machine machine;
  OneCase a(machine, "IR-A");
  OneCase b(machine, "IR-B");
  REQUIRE(a.contain_it().is_contained());

  const ContainResult second = b.contain_it();
  CHECK(second.end == ContainEnd::held_elsewhere);
  CHECK(second.is_contained());
  CHECK(second.proof() == ProofStrength::state_alone);
  REQUIRE(second.holder.has_value());
  CHECK(second.holder->case_id == "IR-A");
  CHECK_THAT(second.to_text(), Catch::Contains("contained already") &&
                                   Catch::Contains("case IR-A") &&
                                   Catch::Contains("by Eve Example since"));
  CHECK(service.applied == 1);
  CHECK(b.file.containments().empty());
  CHECK(b.last("isolate.verify").at("detail").at("held_by").at("case") ==
        "IR-A");

  const ReleaseResult refused = b.release_it();
  CHECK(refused.end == ReleaseEnd::held_elsewhere);
  CHECK_FALSE(refused.is_settled());
  CHECK_THAT(refused.to_text(),
             Catch::Contains("--held-by") && Catch::Contains("/IR-A"));
  CHECK(service.undone == 0);
  CHECK_THROWS_WITH(b.release_all("IR-X"), Catch::Contains("IR-X"));

  SECTION("told to, it is released, and the other record is not touched") {
    CHECK(b.release_it("IR-A").is_released());
    CHECK(service.undone == 1);
    CHECK(b.last("isolate.undo").at("detail").at("held_by").at("case") ==
          "IR-A");
    CHECK(a.recorded() == ContainmentState::contained);
    CHECK(a.measured().front().measured == Containedness::not_contained);
    CHECK(a.release_it().is_released());
  }
  SECTION("after the first case let go, the second one contains") {
    CHECK(a.release_it().is_released());
    CHECK(b.contain_it().end == ContainEnd::applied);
    CHECK(b.release_it().is_released());
  }
  SECTION("a mark whose containment is over is measured, and not believed") {
    service.thaw();  // by an administrator; the mark of IR-A remains
    CHECK(b.contain_it().end == ContainEnd::applied);
    // Now IR-B holds it, and the old record of IR-A must not undo that.
    CHECK(a.release_it().end == ReleaseEnd::held_elsewhere);
    CHECK(service.undone == 0);
    CHECK(b.release_it().is_released());
    CHECK(a.release_it().is_released());
  }
}

TEST_CASE(
    "a mark that a crash left before the act is measured and not believed, and "
    "a damaged one hides no other",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  const fs::path run = machine.temp.path() / "run";
  {
    HoldRegister holds(run, one.cancellation);
    Hold hold;
    hold.intent = "0a-1";
    hold.case_id = "IR-9";
    hold.case_folder = "/gone";
    hold.method = "obedient";
    hold.before = before({.deployment = machine.deployment,
                          .clock = machine.clock,
                          .cancellation = one.cancellation});
    hold.target = Json::object();
    hold.things = things(hold.before);
    REQUIRE(holds.add(hold));
    hold.intent = "../outside";
    CHECK_FALSE(holds.add(hold));
  }
  machine.temp.write("run/aa.hold.json", "{\"v\":1");
  CHECK(list_holds(run).holds.size() == 1);
  CHECK(list_holds(run).problems.size() == 1);
  CHECK(one.contain_it().end == ContainEnd::applied);
  // Ours alone is left of the readable ones.
  REQUIRE(list_holds(run).holds.size() == 1);
  CHECK(list_holds(run).holds.front().case_id == "IR-1");
  CHECK(one.release_it().is_released());
  CHECK(list_holds(run).holds.empty());
}

TEST_CASE(
    "an emergency does not wait for a folder: without one it is contained, and "
    "said that other cases cannot see it",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  const fs::path file = machine.temp.write("no-folder", "x");
  ::setenv("IMPOUND_RUN", (file / "run").c_str(), 1);
  const ContainResult result = one.contain_it();
  CHECK(result.is_contained());
  CHECK_THAT(result.to_text(),
             Catch::Contains("Other cases cannot see this containment"));
  CHECK(one.release_it().is_released());
}

TEST_CASE(
    "what stands in a group of impound that no record explains is not "
    "contained twice",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  service.measured = Containedness::contained;
  service.foreign_group = "the control group /impound-IR-9-small-0";
  const ContainResult result = one.contain_it();
  CHECK(result.end == ContainEnd::held_elsewhere);
  CHECK(service.applied == 0);
  CHECK_THAT(result.to_text(), Catch::Contains("impound-IR-9-small"));
  CHECK_FALSE(one.release_it().is_settled());
}

TEST_CASE(
    "a process that ends between undo and record leaves a release that case "
    "check finds, measures and explains",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  const auto rows = open_containments(one.file);
  // What undo_and_measure() leaves if it is killed after the undo.
  EntryDraft intent = one.session.draft("isolate.undo");
  intent.purpose = "a test";
  intent.outcome = Outcome::intended;
  intent.detail = {{"intent", rows.front().id},
                   {"kind", "release"},
                   {"method", "obedient"},
                   {"phase", "before"},
                   {"after", nullptr}};
  static_cast<void>(one.file.append({intent}, one.eve));
  CHECK(one.recorded() == ContainmentState::releasing);

  SECTION("the undo happened") {
    service.thaw();
    const CaseCheck check = one.check();
    REQUIRE(check.items.size() == 1);
    CHECK(check.items.front().is_repaired);
    CHECK_THAT(check.items.front().what,
               Catch::Contains("was left releasing") &&
                   Catch::Contains("Found at 2026-") &&
                   Catch::Contains("measured as not contained"));
    CHECK(one.recorded() == ContainmentState::released);
    CHECK_THAT(one.last("isolate.undo").at("late_reason").get<std::string>(),
               Catch::Contains("ended before it recorded an end"));
  }
  SECTION("the undo did not happen") {
    const CaseCheck check = one.check();
    REQUIRE(check.items.size() == 1);
    CHECK_FALSE(check.items.front().is_repaired);
    CHECK_THAT(check.items.front().what,
               Catch::Contains("measured as contained") &&
                   Catch::Contains("not proved to be undone"));
    CHECK(one.recorded() == ContainmentState::release_failed);
    CHECK(one.release_it().is_released());
  }
}

TEST_CASE("[I13] case check says what is measured now beside what is recorded",
          "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  service.thaw();  // a reboot
  const CaseCheck check = one.check();
  REQUIRE(check.items.size() == 1);
  CHECK(check.open_problems() == 1);
  CHECK_THAT(check.items.front().what,
             Catch::Contains("recorded as contained") &&
                 Catch::Contains("measured now as not contained") &&
                 Catch::Contains("impound release --deployment small --case"));
}

TEST_CASE(
    "a containment that the machine ended is undone in the record before it is "
    "made again",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  service.thaw();  // a reboot
  CHECK(one.contain_it().end == ContainEnd::applied);
  const auto rows = one.file.containments();
  REQUIRE(rows.size() == 2);
  CHECK(rows.front().state == ContainmentState::rolled_back);
  CHECK(rows.back().state == ContainmentState::contained);
}

TEST_CASE(
    "a case is not closed while something is contained or unknown, unless a "
    "person says why; and what it held can be released afterwards",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  CHECK_THROWS_WITH(one.close(), Catch::Contains("--still-contained") &&
                                     Catch::Contains("measured now as "
                                                     "contained"));
  service.is_measurable = false;
  CHECK_THROWS_WITH(one.close(), Catch::Contains("measured now as unknown"));
  service.is_measurable = true;
  CHECK(one.file.summary().closed_at.empty());

  CHECK(one.close("the owner takes over").containments.size() == 1);
  const Json close = one.last("case.close").at("detail");
  CHECK(close.at("containments").at(0).at("measured") == "contained");
  CHECK(close.at("still_contained_reason") == "the owner takes over");

  CHECK(one.release_it().is_released());
  CHECK(one.recorded() == ContainmentState::released);
  CHECK(verify_custody(one.file.folder(), "").ok());
}

TEST_CASE(
    "a case whose containment the machine ended is closed, and the close says "
    "what was measured",
    "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  service.thaw();
  service.is_held = true;  // a part of it
  CHECK_THROWS_WITH(one.close(), Catch::Contains("--still-contained"));
  service.thaw();
  CHECK(one.close().containments.size() == 1);
  CHECK(one.last("case.close")
            .at("detail")
            .at("containments")
            .at(0)
            .at("measured") == "not contained");
}

TEST_CASE("an act that cannot be recorded is not begun", "[engine]") {
  Machine machine;
  OneCase one(machine);
  REQUIRE(one.contain_it().is_contained());
  static_cast<void>(one.close("a test"));
  // No release that cannot be written: the intent comes first.
  const CaseFile reader(one.file.folder(), CaseMode::read_only, machine.clock);
  Session session{.case_file = const_cast<CaseFile&>(reader),
                  .examiner = one.eve,
                  .clock = machine.clock,
                  .cancellation = one.cancellation,
                  .progress = one.progress};
  CHECK_THROWS_AS(
      release(session,
              {.methods = kMethods, .probe = ask, .purpose = "a test"}),
      Error);
  CHECK(service.undone == 0);
  // No containment after the close: refused before anything is frozen.
  service.thaw();
  CHECK_THROWS_WITH(one.contain_it(), Catch::Contains("closed"));
  CHECK(service.applied == 1);
}

}  // namespace
}  // namespace impound::test
