// SPDX-License-Identifier: Apache-2.0
/// impound run, resume, approve, deny, answer, abort: a playbook's life.

#include <fmt/format.h>

#include "containment/registry.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/consent.hpp"
#include "core/cli/playbook_options.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/status.hpp"
#include "core/run/open_run.hpp"
#include "core/run/run_life.hpp"

namespace impound {
namespace {

/// The run speaks on stderr, acts in the case of the options, and asks whoever
/// sits at the terminal.
class TerminalListener final : public RunListener {
 public:
  explicit TerminalListener(const Globals& globals)
      : globals_(globals), may_ask_(is_at_terminal(globals)) {}

  void say(std::string_view sentence) override {
    print_note(globals_, sentence);
  }
  Session& session() override {
    if (!open_) open_.emplace(globals_, Events::stream);
    return open_->session();
  }
  std::optional<TerminalAnswer> ask(const Question& question,
                                    const Cancellation& cancellation) override {
    if (!may_ask_) return std::nullopt;
    return ask_at_terminal(question, cancellation);
  }

 private:
  const Globals& globals_;
  const bool may_ask_;
  std::optional<OpenCase> open_;
};

std::string steps_text(const lua::RunOutcome& outcome) {
  std::vector<std::vector<std::string>> rows;
  for (const lua::StepOutcome& one : outcome.steps) {
    const std::string_view result =
        one.has_ended ? to_string(one.result) : "not ended";
    rows.push_back({"  " + std::string(result), one.step.id,
                    printable(one.step.title),
                    one.message.empty() ? "" : printable(one.message)});
  }
  return format_table(rows);
}

ExitCode exit_of(lua::RunVerdict verdict) {
  using lua::RunVerdict;
  switch (verdict) {
    case RunVerdict::cleared:
    case RunVerdict::cleared_files_only:
    case RunVerdict::nothing_found:
      return ExitCode::clean;
    case RunVerdict::findings:
      return ExitCode::findings;
    case RunVerdict::waiting:
      return ExitCode::waiting;
    case RunVerdict::incomplete:
    case RunVerdict::failed:
    case RunVerdict::interrupted:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

std::string findings_text(const RunResult& result) {
  std::string text;
  for (const FindingRow& finding : result.findings) {
    text += fmt::format("{} {} {}: {}\n", finding.id, finding.verdict,
                        finding.severity,
                        printable(from_lossless_utf8(finding.title)));
    if (!finding.detail.empty()) {
      text += "     " + printable(from_lossless_utf8(finding.detail)) + "\n";
    }
  }
  return text;
}

Json end_event(const RunResult& result, ExitCode exit) {
  Json event;
  event["event"] = "run_end";
  event["run"] = result.run;
  event["state"] = to_string(result.outcome.state);
  event["outcome"] = to_string(result.conclusion.verdict);
  Json incomplete = Json::array();
  for (const std::string& reason : result.conclusion.incomplete()) {
    incomplete.push_back(lossless_utf8(reason));
  }
  event["incomplete"] = std::move(incomplete);
  event["message"] = lossless_utf8(result.outcome.message);
  event["worst_verdict"] = result.outcome.worst_verdict;
  event["isolation"] = result.outcome.isolation;
  event["calls"] = result.outcome.calls;
  event["replayed"] = result.outcome.replayed;
  event["head"] = result.head;
  event["exit_code"] = static_cast<int>(exit);
  event["case_status"] = result.status.to_json();
  return event;
}

std::string end_text(const RunResult& result) {
  std::string text =
      fmt::format("\nRun {} of {} {}: {}\n", result.run, result.playbook,
                  result.version, to_string(result.outcome.state));
  if (!result.outcome.message.empty()) {
    text += printable(result.outcome.message) + "\n";
  }
  text += steps_text(result.outcome);
  text += "\n" + findings_text(result);
  text += fmt::format("head {}\n\n", result.head);
  text += result.conclusion.to_text();
  return text + result.status.closing_text(result.run);
}

/// What a run came to, told as its very last words.
ExitCode tell(const Globals& globals, RunListener& listener,
              const RunResult& result) {
  const ExitCode exit = exit_of(result.conclusion.verdict);
  if (globals.json) {
    listener.session().progress.event(end_event(result, exit));
  } else {
    print_text(globals, end_text(result));
  }
  return exit;
}

ExitCode start_and_tell(const Globals& globals,
                        const PlaybookOptions& options) {
  TerminalListener listener(globals);
  return tell(globals, listener,
              start_run(options.request(), run_tools(globals), listener));
}

ExitCode resume_and_tell(const Globals& globals, const ResumeRequest& request) {
  TerminalListener listener(globals);
  return tell(globals, listener,
              resume_run(request, run_tools(globals), listener));
}

void say_done(const Globals& globals, const CaseFile& case_file,
              const std::string& run, const std::string& what) {
  const std::string next = next_command(case_file.folder(), {"resume", run});
  if (globals.json) {
    print_json({{"run", run}, {"recorded", what}, {"next", next}});
  } else {
    print_text(globals, fmt::format("{}: {}. This goes on: {}\n", run,
                                    printable(what), next));
  }
}

ExitCode decide(const Globals& globals, const std::string& name,
                Decision decision, const std::string& reason) {
  OpenCase open(globals);
  if (name.starts_with('R')) require_open_run(open.file(), name);
  const OpenApproval request =
      decide_approval(open.session(), name, decision, reason);
  const bool is_granted = decision == Decision::granted;
  if (globals.json) {
    print_json(
        {{"request", request.request},
         {"run", request.run.empty() ? Json(nullptr) : Json(request.run)},
         {"what", request.what},
         {"recorded", is_granted ? "approved" : "denied"},
         {"missing", request.missing}});
    return ExitCode::clean;
  }
  const std::filesystem::path& folder = open.file().folder();
  std::string next;
  if (is_granted && request.missing > 0) {
    next = fmt::format("{} more must approve it.", request.missing);
  } else if (is_granted && request.run.empty()) {
    next = fmt::format("{} can give the same command again.",
                       printable(request.requester));
  } else if (is_granted) {
    next = fmt::format("This goes on: {}",
                       next_command(folder, {"resume", request.run}));
  } else if (!request.run.empty()) {
    next = fmt::format("This ends the run: {}",
                       next_command(folder, {"abort", request.run, "--reason",
                                             "its approval was denied"}));
  }
  print_text(globals, fmt::format("{}: {} to {}. {}\n", request.request,
                                  is_granted ? "approved" : "denied",
                                  printable(request.what), next));
  return ExitCode::clean;
}

ExitCode answer(const Globals& globals, const std::string& run,
                const std::string& question, const std::string& text) {
  OpenCase open(globals);
  answer_question(open.session(), run, question, text);
  say_done(globals, open.file(), run, fmt::format("{} = {}", question, text));
  return ExitCode::clean;
}

ExitCode abort(const Globals& globals, const std::string& run,
               const std::string& reason) {
  OpenCase open(globals);
  abort_run(open.session(), run, reason);
  if (globals.json) {
    print_json({{"run", run}, {"state", "aborted"}});
  } else {
    // What it contained was not given back; only a measurement says whether
    // it still is.
    print_text(globals, run + " is aborted. What it took stays.\n" +
                            status_of(open.file(), all_containments(),
                                      globals.clock, *globals.cancellation)
                                .closing_text());
  }
  return ExitCode::clean;
}

struct Words {
  std::string run;
  std::string question;
  std::string text;
};

void add_decision(CLI::App& app, const char* name, const char* sentence,
                  const char* example, Decision decision, Globals& globals,
                  Run& run) {
  CLI::App* command = add_command(app, Group::respond, name, sentence, example);
  auto words = std::make_shared<Words>();
  takes(
      ValueKind::request,
      command->add_option("request", words->run,
                          "The run that waits (R001), or the request (A001)."))
      ->required();
  command->add_option("--reason", words->text, "Why, for the chain.")
      ->required();
  command->callback([&globals, &run, words, decision] {
    run = [&globals, words, decision] {
      return decide(globals, words->run, decision, words->text);
    };
  });
}

}  // namespace

void add_run(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, Group::respond, "run", "Run a playbook in a case: the main job.",
      "impound run weights-tampering --deployment d.toml --case IR-2026-001");
  auto options = std::make_shared<PlaybookOptions>();
  add_playbook_options(*command, *options);
  add_consent_options(*command, options->consent);
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return start_and_tell(globals, *options); };
  });

  CLI::App* resume =
      add_command(app, Group::respond, "resume",
                  "Go on with a run that crashed, stopped or waits.",
                  "impound resume R001");
  auto words = std::make_shared<Words>();
  auto consent = std::make_shared<ConsentOptions>();
  takes(ValueKind::run, resume->add_option("run", words->run, "R001"))
      ->required();
  takes(
      ValueKind::step,
      resume->add_option("--retry", words->text,
                         "Do this step, which failed or is incomplete, and all "
                         "behind it again."));
  add_consent_options(*resume, *consent);
  resume->callback([&globals, &run, words, consent] {
    run = [&globals, words, consent] {
      return resume_and_tell(globals, {.run = words->run,
                                       .consent = consent->typed(),
                                       .retry = words->text});
    };
  });

  add_decision(app, "approve",
               "Allow an act that waits for it, as another examiner than who "
               "asked for it.",
               "impound approve R001 --reason \"agreed with the owner\"",
               Decision::granted, globals, run);
  add_decision(app, "deny", "Forbid an act that waits for an approval.",
               "impound deny R001 --reason \"the evening peak first\"",
               Decision::denied, globals, run);

  CLI::App* reply =
      add_command(app, Group::respond, "answer", "Answer a run's question.",
                  "impound answer R001 contain yes");
  auto given = std::make_shared<Words>();
  takes(ValueKind::run, reply->add_option("run", given->run, "R001"))
      ->required();
  takes(ValueKind::question,
        reply->add_option("question", given->question, "Id of the question."))
      ->required();
  reply
      ->add_option("answer", given->text,
                   "One of its choices; any text where it has none.")
      ->required();
  reply->callback([&globals, &run, given] {
    run = [&globals, given] {
      return answer(globals, given->run, given->question, given->text);
    };
  });

  CLI::App* end = add_command(app, Group::respond, "abort",
                              "End a run that shall not go on.",
                              "impound abort R001 --reason \"a false alarm\"");
  auto last = std::make_shared<Words>();
  takes(ValueKind::run, end->add_option("run", last->run, "R001"))->required();
  end->add_option("--reason", last->text, "Why, for the chain.")->required();
  end->callback([&globals, &run, last] {
    run = [&globals, last] { return abort(globals, last->run, last->text); };
  });
}

}  // namespace impound
