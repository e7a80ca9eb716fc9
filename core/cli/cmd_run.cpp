// SPDX-License-Identifier: Apache-2.0
/// impound run, resume, approve, deny, answer, abort: a playbook's life.

#include <fmt/format.h>

#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/consent.hpp"
#include "core/cli/run_driver.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/questions.hpp"
#include "core/engine/status.hpp"

namespace impound {
namespace {

/// @throws Error{bad_input} unless the case has this run and it may go on.
void require_open_run(const CaseFile& case_file, const std::string& run) {
  for (const RunRow& row : case_file.runs()) {
    if (row.id != run) continue;
    if (row.state == "done" || row.state == "aborted") {
      throw Error(Errc::bad_input,
                  fmt::format("run {} is {} already", run, row.state));
    }
    return;
  }
  throw Error(Errc::bad_input, fmt::format("case {} has no run \"{}\"",
                                           case_file.id(), printable(run)));
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

/// The open question of that id; the newest of several.
const OpenQuestion& find_question(const std::vector<OpenQuestion>& open,
                                  const std::string& run,
                                  const std::string& id) {
  std::string ids;
  for (auto one = open.rbegin(); one != open.rend(); ++one) {
    if (one->question.id == id) return *one;
    ids += (ids.empty() ? "" : ", ") + printable(one->question.id);
  }
  throw Error(
      Errc::bad_input,
      fmt::format("{} waits for no answer to \"{}\"; {}", run, printable(id),
                  ids.empty() ? "it has asked nothing that is open"
                              : "it waits for an answer to " + ids));
}

ExitCode answer(const Globals& globals, const std::string& run,
                const std::string& question, const std::string& text) {
  OpenCase open(globals);
  require_open_run(open.file(), run);
  const std::vector<OpenQuestion> questions = open_questions(open.file(), run);
  const OpenQuestion& asked = find_question(questions, run, question);
  if (!asked.question.admits(text)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\" is no answer to \"{}\": expected {}",
                            printable(text), printable(question),
                            asked.question.admitted()));
  }
  const std::string by = open.session().examiner.actor.name;
  const std::string at = format_time(globals.clock.now());
  record_pending_answer(
      open.session(), asked,
      {.text = text,
       .basis = fmt::format("given by 'impound answer' by {} at {}", by, at),
       .by = by,
       .at = at});
  say_done(globals, open.file(), run, fmt::format("{} = {}", question, text));
  return ExitCode::clean;
}

ExitCode abort_run(const Globals& globals, const std::string& run,
                   const std::string& reason) {
  OpenCase open(globals);
  require_open_run(open.file(), run);
  const auto lock =
      EvidenceLock::try_take(open.file().folder() / "evidence", run);
  if (!lock) {
    throw Error(Errc::bad_input,
                fmt::format("{} is being run by another process: end it there "
                            "(Ctrl-C), then abort it",
                            run));
  }
  open.session().run = run;
  EntryDraft end = open.session().draft("playbook.end");
  end.outcome = Outcome::incomplete;
  end.detail["state"] = "aborted";
  end.detail["reason"] = lossless_utf8(reason);
  open.file().append({end}, open.session().examiner);
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
    run = [&globals, options] { return start_run(globals, *options); };
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
      return resume_run(globals, words->run, *consent, words->text);
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
    run = [&globals, last] {
      return abort_run(globals, last->run, last->text);
    };
  });
}

}  // namespace impound
