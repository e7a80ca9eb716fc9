// SPDX-License-Identifier: Apache-2.0
/// impound playbook: finding, reading, checking, planning and writing them.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/arguments.hpp"
#include "core/cli/command.hpp"
#include "core/cli/playbook_options.hpp"
#include "core/cli/table.hpp"
#include "core/run/run_plan.hpp"
#include "lua/host/playbook_commands.hpp"
#include "lua/host/value_words.hpp"

namespace impound {
namespace {

Json problems_json(const std::vector<lua::Problem>& problems) {
  Json list = Json::array();
  for (const lua::Problem& problem : problems) {
    list.push_back({{"file", lossless_utf8(problem.file.native())},
                    {"line", problem.line},
                    {"message", lossless_utf8(problem.message)}});
  }
  return list;
}

ExitCode list(const Globals& globals) {
  Json documents = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"id", "version", "effect", "title"}};
  for (const auto& one : lua::list_playbooks(child_options(globals))) {
    documents.push_back({{"id", one.id},
                         {"version", one.version},
                         {"title", one.title},
                         {"effect", to_string(one.effect)},
                         {"folder", lossless_utf8(one.folder.native())},
                         {"problems", problems_json(one.problems)}});
    rows.push_back({printable(one.id), one.version,
                    std::string(to_string(one.effect)),
                    one.problems.empty()
                        ? printable(one.title)
                        : "BROKEN: " + printable(one.problems.front().text())});
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, rows.size() == 1
                            ? std::string("No playbook found.\n")
                            : fitted_table(rows, TableHead::first_row));
  }
  return ExitCode::clean;
}

std::string join_texts(const Json& list) {
  std::string text;
  for (const Json& one : list) {
    text += (text.empty() ? "" : ", ") + printable(one.get<std::string>());
  }
  return text.empty() ? "none" : text;
}

ExitCode show(const Globals& globals, const std::string& what) {
  const auto playbook =
      lua::load_playbook(lua::find_playbook(what), child_options(globals));
  const Json document = lua::show_playbook(playbook);
  if (globals.json) {
    print_json(document);
    return ExitCode::clean;
  }
  std::string text = fmt::format("{} {}: {}\n", playbook.id, playbook.version,
                                 printable(playbook.title));
  std::vector<std::vector<std::string>> rows{
      {"owner", printable(playbook.owner)},
      {"effect", std::string(to_string(playbook.effect))},
      {"needs", fmt::format("collectors {}; containments {}; reads {}",
                            join_texts(Json(playbook.collectors)),
                            join_texts(Json(playbook.containments)),
                            join_texts(Json(playbook.reads)))},
      {"sha256", playbook.sha256},
      {"folder", printable(playbook.folder.native())}};
  text += fitted_table(rows, TableHead::none) + "\nParameters\n";
  rows.clear();
  for (const Parameter& one : playbook.parameters) {
    rows.push_back({"  " + one.name, std::string(to_string(one.type)),
                    one.is_required
                        ? "required"
                        : "default " + lua::value_words(one.otherwise),
                    printable(one.help)});
  }
  text += fitted_table(rows, TableHead::none) + "\nSteps\n";
  rows.clear();
  for (const lua::StepInfo& step : playbook.steps) {
    rows.push_back({"  " + step.id, std::string(to_string(step.effect)),
                    printable(step.title)});
  }
  print_text(globals, text + fitted_table(rows, TableHead::none));
  return ExitCode::clean;
}

ExitCode check(const Globals& globals, const std::string& what) {
  const auto problems = lua::check_playbook(
      lua::find_playbook(what), child_options(globals), instruments());
  if (globals.json) {
    print_json(
        {{"ok", problems.empty()}, {"problems", problems_json(problems)}});
  } else if (problems.empty()) {
    print_text(globals, "Nothing wrong was found.\n");
  } else {
    for (const lua::Problem& problem : problems) {
      print_text(globals, printable(problem.text()) + "\n");
    }
  }
  return problems.empty() ? ExitCode::clean : ExitCode::findings;
}

ExitCode test(const Globals& globals, const std::string& what) {
  const auto results = lua::test_playbook(
      lua::find_playbook(what), child_options(globals), instruments());
  Json documents = Json::array();
  std::size_t failed = 0;
  for (const lua::TestResult& result : results) {
    documents.push_back({{"name", result.name},
                         {"passed", result.passed},
                         {"message", lossless_utf8(result.message)}});
    if (!result.passed) ++failed;
    if (globals.json) continue;
    print_text(globals, fmt::format("{} {}\n", result.passed ? "ok  " : "FAIL",
                                    printable(result.name)));
    if (!result.passed) {
      print_text(globals, "     " + printable(result.message) + "\n");
    }
  }
  if (globals.json) {
    print_json({{"ok", failed == 0}, {"tests", documents}});
  } else {
    print_text(globals,
               fmt::format("{} tests, {} failed\n", results.size(), failed));
  }
  return failed == 0 ? ExitCode::clean : ExitCode::findings;
}

ExitCode make_new(const Globals& globals, const std::string& id,
                  const fs::path& parent) {
  const fs::path folder = lua::new_playbook(parent, id);
  if (globals.json) {
    print_json({{"folder", lossless_utf8(folder.native())}});
  } else {
    print_text(globals,
               fmt::format("Made {0}\n  impound playbook check {0}\n  impound "
                           "playbook test {0}\n",
                           printable(folder.native())));
  }
  return ExitCode::clean;
}

ExitCode doc(const Globals& globals, const std::string& what) {
  const auto playbook =
      lua::load_playbook(lua::find_playbook(what), child_options(globals));
  if (globals.json) {
    print_json(
        {{"id", playbook.id}, {"markdown", lua::document_playbook(playbook)}});
  } else {
    print_text(globals, lua::document_playbook(playbook));
  }
  return ExitCode::clean;
}

/// Every path, process and host that a plan came to, each once, with what would
/// touch it.
std::string touches_text(const lua::RunOutcome& outcome) {
  std::vector<std::pair<std::string, std::string>> seen;
  for (const lua::PlannedAct& act : outcome.plan) {
    const std::string function(to_string(act.function));
    for (const Touch& touch : act.touches) {
      const std::string words = touch.in_words();
      const auto known = std::ranges::find(
          seen, words, &std::pair<std::string, std::string>::first);
      if (known == seen.end()) {
        seen.emplace_back(words, function);
      } else if ((", " + known->second + ",").find(", " + function + ",") ==
                 std::string::npos) {
        known->second += ", " + function;
      }
    }
  }
  if (seen.empty()) return "It would touch nothing outside the case.\n";
  std::string text = "It would touch:\n";
  for (const auto& [what, by] : seen) {
    text += fmt::format("  {}: {}\n", what, by);
  }
  return text;
}

/// What it wants to read besides the deployment; "" if nothing.
std::string reads_line(const lua::LoadedPlaybook& playbook) {
  std::string line;
  for (const std::string& path : playbook.reads) {
    line += (line.empty() ? "reads: " : ", ") + printable(path);
  }
  return line.empty() ? line : line + "\n";
}

Json plan_document(const RunPlan& plan) {
  Json document;
  document["playbook"] = plan.playbook.id;
  document["version"] = plan.playbook.version;
  document["sha256"] = plan.playbook.sha256;
  document["permissions"] = permissions_of(plan.playbook);
  document["parameters"] = plan.parameters.values.json();
  document["state"] = to_string(plan.outcome.state);
  document["message"] = lossless_utf8(plan.outcome.message);
  document["isolation"] = plan.outcome.isolation;
  document["acts"] = plan.acts();
  document["baseline"] =
      plan.baseline ? plan.baseline->to_json() : Json(nullptr);
  document["questions"] = Json::array();
  for (const ExpectedQuestion& one : plan.questions) {
    document["questions"].push_back(to_json(one));
  }
  return document;
}

std::string plan_text(const RunPlan& plan) {
  const lua::LoadedPlaybook& playbook = plan.playbook;
  std::string text =
      fmt::format("{} {}: {}\neffect: {}\n{}\n", playbook.id, playbook.version,
                  printable(playbook.title), to_string(playbook.effect),
                  reads_line(playbook));
  std::vector<std::vector<std::string>> rows;
  std::string step;
  for (const lua::PlannedAct& act : plan.outcome.plan) {
    rows.push_back({act.step == step ? "" : act.step, printable(act.sentence)});
    step = act.step;
  }
  text += format_table(rows);
  if (!plan.outcome.message.empty()) {
    text += printable(plan.outcome.message) + "\n";
  }
  text += "\n" + touches_text(plan.outcome);
  text += "\n" + consent_text(plan.questions);
  return text +
         "\nNothing was changed. What depends on evidence is not known yet.\n";
}

ExitCode print_plan(const Globals& globals, const PlaybookOptions& options) {
  const RunPlan plan = plan_run(options.request(), run_tools(globals));
  if (globals.json) {
    print_json(plan_document(plan));
  } else {
    print_text(globals, plan_text(plan));
  }
  plan.require_startable();
  return plan.outcome.state == lua::RunState::failed ? ExitCode::failed
                                                     : ExitCode::clean;
}

/// Adds a sub-command that takes one playbook.
void add_one(CLI::App& group, const char* name, const char* sentence,
             const char* example, Globals& globals, Run& run,
             ExitCode (*act)(const Globals&, const std::string&)) {
  CLI::App* command = add_command(group, name, sentence, example);
  auto what = std::make_shared<std::string>();
  takes(ValueKind::playbook,
        command->add_option("playbook", *what, "Id, folder, or playbook.lua."))
      ->required();
  command->callback([&globals, &run, what, act] {
    run = [&globals, what, act] { return act(globals, *what); };
  });
}

}  // namespace

void add_playbook(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group = add_command(
      app, Group::write, "playbook",
      "Playbooks: find, read, check, "
      "plan, test, write.",
      "impound playbook plan weights-tampering --deployment d.toml");
  group->require_subcommand(1);
  add_command(*group, "list", "Print the playbooks that are found.",
              "impound playbook list")
      ->callback([&globals, &run] { run = [&] { return list(globals); }; });
  add_one(*group, "show", "Print what one declares.",
          "impound playbook show weights-tampering", globals, run, show);
  add_one(*group, "check",
          "Load one, validate it, and try its steps on an empty made-up case.",
          "impound playbook check playbooks/mine", globals, run, check);
  add_one(*group, "test", "Run the tests beside one.",
          "impound playbook test playbooks/mine", globals, run, test);
  add_one(*group, "doc", "Print its declaration as Markdown.",
          "impound playbook doc weights-tampering", globals, run, doc);
  CLI::App* make =
      add_command(*group, "new", "Make a new one from a template.",
                  "impound playbook new my-playbook --in playbooks");
  auto id = std::make_shared<std::string>();
  auto parent = std::make_shared<fs::path>("playbooks");
  make->add_option("id", *id, "kebab-case name.")->required();
  takes(ValueKind::folder,
        make->add_option("--in", *parent, "Folder to make it in."));
  make->callback([&globals, &run, id, parent] {
    run = [&globals, id, parent] { return make_new(globals, *id, *parent); };
  });
  CLI::App* plan = add_command(
      *group, "plan", "Print what a run would do, and change nothing.",
      "impound playbook plan weights-tampering --deployment d.toml");
  auto options = std::make_shared<PlaybookOptions>();
  add_playbook_options(*plan, *options);
  plan->callback([&globals, &run, options] {
    run = [&globals, options] { return print_plan(globals, *options); };
  });
}

}  // namespace impound
