// SPDX-License-Identifier: Apache-2.0
#include "core/run/open_run.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/questions.hpp"

namespace impound {
namespace {

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

}  // namespace

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

void answer_question(Session& session, const std::string& run,
                     const std::string& question, const std::string& text) {
  require_open_run(session.case_file, run);
  const std::vector<OpenQuestion> questions =
      open_questions(session.case_file, run);
  const OpenQuestion& asked = find_question(questions, run, question);
  if (!asked.question.admits(text)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\" is no answer to \"{}\": expected {}",
                            printable(text), printable(question),
                            asked.question.admitted()));
  }
  const std::string by = session.examiner.actor.name;
  const std::string at = format_time(session.clock.now());
  record_pending_answer(
      session, asked,
      {.text = text,
       .basis = fmt::format("given by 'impound answer' by {} at {}", by, at),
       .by = by,
       .at = at});
}

void abort_run(Session& session, const std::string& run,
               const std::string& reason) {
  require_open_run(session.case_file, run);
  const auto lock =
      EvidenceLock::try_take(session.case_file.folder() / "evidence", run);
  if (!lock) {
    throw Error(Errc::bad_input,
                fmt::format("{} is being run by another process: end it there "
                            "(Ctrl-C), then abort it",
                            run));
  }
  session.run = run;
  EntryDraft end = session.draft("playbook.end");
  end.outcome = Outcome::incomplete;
  end.detail["state"] = "aborted";
  end.detail["reason"] = lossless_utf8(reason);
  session.case_file.append({end}, session.examiner);
}

}  // namespace impound
