// SPDX-License-Identifier: Apache-2.0
/// impound run, resume, approve, deny, answer, abort: a playbook's life.

#include <fmt/format.h>

#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/run_driver.hpp"
#include "core/engine/findings.hpp"
#include "core/engine/next_command.hpp"
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

ExitCode decide(const Globals& globals, const std::string& run, bool granted,
                const std::string& reason) {
  OpenCase open(globals);
  require_open_run(open.file(), run);
  decide_approval(open.session(), run, granted, reason);
  say_done(globals, open.file(), run, granted ? "approved" : "denied");
  return ExitCode::clean;
}

ExitCode answer(const Globals& globals, const std::string& run,
                const std::string& question, const std::string& text) {
  OpenCase open(globals);
  require_open_run(open.file(), run);
  open.session().run = run;
  Json asked;
  asked["id"] = question;
  static_cast<void>(
      record_answer(open.session(), asked, text, "impound answer"));
  say_done(globals, open.file(), run, fmt::format("{} = {}", question, text));
  return ExitCode::clean;
}

ExitCode abort_run(const Globals& globals, const std::string& run,
                   const std::string& reason) {
  OpenCase open(globals);
  require_open_run(open.file(), run);
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
  std::vector<std::string> answers;
};

void add_decision(CLI::App& app, const char* name, const char* sentence,
                  bool granted, Globals& globals, Run& run) {
  CLI::App* command = add_command(app, name, sentence);
  auto words = std::make_shared<Words>();
  command->add_option("run", words->run, "R001")->required();
  command->add_option("--reason", words->text, "Why, for the chain.")
      ->required();
  command->callback([&globals, &run, words, granted] {
    run = [&globals, words, granted] {
      return decide(globals, words->run, granted, words->text);
    };
  });
}

}  // namespace

void add_run(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command =
      add_command(app, "run", "Run a playbook in a case: the main job.");
  auto options = std::make_shared<PlaybookOptions>();
  add_playbook_options(*command, *options);
  command->add_option("--answer", options->answers,
                      "Answer to a question of the playbook, given "
                      "beforehand: question=answer.");
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return start_run(globals, *options); };
  });

  CLI::App* resume = add_command(
      app, "resume", "Go on with a run that crashed, stopped or waits.");
  auto words = std::make_shared<Words>();
  resume->add_option("run", words->run, "R001")->required();
  resume->add_option("--answer", words->answers,
                     "Answer to a question: question=answer.");
  resume->callback([&globals, &run, words] {
    run = [&globals, words] {
      return resume_run(globals, words->run, words->answers);
    };
  });

  add_decision(app, "approve", "Allow a run to contain, as another examiner.",
               true, globals, run);
  add_decision(app, "deny", "Forbid a run to contain.", false, globals, run);

  CLI::App* reply = add_command(app, "answer", "Answer a run's question.");
  auto given = std::make_shared<Words>();
  reply->add_option("run", given->run, "R001")->required();
  reply->add_option("question", given->question, "Id of the question.")
      ->required();
  reply->add_option("answer", given->text, "One of its choices.")->required();
  reply->callback([&globals, &run, given] {
    run = [&globals, given] {
      return answer(globals, given->run, given->question, given->text);
    };
  });

  CLI::App* end = add_command(app, "abort", "End a run that shall not go on.");
  auto last = std::make_shared<Words>();
  end->add_option("run", last->run, "R001")->required();
  end->add_option("--reason", last->text, "Why, for the chain.")->required();
  end->callback([&globals, &run, last] {
    run = [&globals, last] {
      return abort_run(globals, last->run, last->text);
    };
  });
}

}  // namespace impound
