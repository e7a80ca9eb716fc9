// SPDX-License-Identifier: Apache-2.0
/// Freezing a real server by each method that this machine offers.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "containment/freezer.hpp"
#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "tests/real/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::Scene;

namespace {

const Containment& process_containment() {
  for (const Containment* const one : all_containments()) {
    if (one->name == "process") return *one;
  }
  throw std::runtime_error("no containment is called process");
}

/// False, with the reason printed, where this machine does not offer a method.
bool is_available(const std::string& method) {
  if (method == "stop") return true;
  const FreezerMount mount =
      find_freezer(*freeze_method_from(method), ProcFs());
  if (!mount.path) WARN("skipped " << method << ": " << mount.reason);
  return mount.path.has_value();
}

/// A deployment of one scene, with everything that a call needs.
struct Setting {
  explicit Setting(const Scene& scene, const std::string& method) {
    deployment.name = "scene " + std::to_string(scene.pid());
    deployment.descriptor = "/nowhere/scene.toml";
    deployment.process.port = scene.port();
    probe.name = "models";
    probe.url = "http://127.0.0.1:" + std::to_string(scene.port()) + "/";
    probe.timeout_ms = 400;
    arguments = arguments_for(process_containment(), {{"method", method}},
                              Spelling::values, clock.now());
  }
  [[nodiscard]] Target target() const {
    return {.deployment = deployment,
            .arguments = arguments,
            .clock = clock,
            .cancellation = cancellation};
  }
  [[nodiscard]] bool is_answering() const { return run_probe(probe).answered; }

  Deployment deployment;
  Probe probe;
  Arguments arguments;
  FixedClock clock;
  Cancellation cancellation;
};

MeasuredState wait_until_contained(const Setting& setting, const Json& before) {
  MeasuredState state;
  for (int i = 0; i < 100; ++i) {
    state = process_containment().state(setting.target(), before);
    if (state.measured == Containedness::contained) return state;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return state;
}

bool group_exists(const Json& before) {
  return before.contains("group") &&
         fs::exists(before.at("group").get<std::string>());
}

}  // namespace

TEST_CASE("a frozen server is silent, and answers again after undo") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_available(method)) return;
  INFO(method);
  const Scene scene({"--children", "3"});
  const Setting setting(scene, method);
  const Containment& containment = process_containment();
  REQUIRE(setting.is_answering());

  const Json before = containment.before(setting.target());
  CHECK(before.at("method") == method);
  CHECK(before.at("processes").size() == 4);
  CHECK(before.at("connections").at("listening").size() == 1);
  CHECK(containment.state(setting.target(), before).measured ==
        Containedness::not_contained);
  CHECK(setting.is_answering());  // before() changes nothing
  CHECK_FALSE(group_exists(before));

  const Json done = containment.apply(setting.target(), before);
  CHECK(done.at("complete").get<bool>());
  const MeasuredState state = wait_until_contained(setting, before);
  INFO(state.to_json().dump());
  CHECK(state.measured == Containedness::contained);
  CHECK(state.holds_something);
  CHECK(state.facts.at("frozen").size() == 4);
  CHECK_FALSE(setting.is_answering());

  SECTION("applying again is harmless") {
    const Json again = containment.apply(setting.target(), before);
    CHECK(again.at("complete").get<bool>());
    CHECK_FALSE(setting.is_answering());
  }

  const Json undone = containment.undo(setting.target(), before);
  INFO(undone.dump());
  CHECK(undone.at("problems").empty());
  CHECK(undone.at("gone").empty());
  CHECK(setting.is_answering());
  CHECK_FALSE(group_exists(before));
  CHECK(containment.state(setting.target(), before).measured ==
        Containedness::not_contained);

  const ProcFs procfs;
  for (const Json& one : before.at("processes")) {
    const Pid pid = one.at("pid").get<Pid>();
    Json groups = Json::object();
    for (const CgroupMembership& group : procfs.cgroups(pid)) {
      groups[group.controllers] = group.path;
    }
    CHECK(groups == one.at("cgroups"));
  }
  // Twice is as good as once.
  CHECK(containment.undo(setting.target(), before).at("problems").empty());
}

TEST_CASE("undo after a crash between before and apply changes nothing") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_available(method)) return;
  INFO(method);
  const Scene scene;
  const Setting setting(scene, method);
  const Json before = process_containment().before(setting.target());
  const Json undone = process_containment().undo(setting.target(), before);
  CHECK(undone.at("problems").empty());
  CHECK(setting.is_answering());
}

TEST_CASE("undo works in another process after apply was killed half way") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_available(method)) return;
  INFO(method);
  const Scene scene({"--children", "40"});
  const Setting setting(scene, method);
  const Json before = process_containment().before(setting.target());
  // Killed at a different moment in each round.
  for (const unsigned delay_us : {0U, 500U, 2'000U, 8'000U}) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        static_cast<void>(
            process_containment().apply(setting.target(), before));
      } catch (const Error&) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    ::usleep(delay_us);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Json undone = process_containment().undo(setting.target(), before);
    INFO(delay_us << " us: " << undone.dump());
    CHECK(undone.at("problems").empty());
    CHECK(setting.is_answering());
    CHECK_FALSE(group_exists(before));
    const ProcFs procfs;
    for (const ProcessStat& one : procfs.tree(std::array{scene.pid()})) {
      CHECK(one.state != 'T');
    }
  }
}

TEST_CASE("a process that forks all the time is caught with all its children") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_available(method)) return;
  INFO(method);
  const Scene scene({"--storm"});
  const Setting setting(scene, method);
  const Json before = process_containment().before(setting.target());
  const Json done = process_containment().apply(setting.target(), before);
  INFO(done.dump());
  CHECK(done.at("complete").get<bool>());
  CHECK(wait_until_contained(setting, before).measured ==
        Containedness::contained);

  const ProcFs procfs;
  const auto pids_of = [&] {
    std::vector<Pid> pids;
    for (const ProcessStat& one : procfs.tree(std::array{scene.pid()})) {
      pids.push_back(one.pid);
    }
    return pids;
  };
  const auto frozen = pids_of();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(pids_of() == frozen);  // nothing was born, nothing ended

  CHECK(process_containment()
            .undo(setting.target(), before)
            .at("problems")
            .empty());
  CHECK(setting.is_answering());
}

TEST_CASE("a process that was stopped before stays stopped after undo") {
  const Scene scene({"--children", "1"});
  const Setting setting(scene, "stop");
  const ProcFs procfs;
  const auto tree = procfs.tree(std::array{scene.pid()});
  REQUIRE(tree.size() == 2);
  const Pid child = tree[0].pid == scene.pid() ? tree[1].pid : tree[0].pid;
  REQUIRE(::kill(child, SIGSTOP) == 0);
  while (!procfs.stat(child)->is_stopped()) ::usleep(1000);

  const Json before = process_containment().before(setting.target());
  static_cast<void>(process_containment().apply(setting.target(), before));
  const Json undone = process_containment().undo(setting.target(), before);
  CHECK(undone.at("left_stopped") == Json::array({child}));
  CHECK(procfs.stat(child)->is_stopped());
  CHECK(setting.is_answering());
}

TEST_CASE("a number that another process has now is left alone") {
  Scene scene;
  const Setting setting(scene, "stop");
  Json before = process_containment().before(setting.target());
  // As if the recorded process had ended and its number had been given away.
  before.at("processes").at(0).at("start_ticks") =
      before.at("processes").at(0).at("start_ticks").get<std::uint64_t>() - 1;
  REQUIRE(::kill(scene.pid(), SIGSTOP) == 0);
  Setting elsewhere(scene, "stop");
  elsewhere.deployment.process = {
      .pid = {}, .port = std::uint16_t{1}, .unit = {}, .pidfile = {}};
  const Json undone = process_containment().undo(elsewhere.target(), before);
  CHECK(undone.at("gone") == Json::array({scene.pid()}));
  CHECK(undone.at("restored").empty());
  CHECK(ProcFs().stat(scene.pid())->is_stopped());
  REQUIRE(::kill(scene.pid(), SIGCONT) == 0);
}

TEST_CASE("undo reports processes that ended meanwhile, and still succeeds") {
  const auto method =
      GENERATE(as<std::string>{}, "freeze-v2", "freeze-v1", "stop");
  if (!is_available(method)) return;
  INFO(method);
  Scene scene;
  const Setting setting(scene, method);
  const Json before = process_containment().before(setting.target());
  static_cast<void>(process_containment().apply(setting.target(), before));
  const Pid pid = scene.pid();
  ::kill(pid, SIGKILL);
  const Json undone = process_containment().undo(setting.target(), before);
  scene.end();
  INFO(undone.dump());
  const Json again = process_containment().undo(setting.target(), before);
  CHECK(again.at("gone") == Json::array({pid}));
  CHECK(again.at("problems").empty());
  CHECK_FALSE(group_exists(before));
}

TEST_CASE("this program does not freeze itself or the machine") {
  const Scene scene;
  Setting setting(scene, "stop");
  setting.deployment.process = {
      .pid = ::getpid(), .port = {}, .unit = {}, .pidfile = {}};
  CHECK_THROWS_WITH(process_containment().before(setting.target()),
                    Catch::Contains("would freeze itself"));
  setting.deployment.process.pid = 1;
  CHECK_THROWS_WITH(process_containment().before(setting.target()),
                    Catch::Contains("freeze"));
  setting.deployment.process.pid = 4'000'000;
  CHECK_THROWS_AS(process_containment().before(setting.target()), Error);
}

TEST_CASE(
    "a connection to a frozen listener completes, which is why a bare "
    "TCP probe proves nothing") {
  const Scene scene({"--greet"});
  const Setting setting(scene, "stop");
  Probe bare;
  bare.kind = ProbeKind::tcp;
  bare.name = "port";
  bare.host = "127.0.0.1";
  bare.port = scene.port();
  bare.timeout_ms = 400;
  Probe greeting = bare;
  greeting.expect = "hello";
  CHECK(run_probe(greeting).answered);

  const Json before = process_containment().before(setting.target());
  static_cast<void>(process_containment().apply(setting.target(), before));
  const ProbeResult connected = run_probe(bare);
  CHECK(connected.connected_only);
  CHECK(connected.answered);
  const ProbeResult silent = run_probe(greeting);
  CHECK_FALSE(silent.answered);
  CHECK_FALSE(silent.connected_only);
  const MeasuredState state = wait_until_contained(setting, before);
  CHECK_FALSE(state.facts.at("connections").at("open").empty());
  static_cast<void>(process_containment().undo(setting.target(), before));
  CHECK(run_probe(greeting).answered);
}

TEST_CASE("a probe judges every doubt against us") {
  const Scene scene;
  Probe probe;
  probe.name = "models";
  probe.url = "http://127.0.0.1:" + std::to_string(scene.port()) + "/";
  CHECK(run_probe(probe).answered);
  CHECK(run_probe(probe).detail == "HTTP 200, 15 bytes");
  probe.expect = "toy";
  CHECK(run_probe(probe).answered);
  probe.expect = "another model";
  CHECK_FALSE(run_probe(probe).answered);

  probe.expect.clear();
  probe.url = "http://127.0.0.1:1/";
  CHECK_FALSE(run_probe(probe).answered);
  probe.url = "not a url";
  CHECK_THROWS_AS(run_probe(probe), Error);
  probe.url = "http://127.0.0.1:" + std::to_string(scene.port()) + "/";
  probe.token_file = "/nowhere/token";
  CHECK_THROWS_AS(run_probe(probe), Error);
}

TEST_CASE(
    "[I13] a deployment that is down is not said to be contained: nothing "
    "could be measured") {
  Scene scene;
  const Setting setting(scene, "stop");
  const Json before = process_containment().before(setting.target());
  scene.end();
  const MeasuredState state =
      process_containment().state(setting.target(), before);
  INFO(state.why);
  CHECK(state.measured == Containedness::unknown);
  CHECK_FALSE(state.holds_something);
  CHECK_THAT(state.why, Catch::Contains("1 of the 1 recorded processes ended"));
}

TEST_CASE(
    "[I13] a freeze does not outlive a restart of the machine: the boot is "
    "compared, and what is found now is measured") {
  Scene scene;
  const Setting setting(scene, "stop");
  Json before = process_containment().before(setting.target());
  before["boot_id"] = "11111111-0000-4000-8000-000000000000";
  const MeasuredState served =
      process_containment().state(setting.target(), before);
  CHECK(served.measured == Containedness::not_contained);
  CHECK_THAT(served.why, Catch::Contains("was restarted since"));
  scene.end();
  const MeasuredState down =
      process_containment().state(setting.target(), before);
  CHECK(down.measured == Containedness::unknown);
  CHECK_THAT(down.why, Catch::Contains("was restarted since") &&
                           Catch::Contains("no process"));
}

TEST_CASE("a deployment of which a part runs is neither contained nor back") {
  const Scene scene({"--children", "1"});
  const Setting setting(scene, "stop");
  const ProcFs procfs;
  const auto tree = procfs.tree(std::array{scene.pid()});
  REQUIRE(tree.size() == 2);
  const Pid child = tree[0].pid == scene.pid() ? tree[1].pid : tree[0].pid;
  const Json before = process_containment().before(setting.target());
  REQUIRE(::kill(child, SIGSTOP) == 0);
  while (!procfs.stat(child)->is_stopped()) ::usleep(1000);
  const MeasuredState state =
      process_containment().state(setting.target(), before);
  ::kill(child, SIGCONT);
  INFO(state.why);
  CHECK(state.measured == Containedness::not_contained);
  CHECK(state.holds_something);
}
