// SPDX-License-Identifier: Apache-2.0
#include "core/run/run_life.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/run_journal.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/deployment.hpp"
#include "core/engine/deployment_record.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/run/deployment_view.hpp"
#include "core/run/engine_host.hpp"
#include "core/run/run_plan.hpp"
#include "lua/host/calls.hpp"
#include "lua/host/lua_library.hpp"

namespace impound {
namespace {

/// What a person gave when the run was started. A run of version 0.2.0 and
/// older did not record what was typed: what is not the default was.
ReachGiven recorded_reach(const Json& start,
                          const lua::LoadedPlaybook& playbook,
                          const Arguments& values, const std::string& source) {
  Json typed = Json::object();
  for (const Parameter& one : playbook.parameters) {
    const auto value = values.json().find(one.name);
    if (value != values.json().end() && *value != one.otherwise) {
      typed[one.name] = *value;
    }
  }
  ReachGiven reach = reach_given(playbook.parameters, typed, values);
  const auto recorded = start.find("given");
  if (recorded != start.end()) {
    ReachGiven given = ReachGiven::from_json(*recorded, source);
    given.defaults = std::move(reach.defaults);
    return given;
  }
  return reach;
}

std::vector<FindingRow> findings_of(const CaseFile& case_file,
                                    const std::string& run) {
  std::vector<FindingRow> findings;
  for (FindingRow& finding : case_file.findings()) {
    if (finding.run == run) findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<lua::FindingSaid> said_by(const std::vector<FindingRow>& findings) {
  std::vector<lua::FindingSaid> said;
  for (const FindingRow& finding : findings) {
    said.push_back({.verdict = finding.verdict,
                    .detail = from_lossless_utf8(finding.detail)});
  }
  return said;
}

Outcome custody_outcome(const lua::RunConclusion& conclusion) {
  if (conclusion.verdict == lua::RunVerdict::failed) return Outcome::failed;
  return conclusion.incomplete().empty() ? Outcome::ok : Outcome::incomplete;
}

/// What is open in the case once the run is over, measured now, even after a
/// Ctrl-C: its text is the very last lines of a run.
CaseStatus status_at_end(const Session& session, const RunTools& tools) {
  const Cancellation never;
  return status_of_folder(session.case_file.folder(),
                          tools.instruments.containments, session.clock, never);
}

void record_end(Session& session, const lua::RunOutcome& outcome,
                const lua::RunConclusion& conclusion) {
  session.step.clear();
  session.slot.reset();
  EntryDraft end = session.draft("playbook.end");
  end.outcome = custody_outcome(conclusion);
  end.detail["state"] = to_string(outcome.state);
  end.detail["reason"] = lossless_utf8(outcome.message);
  end.detail["verdict"] = to_string(conclusion.verdict);
  Json incomplete = Json::array();
  for (const std::string& reason : conclusion.incomplete()) {
    incomplete.push_back(lossless_utf8(reason));
  }
  end.detail["incomplete"] = std::move(incomplete);
  end.detail["isolation"] = outcome.isolation;
  end.detail["calls"] = outcome.calls;
  end.detail["replayed"] = outcome.replayed;
  session.case_file.append({end}, session.examiner);
}

/// Runs the playbook in the open case and records its end. `lock` is that of
/// the run.
RunResult drive(Session& session, const RunSubject& subject,
                const RunTools& tools, RunListener& listener,
                const std::string& resumed_sha256, const EvidenceLock& lock) {
  static_cast<void>(lock);  // held until the run's end is recorded
  lua::RunOptions options;
  options.parameters = subject.parameters;
  options.instruments = tools.instruments;
  options.now = tools.clock.now();
  options.deployment = deployment_view(subject.deployment);
  options.resumed_sha256 = resumed_sha256;
  options.tool_version = tools.tool_version;
  options.child = tools.child;
  RunResult result{.run = session.run,
                   .playbook = subject.playbook.id,
                   .version = subject.playbook.version,
                   .outcome = {},
                   .conclusion = {},
                   .findings = {},
                   .head = {},
                   .status = {}};
  try {
    EngineHost host(session, subject, tools, listener);
    result.outcome = lua::run_playbook(subject.playbook, options, host);
  } catch (const std::exception& error) {
    // Whatever it is, the record must not say that the run still goes on.
    result.outcome.state = lua::RunState::failed;
    result.outcome.message = error.what();
    try {
      record_end(session, result.outcome, lua::conclude(result.outcome, {}));
    } catch (
        const Error& second) {  // a full disk; the first error is the cause
      listener.say(fmt::format("the end of {} could not be recorded: {}",
                               session.run, second.what()));
    }
    listener.say(status_at_end(session, tools).closing_text());
    throw;
  }
  result.findings = findings_of(session.case_file, session.run);
  result.conclusion = lua::conclude(result.outcome, said_by(result.findings));
  try {
    record_end(session, result.outcome, result.conclusion);
  } catch (const Error&) {
    listener.say(status_at_end(session, tools).closing_text());
    throw;
  }
  result.status = status_at_end(session, tools);
  result.head = session.case_file.head();
  return result;
}

/// A run may wait for a question that no plan meets: those of the record count
/// too.
GivenConsent consent_of_resumed(const RunTools& tools,
                                const TypedConsent& typed,
                                const lua::LoadedPlaybook& playbook,
                                const GivenParameters& parameters,
                                const Deployment& deployment,
                                const std::vector<OpenQuestion>& open) {
  if (typed.answers.empty()) return check_consent(typed, {}, playbook.id);
  const lua::RunOutcome planned =
      plan_acts(tools, playbook, parameters, &deployment);
  std::vector<Question> known =
      questions_of(expected_questions(playbook, planned));
  for (const OpenQuestion& one : open) known.push_back(one.question);
  return check_consent(typed, known, playbook.id);
}

/// Path and digest of a descriptor, for the record.
Json file_facts(const std::filesystem::path& file) {
  const std::filesystem::path path =
      std::filesystem::absolute(file).lexically_normal();
  return {{"path", lossless_utf8(path.native())},
          {"sha256", sha256_of(*open_source(path)).hex()}};
}

/// What is different of the descriptor since the run began; null if nothing.
/// The run goes on with what it was started with: that was shown and approved.
Json changed_deployment(const Json& start, const std::string& source) {
  const Json& was = require_key(start, "deployment_file", source);
  const std::string path =
      from_lossless_utf8(require_text(was, "path", source));
  const std::string before = require_text(was, "sha256", source);
  std::string now;
  std::string found;
  try {
    now = sha256_of(*open_source(path)).hex();
    found = "it has SHA-256 " + now;
  } catch (const Error& error) {
    found = error.what();
  }
  if (now == before) return nullptr;
  return {{"path", lossless_utf8(path)},
          {"sha256_before", before},
          {"sha256_now", now.empty() ? Json(nullptr) : Json(now)},
          {"text",
           lossless_utf8(fmt::format(
               "The deployment file {} was changed since the run began: it had "
               "SHA-256 {}, now {}. The run goes on with the deployment as it "
               "was recorded when it began.",
               printable(path), before, found))}};
}

/// Before anything is replayed: the whole chain verifies, the journal is the
/// one that it names, and the library is the one that the run began with.
void require_sound_record(const CaseFile& case_file, const std::string& run,
                          const Json& start) {
  const auto bound = start.find("journal");
  if (bound == start.end() || *bound != kBoundJournal) {
    throw Error(
        Errc::unsupported,
        fmt::format("run {} was started by a version of this program "
                    "that did not bind the journal of a run into the "
                    "chain, so nothing proves what it was answered: end "
                    "it with impound abort {}, and start a new run",
                    run, run));
  }
  const CustodyReport report = verify_custody(case_file.folder(), "");
  if (!report.ok()) {
    const CustodyProblem& first = report.problems.front();
    throw Error(
        Errc::integrity,
        fmt::format("the record does not verify, so nothing of it is replayed: "
                    "entry {}, {}: expected {}, found {} ({} problem{}; see "
                    "impound custody verify)",
                    first.seq, printable(first.what), printable(first.expected),
                    printable(first.found), report.problems.size(),
                    report.problems.size() == 1 ? "" : "s"));
  }
  static_cast<void>(checked_journal(case_file, run));
  const std::string library = text_or(start, "library_sha256", "");
  if (library != lua::library_sha256()) {
    throw Error(Errc::bad_input,
                fmt::format("the Lua library of this program was changed since "
                            "the run began: it has SHA-256 {}, the run was "
                            "started with {}; resume it with the program that "
                            "began it, or start a new run",
                            lua::library_sha256(), library));
  }
}

/// How the record says that a step of the run ended last; "" if it did not.
std::string last_result(const CaseFile& case_file, const std::string& run,
                        const std::string& step) {
  std::string result;
  for (const Entry& entry : case_file.entries()) {
    const Json& detail = entry.json.at("detail");
    if (text_or(entry.json, "action", "") == "playbook.step" &&
        text_or(entry.json, "run", "") == run &&
        text_or(entry.json, "step", "") == step &&
        text_or(detail, "phase", "") == "end") {
      result = text_or(detail, "result", "");
    }
  }
  return result;
}

/// The note that makes attempts of what a step, and every one behind it, was
/// answered: from its first failure on where all that it did is measuring, else
/// from its beginning, so that an act is asked for anew [I12].
/// @return empty if the journal holds nothing of the step.
std::optional<EntryDraft> retry_note(Session& session,
                                     const std::string& step) {
  const std::string result = last_result(session.case_file, session.run, step);
  if (result != to_string(lua::StepResult::failed) &&
      result != to_string(lua::StepResult::incomplete)) {
    throw Error(Errc::bad_input,
                fmt::format("--retry {}: expected a step of {} that failed or "
                            "is incomplete; this one {}",
                            printable(step), session.run,
                            result.empty() ? "did not end" : "is " + result));
  }
  std::int64_t first = 0;
  std::int64_t first_failed = 0;
  bool is_guarded = false;
  for (const JournalRow& row :
       checked_journal(session.case_file, session.run).rows) {
    const Json call = parse_json(row.call, "journal of " + session.run);
    if (text_or(call, "step", "") != step) continue;
    if (first == 0) first = row.n;
    const lua::CallRule* const rule =
        lua::find_call_rule(text_or(call, "function", ""));
    is_guarded = is_guarded || rule == nullptr ||
                 rule->effect == lua::CallEffect::ask ||
                 rule->leave() != GuardedAct::none;
    if (first_failed == 0 &&
        parse_json(row.answer, "journal of " + session.run).contains("error")) {
      first_failed = row.n;
    }
  }
  if (first == 0) return std::nullopt;
  if (!is_guarded && first_failed != 0) first = first_failed;
  EntryDraft draft = session.draft("note");
  draft.step = step;
  draft.purpose = "try again";
  draft.detail = {
      {"kind", "retry"},
      {"text", fmt::format("step {} is tried again: from call {} on, what was "
                           "answered are attempts",
                           step, first)},
      {"call", first}};
  return draft;
}

/// The `detail` of the entry that began the run.
/// @throws Error{bad_input} if the case has no such run.
Json start_of(const CaseFile& case_file, const std::string& run) {
  for (const Entry& entry : case_file.entries()) {
    if (text_or(entry.json, "action", "") == "playbook.start" &&
        text_or(entry.json, "run", "") == run) {
      return entry.json.at("detail");
    }
  }
  throw Error(Errc::bad_input, fmt::format("case {} has no run \"{}\"",
                                           case_file.id(), printable(run)));
}

void require_not_over(const CaseFile& case_file, const std::string& run,
                      const std::string& retry) {
  for (const RunRow& row : case_file.runs()) {
    const bool is_over =
        row.state == "aborted" || (row.state == "done" && retry.empty());
    if (row.id == run && is_over) {
      throw Error(Errc::bad_input,
                  fmt::format("run {} is {}: there is nothing to resume", run,
                              row.state));
    }
  }
}

/// A baseline is the one that the run was started with.
void require_baseline_as_started(const Json& start, const std::string& source) {
  if (!start.contains("baseline")) return;
  const Json& named = start.at("baseline");
  BaselineCheck check =
      check_baseline(from_lossless_utf8(require_text(named, "path", source)));
  if (text_or(named, "kind", "") == to_string(BaselineKind::dataset)) {
    check.use = BaselineUse::whatever_differs;  // as it was when it started
  }
  check.require_usable();
}

EntryDraft start_draft(const Session& session, const RunRequest& request,
                       const RunPlan& plan) {
  const lua::LoadedPlaybook& playbook = plan.playbook;
  const Json acts = plan.acts();
  EntryDraft start = session.draft("playbook.start");
  start.purpose = playbook.title;
  start.detail["playbook"] = playbook.id;
  start.detail["version"] = playbook.version;
  start.detail["playbook_sha256"] = playbook.sha256;
  start.detail["folder"] =
      lossless_utf8(std::filesystem::absolute(playbook.folder).native());
  start.detail["parameters"] = plan.parameters.values.json();
  start.detail["given"] = plan.parameters.reach.to_json();
  start.detail["permissions"] = permissions_of(playbook);
  start.detail["plan_sha256"] = sha256(dump_line(acts)).hex();
  start.detail["plan"] = acts;
  start.detail["journal"] = kBoundJournal;
  start.detail["library_sha256"] = lua::library_sha256();
  start.detail["deployment_file"] = file_facts(request.deployment);
  start.detail["deployment"] = plan.deployment->name;
  start.detail["target"] = deployment_to_json(*plan.deployment);
  start.detail["active_harm"] = request.active_harm;
  if (plan.baseline) start.detail["baseline"] = plan.baseline->to_json();
  return start;
}

}  // namespace

RunResult start_run(const RunRequest& request, const RunTools& tools,
                    RunListener& listener) {
  if (request.deployment.empty()) {
    throw Error(Errc::bad_input, "run needs --deployment");
  }
  const RunPlan plan = plan_run(request, tools);
  plan.require_startable();
  const lua::LoadedPlaybook& playbook = plan.playbook;
  const GivenConsent consent =
      check_consent(request.consent, questions_of(plan.questions), playbook.id);
  if (plan.baseline) listener.say(plan.baseline->sentence() + ".");

  Session& session = listener.session();
  CaseFile& case_file = session.case_file;
  session.run =
      case_file
          .reserve_run(start_draft(session, request, plan), session.examiner)
          .run;
  Json event;
  event["event"] = "run";
  event["run"] = session.run;
  event["case"] = case_file.id();
  event["playbook"] = playbook.id;
  event["version"] = playbook.version;
  event["deployment"] = plan.deployment->name;
  session.progress.event(event);
  listener.say(fmt::format("Run {} of {} {} in case {}", session.run,
                           playbook.id, playbook.version, case_file.id()));
  return drive(session,
               {.playbook = playbook,
                .deployment = *plan.deployment,
                .parameters = plan.parameters.values,
                .given = plan.parameters.reach,
                .consent = consent},
               tools, listener, "",
               EvidenceLock(case_file.folder() / "evidence", session.run));
}

RunResult resume_run(const ResumeRequest& request, const RunTools& tools,
                     RunListener& listener) {
  const std::string& run = request.run;
  Session& session = listener.session();
  CaseFile& case_file = session.case_file;
  const Json start = start_of(case_file, run);
  // Before anything is recorded or looked at: who comes second finds the run
  // as the first one left it.
  auto lock = EvidenceLock::try_take(case_file.folder() / "evidence", run);
  if (!lock) {
    throw Error(Errc::io,
                fmt::format("{} is being run by another process: wait for its "
                            "end, or end it there (Ctrl-C), then resume it",
                            run));
  }
  require_not_over(case_file, run, request.retry);
  const std::string source = "playbook.start of " + run;
  require_sound_record(case_file, run, start);
  const Json changed = changed_deployment(start, source);
  if (!changed.is_null()) listener.say(text_or(changed, "text", ""));
  const auto playbook = lua::load_playbook(
      from_lossless_utf8(require_text(start, "folder", source)), tools.child);
  const Deployment deployment =
      deployment_from_json(require_key(start, "target", source), source);
  require_baseline_as_started(start, source);
  GivenParameters parameters;
  parameters.values =
      arguments_for(playbook, require_key(start, "parameters", source),
                    Spelling::values, tools.clock.now());
  parameters.reach = recorded_reach(start, playbook, parameters.values, source);
  const GivenConsent consent =
      consent_of_resumed(tools, request.consent, playbook, parameters,
                         deployment, open_questions(case_file, run));
  session.run = run;
  EntryDraft again = session.draft("playbook.start");
  again.purpose = "resume";
  again.detail = start;
  again.detail["resumed"] = true;
  if (!changed.is_null()) again.detail["deployment_changed"] = changed;
  std::optional<EntryDraft> attempts;
  if (!request.retry.empty()) attempts = retry_note(session, request.retry);
  case_file.append({again}, session.examiner);
  if (attempts) case_file.append({*attempts}, session.examiner);
  return drive(session,
               {.playbook = playbook,
                .deployment = deployment,
                .parameters = parameters.values,
                .given = parameters.reach,
                .consent = consent},
               tools, listener, require_text(start, "playbook_sha256", source),
               *lock);
}

}  // namespace impound
