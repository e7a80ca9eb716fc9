// SPDX-License-Identifier: Apache-2.0
/// A run is led from its plan to its result by values alone: no command line,
/// no terminal, no registry.

#include "core/run/run_life.hpp"

#include "core/base/error.hpp"
#include "core/run/open_run.hpp"
#include "core/run/run_plan.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/acting.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::test {
namespace {

/// Remembers what it is told, and answers what a test lets it answer.
class Watcher final : public RunListener {
 public:
  explicit Watcher(Session& session) : session_(session) {}

  void say(std::string_view sentence) override { said.emplace_back(sentence); }
  Session& session() override {
    ++opened;
    return session_;
  }
  std::optional<TerminalAnswer> ask(const Question& question,
                                    const Cancellation&) override {
    asked.push_back(question.id);
    return answer;
  }

  std::vector<std::string> said;
  std::vector<std::string> asked;
  std::optional<TerminalAnswer> answer;  ///< empty: nobody is there
  int opened = 0;

 private:
  Session& session_;
};

ProbeResult silence(const Probe& probe) {
  return {.name = probe.name, .what = {}, .detail = {}};
}

struct Led : Acting {
  explicit Led(std::string_view body) {
    playbook.write("playbook.lua", playbook_with(body));
    static_cast<void>(root.write("model/config.json", "{}"));
    request.playbook = playbook.folder();
    request.deployment = root.write(
        "d.toml", "schema = 1\nname = \"small\"\n[model]\npath = \"model\"\n");
  }

  /// The detail of the last entry with this action.
  [[nodiscard]] Json last(std::string_view action) const {
    Json detail;
    for (const Entry& entry : file.entries()) {
      if (text_or(entry.json, "action", "") == action) {
        detail = entry.json.at("detail");
      }
    }
    return detail;
  }

  /// A note of the playbook says so.
  [[nodiscard]] bool has_said(std::string_view text) const {
    return std::ranges::any_of(file.entries(), [&](const Entry& entry) {
      return text_or(entry.json.at("detail"), "text", "") == text;
    });
  }

  TempDir root;
  ScratchPlaybook playbook;
  RunRequest request;
  RunTools tools{.clock = clock,
                 .instruments = instruments(),
                 .probe = silence,
                 .child = child_options(),
                 .tool_version = "9.9.9",
                 .case_name = "none of that name",
                 .key_file = {}};
  Watcher watcher{session};
};

constexpr std::string_view kAsks = R"lua(
  local answer = ctx:ask({ id = "go", question = "Go on?", choices = { "yes", "no" } })
  ctx:note("it was answered " .. answer))lua";

TEST_CASE("a run is started, recorded and told without a command line",
          "[run]") {
  Led led(R"(  ctx:note("seen"))");
  const RunResult result = start_run(led.request, led.tools, led.watcher);
  CHECK(result.run == "R001");
  CHECK(result.playbook == "probe-me");
  CHECK(result.outcome.state == lua::RunState::done);
  CHECK(result.head == led.file.head());
  REQUIRE(led.watcher.said.size() == 1);
  CHECK(led.watcher.said[0].starts_with("Run R001 of probe-me 1.2.3 in case"));
  CHECK(led.last("playbook.end").at("verdict") ==
        to_string(result.conclusion.verdict));
}

TEST_CASE("what a run refuses is refused before the case is opened", "[run]") {
  Led led(R"(  ctx:scan("/etc/passwd"))");
  const std::string head = led.file.head();
  CHECK_THROWS_WITH(start_run(led.request, led.tools, led.watcher),
                    Catch::Contains("\"/etc/passwd\" is neither an exhibit"));
  led.request.consent.answers = {{"go", "yes"}};
  led.playbook.write("playbook.lua", playbook_with(R"(  ctx:note("seen"))"));
  CHECK_THROWS_WITH(start_run(led.request, led.tools, led.watcher),
                    Catch::Contains("asks no question \"go\""));
  CHECK(led.watcher.opened == 0);
  CHECK(led.file.head() == head);
}

TEST_CASE("a plan needs neither a case nor a deployment", "[run]") {
  Led led(R"(  ctx:note("seen"))");
  led.request.deployment.clear();
  const RunPlan plan = plan_run(led.request, led.tools);
  REQUIRE(plan.outcome.plan.size() == 1);
  CHECK(plan.outcome.plan[0].sentence == "Would record a note.");
  CHECK_FALSE(plan.baseline);
  CHECK_NOTHROW(plan.require_startable());
}

TEST_CASE("a run that nobody answers waits, and goes on with the answer",
          "[run]") {
  Led led(kAsks);
  const RunResult waits = start_run(led.request, led.tools, led.watcher);
  CHECK(waits.conclusion.verdict == lua::RunVerdict::waiting);
  CHECK(led.watcher.asked == std::vector<std::string>{"go"});
  led.session.run.clear();
  CHECK_THROWS_WITH(answer_question(led.session, "R001", "go", "maybe"),
                    Catch::Contains("is no answer to \"go\""));
  answer_question(led.session, "R001", "go", "no");
  const RunResult ends = resume_run({.run = "R001"}, led.tools, led.watcher);
  CHECK(ends.outcome.state == lua::RunState::done);
  CHECK(led.has_said("it was answered no"));
  CHECK_THROWS_WITH(resume_run({.run = "R001"}, led.tools, led.watcher),
                    Catch::Contains("run R001 is done"));
}

TEST_CASE("a person who is there is asked, and how they said it is recorded",
          "[run]") {
  Led led(kAsks);
  led.watcher.answer = {AskedHow::answered, "yes"};
  static_cast<void>(start_run(led.request, led.tools, led.watcher));
  bool is_recorded = false;
  for (const Entry& entry : led.file.entries()) {
    is_recorded = is_recorded || text_or(entry.json.at("detail"), "basis",
                                         "") == "asked at the terminal";
  }
  CHECK(is_recorded);
}

TEST_CASE("a run that was aborted is not resumed", "[run]") {
  Led led(kAsks);
  static_cast<void>(start_run(led.request, led.tools, led.watcher));
  abort_run(led.session, "R001", "a false alarm");
  CHECK(led.last("playbook.end").at("state") == "aborted");
  CHECK_THROWS_WITH(resume_run({.run = "R001"}, led.tools, led.watcher),
                    Catch::Contains("run R001 is aborted"));
  CHECK_THROWS_WITH(abort_run(led.session, "R001", "again"),
                    Catch::Contains("run R001 is aborted already"));
}

/// Presses Ctrl-C when it is told of an exhibit, which the record has by then.
class StopsAtExhibit final : public Progress {
 public:
  explicit StopsAtExhibit(Cancellation& stop) : stop_(stop) {}
  void begin(std::string_view, std::optional<std::uint64_t>) override {}
  void advance(std::uint64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void event(const Json& fact) override {
    if (text_or(fact, "event", "") == "exhibit") stop_.request();
  }

 private:
  Cancellation& stop_;
};

TEST_CASE(
    "[I11] a call whose answer is recorded is no attempt, though a stop "
    "comes before it is told",
    "[run][I11]") {
  Led led(R"(  ctx:collect("model-files"))");
  StopsAtExhibit progress(led.cancellation);
  Session session{.case_file = led.file,
                  .examiner = led.eve,
                  .clock = led.clock,
                  .cancellation = led.cancellation,
                  .progress = progress};
  Watcher watcher(session);
  const RunResult result = start_run(led.request, led.tools, watcher);
  CHECK(led.cancellation.requested());
  CHECK(led.file.journal("R001").size() == 1);
  CHECK(result.outcome.state == lua::RunState::done);
  for (const Entry& entry : led.file.entries()) {
    CHECK(text_or(entry.json.at("detail"), "kind", "") != "attempt");
  }
}

Cancellation* stopped_by_probe = nullptr;

/// Presses Ctrl-C while it is asked.
ProbeResult stopping(const Probe& probe) {
  stopped_by_probe->request();
  return silence(probe);
}

TEST_CASE("[I11] what was measured until a stop is no answer", "[run][I11]") {
  Led led(R"(  ctx:probe())");
  static_cast<void>(led.root.write(
      "d.toml",
      "schema = 1\nname = \"small\"\n[model]\npath = \"model\"\n"
      "[[probe]]\nname = \"models\"\nurl = \"http://127.0.0.1:9/\"\n"
      "after = \"forbidden\"\n"));
  led.tools.probe = stopping;
  stopped_by_probe = &led.cancellation;
  const RunResult stops = start_run(led.request, led.tools, led.watcher);
  CHECK(stops.outcome.state != lua::RunState::done);
  CHECK(led.file.journal("R001").empty());

  Led calm(R"(  ctx:probe())");  // what stays away above is written here
  static_cast<void>(start_run(calm.request, calm.tools, calm.watcher));
  CHECK(calm.file.journal("R001").size() == 1);
}

/// The call from which a step is tried again, by the note that says so.
std::int64_t retried_from(Led& led) {
  led.watcher.answer = {AskedHow::answered, "yes"};
  static_cast<void>(start_run(led.request, led.tools, led.watcher));
  led.session.run.clear();
  static_cast<void>(resume_run({.run = "R001", .consent = {}, .retry = "act"},
                               led.tools, led.watcher));
  for (const Entry& entry : led.file.entries()) {
    const Json& detail = entry.json.at("detail");
    if (text_or(detail, "kind", "") == "retry") return detail.at("call");
  }
  return 0;
}

TEST_CASE(
    "[I12] a step that only measures is tried again from its failure on, one "
    "that asked from its beginning",
    "[run][I12]") {
  Led measures(R"lua(
  ctx:note("seen")
  ctx:load_baseline())lua");
  CHECK(retried_from(measures) == 2);
  CHECK(measures.watcher.asked.empty());

  Led asks(std::string(kAsks) + "\n  ctx:load_baseline()");
  CHECK(retried_from(asks) == 1);
  CHECK(asks.watcher.asked == std::vector<std::string>{"go", "go"});
}

TEST_CASE("nothing is replayed of a record that does not verify",
          "[run][I11]") {
  Led led(kAsks);
  REQUIRE(start_run(led.request, led.tools, led.watcher).conclusion.verdict ==
          lua::RunVerdict::waiting);
  led.session.run.clear();
  answer_question(led.session, "R001", "go", "no");
  {
    // Whoever holds the file, and no key.
    const Database database(led.folder / "case.db", Database::Mode::write);
    database.execute("DROP TRIGGER custody_no_update");
    database.execute(
        "UPDATE custody SET line = replace(line, 'Go on?', 'Go in?')");
  }
  const std::size_t before = led.file.entries().size();
  CHECK_THROWS_WITH(
      resume_run({.run = "R001"}, led.tools, led.watcher),
      Catch::Contains("does not verify, so nothing of it is replayed"));
  CHECK(led.file.entries().size() == before);
}

TEST_CASE(
    "each call that a rule journals has its row, whichever handler "
    "answered it",
    "[run]") {
  Led led(R"lua(
  local weights = ctx:collect("model-files")
  for item in weights:items() do item:read() end
  ctx:probe()
  ctx:served()
  ctx:verify(weights)
  ctx:scan(weights)
  ctx:diff(weights, weights)
  pcall(ctx.load_baseline, ctx)
  ctx:note("seen")
  ctx:gap({ subject = "logs", reason = "there are none" })
  ctx:finding({ verdict = "cleared", title = "All alike", evidence = { weights } }))lua");
  const RunResult result = start_run(led.request, led.tools, led.watcher);
  INFO(result.outcome.message);
  std::vector<std::string> journaled;
  for (const JournalRow& row : led.file.journal("R001")) {
    journaled.push_back(
        text_or(parse_json(row.call, "journal"), "function", ""));
  }
  CHECK(journaled == std::vector<std::string>{
                         "collect", "probe", "served", "verify", "scan", "diff",
                         "load_baseline", "note", "gap", "finding"});
  CHECK(result.outcome.calls == 10);
}

}  // namespace
}  // namespace impound::test
