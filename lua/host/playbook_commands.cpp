// SPDX-License-Identifier: Apache-2.0
#include "lua/host/playbook_commands.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "lua/host/child_process.hpp"
#include "lua/host/fake_host.hpp"
#include "lua/host/field_lines.hpp"
#include "lua/host/literal_calls.hpp"
#include "lua/host/playbook_schema.hpp"
#include "lua/host/playbook_session.hpp"
#include "lua/host/playbook_sources.hpp"
#include "lua/host/run_verdict.hpp"

namespace impound::lua {
namespace {

bool holds_playbook(const fs::path& folder) {
  const auto stat = stat_path(folder / "playbook.lua", Links::follow);
  return stat && stat->kind == FileKind::regular;
}

void add_once(std::vector<fs::path>& paths, const fs::path& path) {
  if (path.empty()) return;
  const fs::path normal = fs::absolute(path).lexically_normal();
  if (std::find(paths.begin(), paths.end(), normal) == paths.end()) {
    paths.push_back(normal);
  }
}

/// A line for each global that the tool does not offer.
std::vector<Problem> global_problems(const fs::path& folder,
                                     const std::vector<DeclaredGlobal>& uses) {
  std::vector<Problem> problems;
  for (const DeclaredGlobal& use : uses) {
    if (!is_safe_member_name(use.file)) continue;
    problems.push_back(
        {folder / use.file, use.line,
         use.is_write
             ? "assigns the global \"" + printable(use.name) +
                   "\": say local " + printable(use.name) + " = …"
             : "uses the global \"" + printable(use.name) +
                   "\", which is not there: misspelt, or a missing local?"});
  }
  return problems;
}

template <typename Instrument>
std::vector<std::string> names_of_all(std::span<const Instrument* const> all) {
  std::vector<std::string> names;
  for (const Instrument* const one : all) names.emplace_back(one->name);
  return names;
}

/// A line for each instrument that is needed and that there is not.
std::vector<Problem> needs_problems(const LoadedPlaybook& playbook,
                                    const Instruments& instruments, int line) {
  std::vector<Problem> problems;
  const auto lines = field_lines(playbook.sources.at("playbook.lua"), line);
  const auto require = [&](const std::vector<std::string>& needed,
                           const std::vector<std::string>& known,
                           const std::string& field) {
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (std::ranges::find(known, needed[i]) != known.end()) continue;
      const std::string path = field + "[" + std::to_string(i + 1) + "]";
      problems.push_back(
          {playbook.folder / "playbook.lua", line_of_field(lines, path, line),
           path + ": " + no_such_word(needed[i], known, "there are")});
    }
  };
  require(playbook.collectors, names_of_all(instruments.collectors),
          "needs.collectors");
  // "deployment" stands for whatever its descriptor names.
  std::vector<std::string> methods = names_of_all(instruments.containments);
  methods.emplace_back("deployment");
  require(playbook.containments, methods, "needs.containments");
  return problems;
}

/// A made-up case takes place at 2026-01-01T00:00:00Z.
constexpr TimeNs kMadeUpNow = 1'767'225'600'000'000'000;

Arguments sample_parameters(const LoadedPlaybook& playbook) {
  Json values = Json::object();
  for (const Parameter& parameter : playbook.parameters) {
    values[parameter.name] = sample_value(parameter);
  }
  return arguments_for(playbook, values, Spelling::values, kMadeUpNow);
}

Problem problem_of_step(const LoadedPlaybook& playbook,
                        const StepOutcome& outcome) {
  // "playbook.lua:31: message" names a better line than the step's own.
  const std::string& text = outcome.message;
  const std::size_t colon = text.find(": ");
  const std::string at = text.substr(0, colon);
  if (colon != std::string::npos && at.find(".lua:") != std::string::npos) {
    return problem_from(
        playbook.folder,
        {.code = "",
         .message = "step " + outcome.step.id + ": " + text.substr(colon + 2),
         .at = at});
  }
  return {playbook.folder / "playbook.lua", outcome.step.line,
          "step " + outcome.step.id + ": " + text};
}

/// Runs all steps against a case that holds nothing.
std::vector<Problem> dry_run(const LoadedPlaybook& playbook,
                             const ChildOptions& options,
                             const Instruments& instruments) {
  FakeHost host(Json::object());
  RunOptions run;
  run.parameters = sample_parameters(playbook);
  // A sample stands for what a person would give; a default is given by nobody.
  Json typed = Json::object();
  for (const Parameter& parameter : playbook.parameters) {
    if (parameter.is_required) typed[parameter.name] = true;
  }
  host.set_reach(playbook, typed, run.parameters);
  run.deployment = host.deployment();
  run.instruments = instruments;
  run.now = kMadeUpNow;
  run.mode = RunMode::plan;
  run.child = options;
  const RunOutcome outcome = run_playbook(playbook, run, host);
  std::vector<Problem> problems;
  for (const StepOutcome& step : outcome.steps) {
    if (step.result == StepResult::failed) {
      problems.push_back(problem_of_step(playbook, step));
    }
  }
  if (problems.empty() && outcome.state != RunState::done) {
    problems.push_back({playbook.folder / "playbook.lua", 0, outcome.message});
  }
  return problems;
}

/// A test asks for a made-up case: validate, run, and hand back the record.
Json run_fake_case(ChildProcess& child, const ChildMessage& request,
                   const fs::path& folder,
                   const std::map<std::string, std::string>& sources,
                   const Instruments& instruments) {
  LoadResult loaded =
      apply_schema(folder, sources, request.declared, request.line);
  if (!loaded.playbook) {
    throw Error(Errc::bad_input, loaded.problems.front().message);
  }
  FakeHost host(request.setup);
  RunOptions run;
  run.parameters = arguments_for(*loaded.playbook, host.parameters(),
                                 Spelling::command_line, kMadeUpNow);
  host.set_reach(*loaded.playbook, host.parameters(), run.parameters);
  run.instruments = instruments;
  run.now = kMadeUpNow;
  run.deployment = host.deployment();
  const RunOutcome outcome =
      PlaybookSession(*loaded.playbook, run, host).run(child);
  Json record = host.record();
  record["state"] = to_string(outcome.state);
  record["message"] = outcome.message;
  record["worst_verdict"] = outcome.worst_verdict;
  std::vector<FindingSaid> findings;
  for (const Json& finding : record["findings"]) {
    findings.push_back({.verdict = text_or(finding, "verdict", ""),
                        .detail = text_or(finding, "detail", "")});
  }
  const RunConclusion conclusion = conclude(outcome, findings);
  record["outcome"] = to_string(conclusion.verdict);
  record["incomplete"] = conclusion.incomplete();
  return record;
}

TestResult run_test(const fs::path& folder, const std::string& name,
                    const std::map<std::string, std::string>& sources,
                    const ChildOptions& options,
                    const Instruments& instruments) {
  TestResult result{.name = name, .passed = false, .message = {}};
  ChildProcess child(options, ChildProcess::Mode::test, sources);
  bool is_asked = false;
  for (;;) {
    const auto received = child.receive();
    if (const auto* end = std::get_if<ChildEnd>(&received)) {
      result.message = end->message;
      return result;
    }
    const auto& message = std::get<ChildMessage>(received);
    switch (message.kind) {
      case ChildMessage::Kind::loaded:
        if (is_asked) break;
        is_asked = true;
        child.send(Json{{"t", "test"}, {"name", name}});
        continue;
      case ChildMessage::Kind::fake:
        try {
          child.send(Json{{"t", "done"},
                          {"record", run_fake_case(child, message, folder,
                                                   sources, instruments)}});
        } catch (const Error& error) {
          child.send(Json{{"t", "done"},
                          {"error", Json{{"code", to_string(error.code())},
                                         {"message", error.what()}}}});
        }
        continue;
      case ChildMessage::Kind::test_ended:
        result.passed = !message.failure;
        if (message.failure) result.message = message.failure->text();
        return result;
      case ChildMessage::Kind::failed:
        result.message = message.failure->text();
        return result;
      case ChildMessage::Kind::call:
        child.send(Json{
            {"t", "answer"},
            {"error", Json{{"code", "refused"},
                           {"message", "ctx may be used only inside fake.run"},
                           {"fatal", true}}}});
        continue;
      case ChildMessage::Kind::step_ended:
      case ChildMessage::Kind::confined:  // never handed on
        break;
    }
    result.message = "the playbook process broke the protocol";
    return result;
  }
}

}  // namespace

std::vector<fs::path> playbook_search_paths() {
  std::vector<fs::path> paths;
  if (const char* given = std::getenv("IMPOUND_PLAYBOOKS")) {
    for (const std::string& path : split(given, ':')) add_once(paths, path);
  }
  add_once(paths, "playbooks");
  if (const auto program = read_link("/proc/self/exe")) {
    add_once(paths, fs::path(*program).parent_path().parent_path() /
                        IMPOUND_DATA_DIR / "playbooks");
  }
  add_once(paths, fs::path(IMPOUND_SOURCE_DIR) / "playbooks");
  return paths;
}

fs::path find_playbook(std::string_view what) {
  const fs::path path{std::string(what)};
  if (path.filename() == "playbook.lua") return path.parent_path();
  if (holds_playbook(path)) return path;
  std::string searched;
  for (const fs::path& place : playbook_search_paths()) {
    if (is_kebab_case(what) && holds_playbook(place / path)) {
      return place / path;
    }
    searched += (searched.empty() ? "" : ", ") + place.string();
  }
  throw Error(Errc::bad_input,
              "there is no playbook \"" + printable(std::string(what)) +
                  "\": no such folder, and not in " + searched);
}

Json measure_isolation(const ChildOptions& options) {
  ChildProcess child(options, ChildProcess::Mode::playbook,
                     {{"playbook.lua", "return {}"}});
  const auto said = child.receive();
  if (!child.isolation().is_null()) return child.isolation();
  const auto* const end = std::get_if<ChildEnd>(&said);
  throw Error(Errc::unsupported,
              end == nullptr ? "it did not say what it gave up" : end->message);
}

std::vector<std::string> playbook_ids() {
  std::set<std::string> ids;
  for (const fs::path& place : playbook_search_paths()) {
    const auto names = list_directory(place);
    if (!names) continue;  // a search path need not exist
    for (const std::string& name : *names) {
      if (is_kebab_case(name) && holds_playbook(place / name)) ids.insert(name);
    }
  }
  return {ids.begin(), ids.end()};
}

std::vector<ListedPlaybook> list_playbooks(const ChildOptions& options) {
  std::vector<ListedPlaybook> list;
  std::set<std::string> seen;
  for (const fs::path& place : playbook_search_paths()) {
    const auto names = list_directory(place);
    if (!names) continue;  // a search path need not exist
    for (const std::string& name : *names) {
      const fs::path folder = place / name;
      if (!holds_playbook(folder) || !seen.insert(name).second) continue;
      ListedPlaybook entry;
      entry.folder = folder;
      entry.id = name;
      LoadResult loaded = read_playbook(folder, options);
      if (loaded.playbook) {
        entry.version = loaded.playbook->version;
        entry.title = loaded.playbook->title;
        entry.effect = loaded.playbook->effect;
      }
      entry.problems = std::move(loaded.problems);
      list.push_back(std::move(entry));
    }
  }
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return list;
}

Json show_playbook(const LoadedPlaybook& playbook) {
  Json parameters = Json::object();
  for (const Parameter& parameter : playbook.parameters) {
    parameters[parameter.name] = parameter.to_json();
  }
  Json steps = Json::array();
  for (const StepInfo& step : playbook.steps) {
    steps.push_back(Json{{"id", step.id},
                         {"title", step.title},
                         {"effect", to_string(step.effect)},
                         {"after", step.after},
                         {"conditional", step.has_condition}});
  }
  Json questions = Json::array();
  for (const Question& one : playbook.questions) {
    questions.push_back(one.to_json());
  }
  Json files = Json::array();
  for (const auto& [name, source] : playbook.sources) files.push_back(name);
  return Json{{"id", playbook.id},
              {"version", playbook.version},
              {"title", playbook.title},
              {"owner", playbook.owner},
              {"effect", to_string(playbook.effect)},
              {"needs", Json{{"collectors", playbook.collectors},
                             {"containments", playbook.containments},
                             {"reads", playbook.reads},
                             {"min_tool", playbook.min_tool}}},
              {"references", playbook.references},
              {"params", std::move(parameters)},
              {"questions", std::move(questions)},
              {"steps", std::move(steps)},
              {"folder", playbook.folder.string()},
              {"files", std::move(files)},
              {"sha256", playbook.sha256}};
}

std::vector<Problem> check_playbook(const fs::path& folder,
                                    const ChildOptions& options,
                                    const Instruments& instruments) {
  LoadedFile loaded = read_playbook_file(folder, options);
  std::vector<Problem> problems = std::move(loaded.result.problems);
  const fs::path root =
      loaded.result.playbook ? loaded.result.playbook->folder : folder;
  for (Problem& problem : global_problems(root, loaded.globals)) {
    problems.push_back(std::move(problem));
  }
  if (!loaded.result.playbook) return problems;
  const LoadedPlaybook& playbook = *loaded.result.playbook;
  for (Problem& problem : pedantic_problems(playbook, loaded.line)) {
    problems.push_back(std::move(problem));
  }
  for (Problem& problem : needs_problems(playbook, instruments, loaded.line)) {
    problems.push_back(std::move(problem));
  }
  for (Problem& problem : literal_problems(playbook, instruments)) {
    problems.push_back(std::move(problem));
  }
  for (Problem& problem : dry_run(playbook, options, instruments)) {
    // What was read in a line is not said again of running it.
    const bool is_said = std::ranges::any_of(problems, [&](const auto& one) {
      return one.file == problem.file && one.line == problem.line;
    });
    if (!is_said) problems.push_back(std::move(problem));
  }
  return problems;
}

std::vector<TestResult> test_playbook(const fs::path& given,
                                      const ChildOptions& options,
                                      const Instruments& instruments) {
  fs::path folder = fs::absolute(given).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  const auto sources = read_sources(folder);
  if (!sources.contains("test.lua")) {
    throw Error(Errc::bad_input,
                (folder / "test.lua").string() +
                    " is missing: a playbook brings its tests");
  }
  std::vector<std::string> names;
  {
    ChildProcess child(options, ChildProcess::Mode::test, sources);
    const auto received = child.receive();
    if (const auto* end = std::get_if<ChildEnd>(&received)) {
      throw Error(Errc::bad_input,
                  (folder / "test.lua").string() + ": " + end->message);
    }
    const auto& message = std::get<ChildMessage>(received);
    if (message.failure) {
      throw Error(Errc::bad_input,
                  problem_from(folder, *message.failure).text());
    }
    names = message.names;
  }
  std::vector<TestResult> results;
  for (const std::string& name : names) {
    results.push_back(run_test(folder, name, sources, options, instruments));
  }
  return results;
}

}  // namespace impound::lua
