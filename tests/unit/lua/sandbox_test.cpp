// SPDX-License-Identifier: Apache-2.0
/// What a careless or hostile playbook cannot do.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "lua/host/confine.hpp"
#include "lua/host/isolate.hpp"
#include "lua/host/playbook_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/recording_host.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

/// Runs a playbook whose one step is `body`.
RunOutcome run_body(std::string_view body, ChildLimits limits = {}) {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook = scratch.load(test::playbook_with(body));
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  options.child.limits = limits;
  test::RecordingHost host;
  return run_playbook(playbook, options, host);
}

/// The message of the step that must have failed.
std::string failure_of(std::string_view body, ChildLimits limits = {}) {
  const RunOutcome outcome = run_body(body, limits);
  REQUIRE(outcome.steps.size() == 1);
  CHECK(outcome.state == RunState::failed);
  CHECK(outcome.steps[0].result == StepResult::failed);
  return outcome.steps[0].message;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a loop that does not end is ended and its line named", "[lua]") {
  const std::string message =
      failure_of("  while true do end", {.instructions = 5'000'000});
  CHECK(
      has(message, "playbook.lua:3: the playbook executed more than 5000000"));
}

TEST_CASE("pcall and xpcall cannot swallow the end of a loop", "[lua]") {
  const ChildLimits limits{.instructions = 5'000'000};
  CHECK(has(failure_of("  while true do pcall(function() while true do end "
                       "end) end",
                       limits),
            "executed more than"));
  const std::string handled = failure_of(
      "  while true do xpcall(function() while true do end end, function() "
      "while true do end end) end",
      limits);
  INFO(handled);
  CHECK(has(handled, "executed more than"));
}

TEST_CASE("memory is bounded, also in small pieces", "[lua]") {
  const ChildLimits limits{.memory_bytes = 16 * 1024 * 1024};
  for (const char* body :
       {"  local s = \"x\" while true do s = s .. s end",
        "  local t = {} while true do t[#t + 1] = {} end",
        "  local s = (\"x\"):rep(1 << 40)",
        "  local s = (\"x\"):rep(1 << 20, (\"y\"):rep(1 << 20))",
        "  local t = {} for i = 1, 1 << 30 do t[i] = (\"a\"):rep(1000) .. i "
        "end return table.concat(t)"}) {
    INFO(body);
    const std::string message = failure_of(body, limits);
    const bool says_why = has(message, "more memory than the 16 MiB") ||
                          has(message, "resulting string too large");
    INFO(message);
    CHECK(says_why);
  }
}

TEST_CASE("a caught memory error leaves a playbook that still works", "[lua]") {
  const RunOutcome outcome = run_body(
      "  local ok = pcall(string.rep, \"x\", 1 << 40)\n"
      "  if not ok then ctx:note(\"caught\") end");
  CHECK(outcome.state == RunState::done);
  CHECK(outcome.calls == 1);
}

TEST_CASE("C code that cannot be interrupted is killed in time", "[lua]") {
  const ChildLimits limits{.wall = std::chrono::milliseconds(700)};
  const std::string pattern = failure_of(
      "  local text = (\"a\"):rep(40000)\n"
      "  return text:find((\"a*\"):rep(12) .. \"b\")",
      limits);
  INFO(pattern);
  CHECK(has(pattern, "computed longer than"));
  CHECK(has(pattern, "last seen at playbook.lua:4 in string.find"));
  const std::string move =
      failure_of("  table.move({}, 1, 1 << 60, 2)", limits);
  CHECK(has(move, "last seen at playbook.lua:3 in table.move"));
}

TEST_CASE("a repetition of nothing costs nothing", "[lua]") {
  CHECK(run_body("  return (\"\"):rep(1 << 62)").state == RunState::done);
}

TEST_CASE("what leads out of the sandbox is not there", "[lua]") {
  for (const auto& [body, expected] :
       std::vector<std::pair<std::string, std::string>>{
           {"os.execute(\"id\")", "'os' is not available"},
           {"io.open(\"/etc/passwd\")", "'io' is not available"},
           {"debug.getregistry()", "'debug' is not available"},
           {"load(\"return 1\")()", "'load' is not available"},
           {"loadfile(\"playbook.lua\")", "'loadfile' is not available"},
           {"dofile(\"playbook.lua\")", "'dofile' is not available"},
           {"collectgarbage()", "'collectgarbage' is not available"},
           {"coroutine.create(act)", "'coroutine' is not available"},
           {"print(1)", "ctx:note(text)"},
           {"string.dump(function() end)", "string.dump is not available"},
           {"math.random()", "math.random is not available"},
           {"rawset(_ENV, \"x\", 1)", "'rawset' is not available"},
           {"setmetatable(_ENV, {})", "protected metatable"},
           {"getmetatable(\"\").__index = nil", "attempt to index"},
           {"string.find = nil", "string library is read-only"},
           {"findings = 1", "assignment to the global 'findings'"},
           {"return findngs", "'findngs' is not defined"},
           {"setmetatable({}, { __gc = function() end })", "__gc is not"},
           {"return (\"%p\"):format({})", "%p is not available"},
           {"error({})", "table without a message"},
       }) {
    INFO(body);
    const std::string message = failure_of("  " + body);
    INFO(message);
    CHECK(has(message, expected));
    CHECK(has(message, "playbook.lua:3"));
  }
}

TEST_CASE("require reaches the tool's library and the folder, nothing else",
          "[lua]") {
  for (const char* name :
       {"../other", "..other", "/etc/passwd", "os", "impound.context",
        "impound.fake", "", "a/b", "playbook\\0"}) {
    INFO(name);
    const std::string message =
        failure_of("  require(\"" + std::string(name) + "\")");
    CHECK(has(message,
              "a playbook may require impound, "
              "impound.response and files beside it"));
  }
  const test::ScratchPlaybook scratch;
  scratch.write("words/greeting.lua", "return { text = \"hello\" }\n");
  const LoadedPlaybook playbook = scratch.load(
      test::playbook_with("  ctx:note(require(\"words.greeting\").text)"));
  CHECK(playbook.sources.size() == 2);
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  test::RecordingHost host;
  CHECK(run_playbook(playbook, options, host).state == RunState::done);
  CHECK(host.performed[0].arguments["text"] == "hello");
}

TEST_CASE("compiled Lua is refused", "[lua]") {
  const test::ScratchPlaybook scratch;
  const LoadResult bytes =
      scratch.read(std::string_view("\x1bLua\x54\x00\x19\x93", 8));
  REQUIRE(!bytes.playbook);
  CHECK(has(bytes.problems[0].text(), "playbook.lua: expected UTF-8 text"));
  // Valid UTF-8 that begins like a compiled chunk.
  const LoadResult text = scratch.read("\x1bLuaT");
  REQUIRE(!text.playbook);
  CHECK(has(text.problems[0].message, "attempt to load a binary chunk"));
}

TEST_CASE("a message without end is refused in Lua", "[lua]") {
  CHECK(has(failure_of("  ctx:note((\"x\"):rep(5 << 20))"),
            "larger than the limit"));
  CHECK(
      has(failure_of("  local t = {} t.t = t ctx:ask(t)"), "contains itself"));
}

TEST_CASE("order of pairs and text of tables are the same every run", "[lua]") {
  const std::string body = R"lua(
  local t = { [true] = 1, [10] = 1, [2] = 1, [1.5] = 1 }
  for _, word in ipairs({ "zeta", "alpha", "mid", "Beta", "a", "b", "c" }) do t[word] = 1 end
  local order = {}
  for key in pairs(t) do order[#order + 1] = tostring(key) end
  ctx:note(table.concat(order, " "))
  ctx:note(tostring({}) .. " " .. ("%s"):format(act) .. " " .. tostring(next(t)))
  local ok, why = pcall(pairs, { [{}] = 1, [act] = 2 })
  ctx:note(tostring(why))
)lua";
  const test::ScratchPlaybook scratch;
  std::string text = test::playbook_with(body);
  text.insert(0, "local act\n");
  text.replace(text.find("local function act"), 18, "function act");
  const LoadedPlaybook playbook = scratch.load(text);
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  test::RecordingHost host;
  const RunOutcome outcome = run_playbook(playbook, options, host);
  INFO(outcome.message);
  REQUIRE(host.performed.size() == 3);
  CHECK(host.performed[0].arguments["text"] ==
        "1.5 2 10 Beta a alpha b c mid zeta true");
  CHECK(host.performed[1].arguments["text"] == "table function 1.5");
  CHECK(has(host.performed[2].arguments["text"], "no stable order"));
}

TEST_CASE("a child that is killed is reported, not waited for", "[lua]") {
  class Killer final : public test::RecordingHost {
   public:
    Json perform(const HostCall&, std::int64_t) override {
      // The child is the one process of ours that leads a group.
      const auto names = list_directory("/proc");
      for (const std::string& name : *names) {
        const auto stat = read_proc_text("/proc/" + name + "/stat");
        if (!stat) continue;
        const std::size_t after_name = stat->rfind(") ");
        if (after_name == std::string::npos) continue;
        const std::string mark =
            " " + std::to_string(::getpid()) + " " + name + " ";
        if (stat->substr(after_name + 3).starts_with(mark)) {
          ::kill(std::stoi(name), SIGTERM);
        }
      }
      return Json::object();
    }
  };
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(test::playbook_with("  ctx:note(\"now\") ctx:note(\"on\")"));
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  Killer host;
  const RunOutcome outcome = run_playbook(playbook, options, host);
  CHECK(outcome.state == RunState::failed);
  CHECK(has(outcome.message, "ended by signal 15"));
  CHECK(has(outcome.message, "playbook.lua:3 in ctx:note"));
}

/// What /proc says of the process that runs the Lua of our child: the first of
/// the new pid namespace, or the child itself.
class Looker final : public test::RecordingHost {
 public:
  Json perform(const HostCall&, std::int64_t) override {
    const std::string own = std::to_string(::getpid());
    std::string child;
    for (int round = 0; round < 2; ++round) {
      const std::string parent = child.empty() ? own : child;
      const auto names = list_directory("/proc");
      for (const std::string& name : *names) {
        const auto text = read_proc_text("/proc/" + name + "/status");
        if (text &&
            text->find("PPid:\t" + parent + "\n") != std::string::npos) {
          child = name;
          status = *text;
        }
      }
    }
    for (const std::string_view kind : kNamespaces) {
      const auto ours = read_link("/proc/self/ns/" + std::string(kind));
      const auto theirs =
          read_link("/proc/" + child + "/ns/" + std::string(kind));
      if (ours && theirs && *ours != *theirs) others.emplace_back(kind);
    }
    return Json::object();
  }
  [[nodiscard]] std::string field(const std::string& name) const {
    const std::size_t at = status.find("\n" + name + ":\t");
    if (at == std::string::npos) return {};
    const std::size_t from = at + name.size() + 3;
    return status.substr(from, status.find('\n', from) - from);
  }

  std::string status;
  std::vector<std::string> others;
};

TEST_CASE("a child has given up what it says it gave up, seen from outside",
          "[lua]") {
  const test::ScratchPlaybook scratch;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  Looker host;
  const RunOutcome outcome = run_playbook(
      scratch.load(test::playbook_with("  ctx:note(\"now\")")), options, host);
  REQUIRE(outcome.state == RunState::done);
  const Json& said = outcome.isolation;
  INFO(said.dump() << "\n" << host.status);
  CHECK(host.field("NoNewPrivs") == "1");
  CHECK(said["no_new_privileges"] == true);
  if (said["filter"] == true) CHECK(host.field("Seccomp") == "2");
  CHECK(said["no_capabilities"] == true);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CHECK(host.field(set) == "0000000000000000");
  }
  CHECK(host.field("Uid").find(std::to_string(said["uid"].get<unsigned>())) ==
        0);
  if (::geteuid() == 0) {
    CHECK(said["uid"] == 65534);
    // Only root may look at the namespaces of a process that hides itself.
    CHECK(said["namespaces"] == Json(host.others));
  }
}

TEST_CASE("one call of a library function ends after two seconds", "[lua]") {
  const test::ScratchPlaybook scratch;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  for (
      const auto& [function, body] :
      std::vector<std::pair<std::string, std::string>>{
          {"string.find",
           R"lua(  local _ = ("a"):rep(40):find((".-"):rep(20) .. "b"))lua"},
          {"string.gmatch",
           R"lua(  for _ in ("a"):rep(40):gmatch((".-"):rep(20) .. "b") do end)lua"},
          {"table.move", "  table.move({}, 1, 1 << 60, 2)"},
          {"table.insert",
           "  table.insert(setmetatable({}, { __len = function() return 1 << "
           "60 end }), 1, 0)"}}) {
    INFO(function);
    const LoadedPlaybook playbook = scratch.load(
        test::playbook_with("  pcall(function()\n" + body + "\n  end)"));
    test::RecordingHost host;
    const auto began = std::chrono::steady_clock::now();
    const RunOutcome outcome = run_playbook(playbook, options, host);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
    CHECK(outcome.state == RunState::failed);
    CHECK(outcome.is_cut_short);
    CHECK(has(outcome.message, "longer than 2.0 s inside one function"));
    CHECK(has(outcome.message, function));
  }
}

TEST_CASE("a library call that calls Lua back is no long call", "[lua]") {
  const test::ScratchPlaybook scratch;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  test::RecordingHost host;
  // About 3 s in one table.sort, all of it in a function of the playbook's.
  const RunOutcome outcome = run_playbook(scratch.load(test::playbook_with(R"(
  local list = {}
  for i = 1, 2000 do list[i] = (i * 7919) % 2003 end
  table.sort(list, function(a, b)
    for _ = 1, 12000 do end
    return a < b
  end)
  ctx:note(tostring(list[1]))
)")),
                                          options, host);
  INFO(outcome.message);
  CHECK(outcome.state == RunState::done);
}

TEST_CASE("a person can stop a playbook that computes", "[lua]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(test::playbook_with("  while true do end"));
  Cancellation stop;
  stop.request();
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  options.child.cancellation = &stop;
  test::RecordingHost host;
  CHECK(run_playbook(playbook, options, host).state == RunState::interrupted);
}

#ifndef __SANITIZE_ADDRESS__
/// How a child ends that is confined and then does `act`.
template <typename Act>
int status_of(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    confine(3, 64 << 20, 10);
    act();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

TEST_CASE("the kernel ends a confined process that asks for more", "[lua]") {
  CHECK(WIFEXITED(status_of([] {})));
  for (const int status :
       {status_of([] { ::getppid(); }), status_of([] { ::open("/", 0); }),
        status_of([] {
          if (::write(1, "x", 1) < 0) ::_exit(0);
        }),
        status_of([] { static_cast<void>(::fork()); }),
        status_of([] { ::kill(1, 0); }),
        status_of([] {  // memory that could be run
          static_cast<void>(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        }),
        status_of([] {
          void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (page == MAP_FAILED) ::_exit(0);
          static_cast<void>(::mprotect(page, 4096, PROT_EXEC));
        })}) {
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSYS);
  }
}
#endif

}  // namespace
}  // namespace impound::lua
