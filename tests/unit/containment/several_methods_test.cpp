// SPDX-License-Identifier: Apache-2.0
/// Several methods in one descriptor: one containment, against services that
/// obey or fail as a test says.
#include <array>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/base/progress.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/release.hpp"
#include "core/evidence/exchange.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// A door of the service: shut or not. All three shut it off.
struct Door {
  bool is_shut = false;
  bool cannot_shut = false;
  bool opens_when_asked = false;  ///< a request brings the model back
};
std::array<Door, 3> doors;
std::vector<std::string> acted;  ///< what was done, in order

template <int N>
struct DoorMethod {
  static constexpr std::array<const char*, 3> kNames{"first", "second",
                                                     "third"};
  static Json before(const Target& target) {
    return {{"door", N}, {"key", target.arguments.json()}};
  }
  static Json apply(const Target& target, const Json&) {
    Exchange said;
    said.peer = "door";
    said.request = "shut";
    said.end = ExchangeEnd::answered;
    target.exchanges->add(said);
    acted.push_back(std::string("shut ") + kNames[N]);
    if (doors[N].cannot_shut) throw Error(Errc::io, "the door is stuck");
    doors[N].is_shut = true;
    return {{"shut", N}};
  }
  static Json undo(const Target&, const Json&) {
    acted.push_back(std::string("open ") + kNames[N]);
    doors[N].is_shut = false;
    return {{"open", N}};
  }
  static MeasuredState state(const Target&, const Json& record) {
    MeasuredState found;
    found.measured = doors[N].is_shut ? Containedness::contained
                                      : Containedness::not_contained;
    found.holds_something = doors[N].is_shut;
    found.is_by_record = doors[N].is_shut && !record.empty();
    found.why = std::string(kNames[N]) + " was looked at";
    found.from = "the hinge";
    found.connections_left = 0;
    return found;
  }
  static std::vector<std::string> things(const Json& record) {
    if (record.empty()) return {};
    return {std::string("door ") + kNames[N]};
  }
  static std::string describe(const Target&) { return "Shuts a door."; }
  static std::vector<PlannedAct> acts(const Target&, const Json&) {
    return {{.what = "shuts the door", .peer = "door", .request = "shut"}};
  }
};

template <int N>
constexpr Containment door_method() {
  return {.name = DoorMethod<N>::kNames[N],
          .summary = "Shuts a door.",
          .parameters = {},
          .before = DoorMethod<N>::before,
          .apply = DoorMethod<N>::apply,
          .undo = DoorMethod<N>::undo,
          .state = DoorMethod<N>::state,
          .things = DoorMethod<N>::things,
          .describe = DoorMethod<N>::describe,
          .effects = {.keeps = {.weights = Kept::kept,
                                .kv = N == 2 ? Kept::lost : Kept::kept,
                                .inflight = Kept::lost,
                                .process = Kept::kept},
                      .undo = UndoPromise::exact},
          .acts = DoorMethod<N>::acts};
}
constexpr Containment kFirst = door_method<0>();
constexpr Containment kSecond = door_method<1>();
constexpr Containment kThird = door_method<2>();
constexpr std::array<const Containment*, 3> kDoors{&kFirst, &kSecond, &kThird};

bool is_reachable() {
  // All of the named doors must be shut: each closes one way of two.
  return !(doors[0].is_shut && doors[1].is_shut);
}

ProbeResult ask(const Probe& probe) {
  for (Door& door : doors) {
    if (door.opens_when_asked) door.is_shut = false;
  }
  ProbeResult result;
  result.name = probe.name;
  result.what = "GET";
  result.answered = is_reachable();
  result.detail = result.answered ? "HTTP 200" : "silence";
  return result;
}

struct House {
  explicit House(const std::vector<std::string>& methods) {
    doors = {};
    acted.clear();
    ::setenv("IMPOUND_RUN", (temp.path() / "run").c_str(), 1);
    deployment.name = "house";
    deployment.descriptor = "/nowhere/house.toml";
    deployment.containment_method = methods.front();
    for (const std::string& one : methods) {
      deployment.containments.push_back({.method = one});
    }
    Probe probe;
    probe.name = "models";
    deployment.probes.push_back(probe);
    file.emplace(
        CaseFile::create(temp.path() / "IR-1", opening("IR-1"), eve, clock));
    session.emplace(Session{.case_file = *file,
                            .examiner = eve,
                            .clock = clock,
                            .cancellation = cancellation,
                            .progress = progress});
  }
  ~House() { ::unsetenv("IMPOUND_RUN"); }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  ContainAllResult contain_it(const AcceptedLoss& loss = {}) {
    return contain_all(*session, {.deployment = deployment,
                                  .methods = kDoors,
                                  .purpose = "a test",
                                  .authority = nullptr,
                                  .probe = ask,
                                  .loss = loss});
  }
  std::vector<ReleaseResult> release_it() {
    return release(*session,
                   {.methods = kDoors, .probe = ask, .purpose = "a test"});
  }
  std::vector<Json> entries_of(const std::string& action) {
    std::vector<Json> found;
    for (const Entry& entry : file->entries()) {
      if (entry.json.at("action") == action) found.push_back(entry.json);
    }
    return found;
  }

  TempDir temp;
  FixedClock clock;
  Deployment deployment;
  Examiner eve = make_examiner();
  Cancellation cancellation;
  SilentProgress progress;
  std::optional<CaseFile> file;
  std::optional<Session> session;
};

}  // namespace

TEST_CASE(
    "several methods are applied in the declared order, proved by the probes "
    "after the last, and undone in reverse") {
  House house({"first", "second"});
  const ContainAllResult result = house.contain_it();
  INFO(result.to_text());
  REQUIRE(result.is_contained());
  CHECK(acted == std::vector<std::string>{"shut first", "shut second"});
  // The first alone silences nothing: it must not be judged by the probes.
  CHECK(result.parts[0].proof() == ProofStrength::state_alone);
  CHECK(result.parts[1].proof() == ProofStrength::state_and_probes);
  CHECK(result.to_json().at("method") == "first+second");

  acted.clear();
  const auto released = house.release_it();
  REQUIRE(released.size() == 2);
  CHECK(acted == std::vector<std::string>{"open second", "open first"});
  CHECK(released[0].is_released());
  CHECK(released[1].is_released());
  CHECK(released[1].probes.proofs() == 1);
  CHECK(verify_custody(house.temp.path() / "IR-1", "").ok());
}

TEST_CASE(
    "where a later method is not contained, those before it are undone in "
    "reverse and the whole is said not to be contained") {
  House house({"first", "second", "third"});
  doors[2].cannot_shut = true;
  const ContainAllResult result = house.contain_it({.reason = "a test"});
  INFO(result.to_text());
  CHECK_FALSE(result.is_contained());
  CHECK(acted == std::vector<std::string>{"shut first", "shut second",
                                          "shut third", "open third",
                                          "open second", "open first"});
  REQUIRE(result.undone.size() == 2);
  CHECK_THAT(result.undone[0], Catch::Contains("second: rolled back"));
  CHECK_THAT(result.undone[1], Catch::Contains("first: rolled back"));
  CHECK(is_reachable());
  CHECK(open_containments(*house.file).empty());
  CHECK(house.entries_of("isolate.verify").back().at("outcome") == "failed");
  CHECK(verify_custody(house.temp.path() / "IR-1", "").ok());
}

TEST_CASE(
    "several methods applied twice are measured, and nothing is done again") {
  House house({"first", "second"});
  REQUIRE(house.contain_it().is_contained());
  acted.clear();
  const ContainAllResult again = house.contain_it();
  CHECK(again.is_contained());
  CHECK(acted.empty());
  CHECK(again.parts[0].end == ContainEnd::held_already);
  for (const ReleaseResult& one : house.release_it()) CHECK(one.is_released());
  // Released twice: measured, nothing to do.
  acted.clear();
  for (const ReleaseResult& one : house.release_it()) CHECK(one.is_settled());
  CHECK(acted.empty());
}

TEST_CASE(
    "what a later request brings back is not contained, and is rolled back") {
  House house({"first"});
  house.deployment.probes.clear();
  Probe probe;
  probe.name = "wakes";
  // It is silent, and brings the service back all the same.
  house.deployment.probes.push_back(probe);
  doors[1].is_shut = true;
  doors[0].opens_when_asked = true;
  struct Silent {
    static ProbeResult ask(const Probe& one) {
      ProbeResult result = impound::test::ask(one);
      result.answered = false;
      return result;
    }
  };
  const ContainAllResult result =
      contain_all(*house.session, {.deployment = house.deployment,
                                   .methods = kDoors,
                                   .purpose = "a test",
                                   .authority = nullptr,
                                   .probe = Silent::ask});
  INFO(result.to_text());
  CHECK_FALSE(result.is_contained());
  CHECK_THAT(result.parts[0].reason,
             Catch::Contains("a later request brought it back"));
}

TEST_CASE(
    "a method that no longer holds once the last is applied is measured, and "
    "the whole is undone") {
  House house({"first", "second"});
  doors[0].opens_when_asked = true;  // by the probes after the second
  struct Silent {
    static ProbeResult ask(const Probe& one) {
      ProbeResult result = impound::test::ask(one);
      result.answered = false;
      return result;
    }
  };
  const ContainAllResult result =
      contain_all(*house.session, {.deployment = house.deployment,
                                   .methods = kDoors,
                                   .purpose = "a test",
                                   .authority = nullptr,
                                   .probe = Silent::ask});
  INFO(result.to_text());
  CHECK_FALSE(result.is_contained());
  CHECK_THAT(result.to_text(),
             Catch::Contains("first does not hold after the last method"));
  CHECK(result.undone.size() == 2);
  CHECK(open_containments(*house.file).empty());
  CHECK(house.entries_of("isolate.verify").back().at("outcome") == "failed");
}

TEST_CASE(
    "[I13] each thing that contained rests on says where it was measured from, "
    "and what was not measured is unknown") {
  House house({"first", "second"});
  const ContainAllResult result = house.contain_it();
  const auto proofs = result.parts.back().proofs();
  REQUIRE(proofs.size() == 4);
  CHECK(proofs[0].shown == Shown::yes);
  CHECK(proofs[0].from == "the hinge");
  CHECK(proofs[1].shown == Shown::yes);
  CHECK_THAT(proofs[1].from, Catch::Contains("network namespace net:["));
  CHECK(proofs[2].shown == Shown::yes);
  CHECK(proofs[3].shown == Shown::yes);
  const auto first = result.parts.front().proofs();
  CHECK(first[1].shown == Shown::unknown);
  // Measured again once the probes were asked, after the second.
  CHECK(first[3].shown == Shown::yes);
  CHECK_THAT(first[3].why, Catch::Contains("after the probes of the whole"));
}

TEST_CASE(
    "a method that loses what is in memory is refused without a reason, and "
    "the reason goes into the chain") {
  House house({"third"});
  CHECK_THROWS_WITH(house.contain_it(), Catch::Contains("--accept-loss"));
  CHECK(acted.empty());
  CHECK(house.entries_of("isolate.apply").empty());
  doors[0].is_shut = doors[1].is_shut = true;
  static_cast<void>(house.contain_it({.reason = "the cache is not needed"}));
  CHECK(house.entries_of("isolate.apply")
            .front()
            .at("detail")
            .at("accepted_loss") == "the cache is not needed");
}

TEST_CASE(
    "what was said to a control plane and what it was going to be told stand "
    "in the entries of the act") {
  House house({"first", "second"});
  REQUIRE(house.contain_it().is_contained());
  const auto entries = house.entries_of("isolate.apply");
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].at("detail").at("acts")[0].at("request") == "shut");
  CHECK(entries[1].at("detail").at("exchanges")[0].at("request") == "shut");
  CHECK(entries[0].at("detail").at("part").at("of") == 2);
}

TEST_CASE("a dry run lists the acts and does none of them") {
  House house({"first"});
  const Rehearsal rehearsal =
      rehearse(house.deployment, kFirst, {}, house.clock, house.cancellation);
  CHECK(acted.empty());
  REQUIRE(rehearsal.acts.size() == 1);
  CHECK_THAT(rehearsal.to_text(), Catch::Contains("door > shut"));
  CHECK_THAT(rehearsal.to_text(), Catch::Contains("keeps weights"));
}

}  // namespace impound::test
