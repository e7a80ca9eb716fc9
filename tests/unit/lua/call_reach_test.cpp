// SPDX-License-Identifier: Apache-2.0
/// Every function of ctx goes through the door of engine/reach.hpp.

#include <set>

#include "core/base/error.hpp"
#include "lua/host/call_check.hpp"
#include "lua/host/playbook_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/recording_host.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

bool is_said(const Parameter& parameter) {
  return parameter.touched() != Touches::unsaid;
}

/// Values of this type can name a thing outside.
bool names_outside(Touches touches) {
  return touches != Touches::nothing && touches != Touches::unsaid;
}

TEST_CASE("every function of ctx says what it and its arguments touch",
          "[lua][reach]") {
  for (const CallRule& rule : call_rules()) {
    INFO(rule.name);
    CHECK(rule.takes.has_value());
    for (const Parameter& parameter : rule.arguments) {
      INFO(parameter.name);
      CHECK(is_said(parameter));
    }
  }
}

TEST_CASE("every parameter of a collector or containment says what it names",
          "[lua][reach]") {
  const Instruments real = test::instruments();
  const auto check = [](const auto& instruments) {
    for (const auto* const one : instruments) {
      for (const Parameter& parameter : one->parameters) {
        INFO(one->name << " " << parameter.name);
        CHECK(is_said(parameter));
        // A path is never mere words.
        CHECK((parameter.type != ParameterType::path ||
               names_outside(parameter.touched())));
      }
    }
  };
  check(real.collectors);
  check(real.containments);
}

TEST_CASE("a collector that reads files says of which part", "[lua][reach]") {
  for (const Collector* const one : test::instruments().collectors) {
    INFO(one->name);
    CHECK((one->reach == Reach::device || !one->takes.empty()));
  }
}

/// Every argument of every function whose values name something, held against
/// a name that nobody gave: refused at the door, whatever the function.
TEST_CASE("no argument of any function brings a foreign path through",
          "[lua][reach]") {
  const Instruments real = test::instruments();
  const Deployment nothing;
  const PlaybookReach reach(nothing, {}, PlaybookReach::Disk::real);
  int tried = 0;
  for (const CallRule& rule : call_rules()) {
    for (const Parameter& parameter : rule.arguments) {
      if (!names_outside(parameter.touched())) continue;
      for (const char* path : {"/etc/passwd", "../../etc/passwd", "~/.ssh/id",
                               "/proc/self/root/etc/passwd"}) {
        INFO(rule.name << " " << parameter.name << " " << path);
        // Searched for in what the call is about: a name like any other.
        if (parameter.touched() == Touches::signature && *path == '~') continue;
        Json arguments = Json::object();
        arguments[parameter.name] = parameter.type == ParameterType::texts
                                        ? Json::array({path})
                                        : Json(path);
        CHECK_THROWS_AS(admit_call(reach, real, rule, arguments), Error);
        ++tried;
      }
    }
  }
  CHECK(tried >= 36);
  for (const Collector* const one : real.collectors) {
    for (const Parameter& parameter : one->parameters) {
      if (!names_outside(parameter.touched())) continue;
      INFO(one->name << " " << parameter.name);
      const Json value = parameter.touched() == Touches::process
                             ? Json(1)
                             : Json("/etc/passwd");
      const Json arguments{{"collector", one->name},
                           {"arguments", Json{{parameter.name, value}}}};
      CHECK_THROWS_AS(
          admit_call(reach, real, rule_of(CtxFunction::collect), arguments),
          Error);
    }
  }
}

TEST_CASE("a function without a statement of its reach cannot be called",
          "[lua][reach]") {
  const Deployment nothing;
  const PlaybookReach reach(nothing, {}, PlaybookReach::Disk::real);
  CallRule silent = rule_of(CtxFunction::note);
  silent.takes.reset();
  CHECK_THROWS_WITH(
      admit_call(reach, test::instruments(), silent, Json::object()),
      Catch::Contains("does not say what it touches"));
}

TEST_CASE("a refused path ends the run, and no pcall swallows it",
          "[lua][reach]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook = scratch.load(test::playbook_with(R"(
    pcall(function() ctx:scan("/etc/passwd") end)
    pcall(function() ctx:note("went on") end))"));
  for (const RunMode mode : {RunMode::plan, RunMode::run}) {
    test::RecordingHost host;
    RunOptions options;
    options.child = test::child_options();
    options.instruments = test::instruments();
    options.mode = mode;
    const RunOutcome outcome = run_playbook(playbook, options, host);
    CHECK(outcome.state == RunState::failed);
    CHECK(outcome.is_refused);
    CHECK(outcome.message.find("\"/etc/passwd\" is neither an exhibit") !=
          std::string::npos);
    CHECK(host.performed.empty());
  }
}

TEST_CASE("what runs when a refused step is left does nothing more",
          "[lua][reach]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook = scratch.load(test::playbook_with(R"(
    local _ <close> = setmetatable({}, {
      __close = function() ctx:note("after the refusal") end,
    })
    ctx:scan("/etc/passwd"))"));
  test::RecordingHost host;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  CHECK(run_playbook(playbook, options, host).is_refused);
  CHECK(host.performed.empty());
}

TEST_CASE("a loop of calls ends, planned and run", "[lua]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook = scratch.load(test::playbook_with(
      R"(    while true do pcall(ctx.note, ctx, "x") end)"));
  for (const RunMode mode : {RunMode::plan, RunMode::run}) {
    test::RecordingHost host;
    RunOptions options;
    options.child = test::child_options();
    options.instruments = test::instruments();
    options.mode = mode;
    const RunOutcome outcome = run_playbook(playbook, options, host);
    CHECK(outcome.state == RunState::failed);
    CHECK(outcome.is_cut_short);
    CHECK(outcome.calls == 20'000);
    CHECK(outcome.message.find("asked more than 20000 times") !=
          std::string::npos);
  }
}

TEST_CASE(
    "a host acts on the path that was admitted, and records the one that "
    "was said",
    "[lua][reach]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(test::playbook_with(R"(    ctx:scan("/srv/a/../b"))"));
  test::RecordingHost host;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  const RunOutcome outcome = run_playbook(playbook, options, host);
  REQUIRE(host.performed.size() == 1);
  CHECK(host.performed[0].arguments["subject"] == "/srv/a/../b");
  CHECK(host.performed[0].admitted["subject"] == "/srv/b");
}

TEST_CASE("a plan holds its calls as data, with what each would touch",
          "[lua][reach]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(test::playbook_with(R"(    ctx:scan("/srv/b"))"));
  test::RecordingHost host;
  RunOptions options;
  options.child = test::child_options();
  options.mode = RunMode::plan;
  const RunOutcome outcome = run_playbook(playbook, options, host);
  REQUIRE(outcome.plan.size() == 1);
  CHECK(outcome.plan[0].function == CtxFunction::scan);
  CHECK(outcome.plan[0].arguments["subject"] == "/srv/b");
  REQUIRE(outcome.plan[0].touches.size() == 1);
  CHECK(outcome.plan[0].touches[0].what == "/srv/b");
}

std::string with_reads(std::string_view body) {
  std::string text = test::playbook_with(body);
  const std::string_view needs = "needs = { ";
  text.insert(text.find(needs) + needs.size(), "reads = { \"/opt/more\" }, ");
  return text;
}

TEST_CASE("declared reads are asked for before the first step, and waited for",
          "[lua][reach]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(with_reads(R"(    ctx:note("stepped"))"));
  CHECK(playbook.reads == std::vector<std::string>{"/opt/more"});
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  test::RecordingHost host;
  host.answers["ask"] = Json{{"waiting", "an answer"}};
  const RunOutcome waits = run_playbook(playbook, options, host);
  CHECK(waits.state == RunState::waiting);
  REQUIRE(host.performed.size() == 1);
  CHECK(host.performed[0].arguments["id"] == "reads");
  CHECK(host.performed[0].arguments["approves"] == "read");
  CHECK(host.events.empty());
  CHECK(host.journal.empty());
  host.answers["ask"] = Json{{"answer", "no"}};
  CHECK(run_playbook(playbook, options, host).state == RunState::done);
  CHECK(host.journal.size() == 2);
}

TEST_CASE("a recorded approval of reads holds when the run is resumed",
          "[lua][reach]") {
  class Declares final : public test::RecordingHost {
   public:
    PlaybookReach& reach() override { return reach_; }

   private:
    Deployment nothing_;
    PlaybookReach reach_{
        nothing_, {.reads = {"/opt/more"}}, PlaybookReach::Disk::made_up};
  };
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(with_reads(R"(    ctx:scan("/opt/more/x"))"));
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  Declares first;
  first.answers["ask"] = Json{{"answer", "no"}};
  CHECK(run_playbook(playbook, options, first).is_refused);
  Declares yes;
  yes.answers["ask"] = Json{{"answer", "yes"}};
  yes.failing["scan"] = "the disk was full";
  CHECK_FALSE(run_playbook(playbook, options, yes).is_refused);
  Declares resumed;
  resumed.journal[1] = yes.journal.at(1);
  CHECK(run_playbook(playbook, options, resumed).state == RunState::done);
  CHECK(resumed.performed.size() == 1);
}

TEST_CASE("a path of needs.reads is absolute, plain and of the disk",
          "[lua][reach]") {
  const test::ScratchPlaybook scratch;
  for (const char* path : {"opt/more", "/opt/../etc", "/", "/opt//more",
                           "/proc/1/environ", "/opt/*", "/opt/more/", ""}) {
    INFO(path);
    std::string text = with_reads("");
    text.replace(text.find("/opt/more"), 9, path);
    const LoadResult result = scratch.read(text);
    REQUIRE_FALSE(result.problems.empty());
    CHECK(result.problems[0].message.find("needs.reads[1]") == 0);
  }
}

}  // namespace
}  // namespace impound::lua
