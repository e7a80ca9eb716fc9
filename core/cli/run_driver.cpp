// SPDX-License-Identifier: Apache-2.0
#include "core/cli/run_driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/run_journal.hpp"
#include "core/cli/arguments.hpp"
#include "core/cli/engine_host.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/baseline_check.hpp"
#include "core/engine/deployment.hpp"
#include "core/engine/deployment_record.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/status.hpp"
#include "lua/host/lua_library.hpp"
#include "lua/host/playbook_commands.hpp"
#include "lua/host/playbook_run.hpp"
#include "lua/host/run_verdict.hpp"

namespace impound {
namespace {

/// The parameters, and what of them a person gave on this command line.
struct GivenParameters {
  Arguments values;
  ReachGiven reach;
};

GivenParameters given_parameters(const Globals& globals,
                                 const lua::LoadedPlaybook& playbook,
                                 const PlaybookOptions& options) {
  Json given = given_by(options.parameters);
  if (options.active_harm) given["active_harm"] = true;
  GivenParameters parameters;
  parameters.values = arguments_for(playbook, given, Spelling::command_line,
                                    globals.clock.now());
  parameters.reach = reach_given(playbook.parameters, given, parameters.values);
  return parameters;
}

/// The same of a run that goes on. A run of version 0.2.0 and older did not
/// record what was typed: what is not the default was.
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

Json touches_json(std::span<const Touch> touches) {
  Json list = Json::array();
  for (const Touch& one : touches) list.push_back(one.to_json());
  return list;
}

Json plan_json(const lua::RunOutcome& outcome) {
  Json acts = Json::array();
  for (const lua::PlannedAct& act : outcome.plan) {
    acts.push_back({{"step", act.step},
                    {"function", act.function},
                    {"arguments", act.arguments},
                    {"touches", touches_json(act.touches)},
                    {"what", lossless_utf8(act.sentence)},
                    {"at", act.at}});
  }
  return acts;
}

/// Every path, process and host that a plan came to, each once, with what would
/// touch it.
std::string touches_text(const lua::RunOutcome& outcome) {
  std::vector<std::pair<std::string, std::string>> seen;
  for (const lua::PlannedAct& act : outcome.plan) {
    for (const Touch& touch : act.touches) {
      const std::string words = touch.in_words();
      const auto known = std::ranges::find(
          seen, words, &std::pair<std::string, std::string>::first);
      if (known == seen.end()) {
        seen.emplace_back(words, act.function);
      } else if ((", " + known->second + ",").find(", " + act.function + ",") ==
                 std::string::npos) {
        known->second += ", " + act.function;
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

lua::RunOutcome make_plan(const Globals& globals,
                          const lua::LoadedPlaybook& playbook,
                          const GivenParameters& parameters,
                          const Deployment* deployment) {
  PlanHost host(globals, deployment, playbook, parameters.reach);
  lua::RunOptions options;
  options.parameters = parameters.values;
  options.deployment =
      deployment == nullptr ? Json::object() : deployment_view(*deployment);
  options.instruments = instruments();
  options.now = globals.clock.now();
  options.mode = lua::RunMode::plan;
  options.tool_version = IMPOUND_VERSION;
  options.child = child_options(globals);
  return lua::run_playbook(playbook, options, host);
}

/// The plan comes to a comparison with that path of the deployment.
bool uses(const lua::RunOutcome& plan, const std::string& path) {
  return std::ranges::any_of(plan.plan, [&](const lua::PlannedAct& act) {
    return (act.function == "diff" || act.function == "load_baseline") &&
           std::ranges::find(act.touches, path, &Touch::what) !=
               act.touches.end();
  });
}

/// A run would be refused for the same reason, in the same words.
void require_not_refused(const lua::RunOutcome& planned) {
  if (planned.is_refused) throw Error(Errc::bad_input, planned.message);
  if (planned.is_cut_short) {
    throw Error(Errc::limit,
                "the plan did not come to its end, and no run of "
                "it would: " +
                    planned.message);
  }
}

/// What a run will compare with, opened before anything is done: the parameter
/// "baseline", or the descriptor's where the plan comes to it. Empty if there
/// is none, or if it is an exhibit of the case.
std::optional<BaselineCheck> baseline_of_run(const Arguments& parameters,
                                             const Deployment& deployment,
                                             const lua::RunOutcome& plan) {
  std::string path =
      from_lossless_utf8(text_or(parameters.json(), "baseline", ""));
  if (path.empty()) {
    path = deployment.baseline_path.native();
    const bool is_used = !path.empty() && uses(plan, path);
    if (!is_used) return std::nullopt;
  }
  if (parse_exhibit_reference(path)) {
    return std::nullopt;
  }
  // Absolute, so that a run can be resumed from another folder.
  BaselineCheck check = check_baseline(fs::absolute(path).lexically_normal());
  const bool is_read =
      std::ranges::any_of(plan.plan, [](const lua::PlannedAct& act) {
        return act.function == "load_baseline";
      });
  if (!is_read) check.use = BaselineUse::whatever_differs;
  return check;
}

std::vector<Question> questions_of(std::span<const ExpectedQuestion> expected) {
  std::vector<Question> questions;
  for (const ExpectedQuestion& one : expected) {
    questions.push_back(one.question);
  }
  return questions;
}

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

std::string findings_text(const CaseFile& case_file, const std::string& run) {
  std::vector<std::vector<std::string>> rows;
  std::string text;
  for (const FindingRow& finding : case_file.findings()) {
    if (finding.run != run) continue;
    text += fmt::format("{} {} {}: {}\n", finding.id, finding.verdict,
                        finding.severity,
                        printable(from_lossless_utf8(finding.title)));
    if (!finding.detail.empty()) {
      text += "     " + printable(from_lossless_utf8(finding.detail)) + "\n";
    }
  }
  return text;
}

std::vector<lua::FindingSaid> findings_of(const CaseFile& case_file,
                                          const std::string& run) {
  std::vector<lua::FindingSaid> findings;
  for (const FindingRow& finding : case_file.findings()) {
    if (finding.run != run) continue;
    findings.push_back({.verdict = finding.verdict,
                        .detail = from_lossless_utf8(finding.detail)});
  }
  return findings;
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

Outcome custody_outcome(const lua::RunConclusion& conclusion) {
  if (conclusion.verdict == lua::RunVerdict::failed) return Outcome::failed;
  return conclusion.incomplete().empty() ? Outcome::ok : Outcome::incomplete;
}

/// What is open in the case once the run is over, measured now, even after a
/// Ctrl-C: its text is the very last lines of a run.
CaseStatus status_at_end(const Session& session) {
  const Cancellation never;
  return status_of_folder(session.case_file.folder(), all_containments(),
                          session.clock, never);
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

Json end_event(const Session& session, const lua::RunOutcome& outcome,
               const lua::RunConclusion& conclusion, ExitCode exit) {
  Json event;
  event["event"] = "run_end";
  event["run"] = session.run;
  event["state"] = to_string(outcome.state);
  event["outcome"] = to_string(conclusion.verdict);
  Json incomplete = Json::array();
  for (const std::string& reason : conclusion.incomplete()) {
    incomplete.push_back(lossless_utf8(reason));
  }
  event["incomplete"] = std::move(incomplete);
  event["message"] = lossless_utf8(outcome.message);
  event["worst_verdict"] = outcome.worst_verdict;
  event["isolation"] = outcome.isolation;
  event["calls"] = outcome.calls;
  event["replayed"] = outcome.replayed;
  event["head"] = session.case_file.head();
  event["exit_code"] = static_cast<int>(exit);
  return event;
}

/// Runs the playbook in the open case, records its end, tells the person.
/// `lock` is that of the run.
ExitCode drive(const Globals& globals, OpenCase& open,
               const RunSubject& subject, const std::string& resumed_sha256,
               const EvidenceLock& lock) {
  static_cast<void>(lock);  // held until the run's end is recorded
  Session& session = open.session();
  lua::RunOptions options;
  options.parameters = subject.parameters;
  options.instruments = instruments();
  options.now = globals.clock.now();
  options.deployment = deployment_view(subject.deployment);
  options.resumed_sha256 = resumed_sha256;
  options.tool_version = IMPOUND_VERSION;
  options.child = child_options(globals);
  lua::RunOutcome outcome;
  try {
    EngineHost host(session, subject);
    outcome = lua::run_playbook(subject.playbook, options, host);
  } catch (const std::exception& error) {
    // Whatever it is, the record must not say that the run still goes on.
    outcome.state = lua::RunState::failed;
    outcome.message = error.what();
    try {
      record_end(session, outcome, lua::conclude(outcome, {}));
    } catch (
        const Error& second) {  // a full disk; the first error is the cause
      print_note(globals, fmt::format("the end of {} could not be recorded: {}",
                                      session.run, second.what()));
    }
    print_note(globals, status_at_end(session).closing_text());
    throw;
  }
  const lua::RunConclusion conclusion =
      lua::conclude(outcome, findings_of(session.case_file, session.run));
  try {
    record_end(session, outcome, conclusion);
  } catch (const Error&) {
    print_note(globals, status_at_end(session).closing_text());
    throw;
  }
  const ExitCode exit = exit_of(conclusion.verdict);
  const CaseStatus status = status_at_end(session);
  if (globals.json) {
    Json event = end_event(session, outcome, conclusion, exit);
    event["case_status"] = status.to_json();
    open.progress().event(event);
    return exit;
  }
  std::string text =
      fmt::format("\nRun {} of {} {}: {}\n", session.run, subject.playbook.id,
                  subject.playbook.version, to_string(outcome.state));
  if (!outcome.message.empty()) text += printable(outcome.message) + "\n";
  text += steps_text(outcome);
  text += "\n" + findings_text(session.case_file, session.run);
  text += fmt::format("head {}\n\n", session.case_file.head());
  text += conclusion.to_text();
  text += status.closing_text(session.run);
  print_text(globals, text);
  return exit;
}

/// What it wants to read besides the deployment; "" if nothing.
std::string reads_line(const lua::LoadedPlaybook& playbook) {
  std::string line;
  for (const std::string& path : playbook.reads) {
    line += (line.empty() ? "reads: " : ", ") + printable(path);
  }
  return line.empty() ? line : line + "\n";
}

Json permissions(const lua::LoadedPlaybook& playbook) {
  Json json;
  json["effect"] = to_string(playbook.effect);
  json["collectors"] = playbook.collectors;
  json["containments"] = playbook.containments;
  json["reads"] = playbook.reads;
  return json;
}

/// A run may wait for a question that no plan meets: those of the record count
/// too.
GivenConsent consent_of_resumed(const Globals& globals,
                                const ConsentOptions& typed,
                                const lua::LoadedPlaybook& playbook,
                                const GivenParameters& parameters,
                                const Deployment& deployment,
                                const std::vector<OpenQuestion>& open) {
  if (typed.answers.empty()) return check_consent(typed, {}, playbook.id);
  const lua::RunOutcome planned =
      make_plan(globals, playbook, parameters, &deployment);
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
    const std::string function = text_or(call, "function", "");
    is_guarded = is_guarded || function == "ask" || function == "contain" ||
                 function == "release";
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

}  // namespace

lua::ChildOptions child_options(const Globals& globals) {
  lua::ChildOptions options;
  options.cancellation = globals.cancellation;
  constexpr const char* kName = "IMPOUND_PLAYBOOK_SECONDS";
  const char* const said = std::getenv(kName);
  if (said == nullptr) return options;
  Parameter seconds{.name = kName, .type = ParameterType::integer};
  seconds.least = 1;
  try {
    const auto value = convert_value(seconds, said, Spelling::command_line, 0)
                           .get<std::int64_t>();
    const auto most =
        std::chrono::floor<std::chrono::seconds>(options.limits.wall);
    options.limits.wall =
        std::chrono::seconds(std::min<std::int64_t>(value, most.count()));
  } catch (const Error& error) {
    throw Error(Errc::bad_input, fmt::format("{}: {}", kName, error.what()));
  }
  return options;
}

void add_playbook_options(CLI::App& command, PlaybookOptions& options) {
  takes(ValueKind::playbook, command.add_option("playbook", options.playbook,
                                                "Id, folder, or playbook.lua."))
      ->required();
  takes(ValueKind::descriptor,
        command.add_option("--deployment", options.deployment,
                           "Descriptor of the deployment (TOML)."));
  takes(ValueKind::assignment,
        command.add_option("-p,--param", options.parameters,
                           "Parameter of the playbook, name=value."));
  command.add_flag("--active-harm", options.active_harm,
                   "Harm is going on: contain before evidence is taken "
                   "(parameter active_harm).");
}

ExitCode plan_playbook(const Globals& globals, const PlaybookOptions& options) {
  const auto playbook = lua::load_playbook(lua::find_playbook(options.playbook),
                                           child_options(globals));
  const GivenParameters parameters =
      given_parameters(globals, playbook, options);
  std::optional<Deployment> deployment;
  if (!options.deployment.empty()) {
    deployment = load_deployment(options.deployment);
  }
  const lua::RunOutcome outcome = make_plan(
      globals, playbook, parameters, deployment ? &*deployment : nullptr);
  std::optional<BaselineCheck> baseline;
  if (deployment)
    baseline = baseline_of_run(parameters.values, *deployment, outcome);
  const auto expected = expected_questions(playbook, outcome);
  if (globals.json) {
    Json document;
    document["playbook"] = playbook.id;
    document["version"] = playbook.version;
    document["sha256"] = playbook.sha256;
    document["permissions"] = permissions(playbook);
    document["parameters"] = parameters.values.json();
    document["state"] = to_string(outcome.state);
    document["message"] = lossless_utf8(outcome.message);
    document["isolation"] = outcome.isolation;
    document["acts"] = plan_json(outcome);
    document["baseline"] = baseline ? baseline->to_json() : Json(nullptr);
    document["questions"] = Json::array();
    for (const ExpectedQuestion& one : expected) {
      document["questions"].push_back(one.to_json());
    }
    print_json(document);
  } else {
    std::string text =
        fmt::format("{} {}: {}\neffect: {}\n{}\n", playbook.id,
                    playbook.version, printable(playbook.title),
                    to_string(playbook.effect), reads_line(playbook));
    std::vector<std::vector<std::string>> rows;
    std::string step;
    for (const lua::PlannedAct& act : outcome.plan) {
      rows.push_back(
          {act.step == step ? "" : act.step, printable(act.sentence)});
      step = act.step;
    }
    text += format_table(rows);
    if (!outcome.message.empty()) text += printable(outcome.message) + "\n";
    text += "\n" + touches_text(outcome);
    text += "\n" + consent_text(expected);
    text +=
        "\nNothing was changed. What depends on evidence is not known yet.\n";
    print_text(globals, text);
  }
  // A run would be refused for the same reason, in the same words.
  require_not_refused(outcome);
  if (baseline) baseline->require_usable();
  return outcome.state == lua::RunState::failed ? ExitCode::failed
                                                : ExitCode::clean;
}

ExitCode start_run(const Globals& globals, const PlaybookOptions& options) {
  const auto playbook = lua::load_playbook(lua::find_playbook(options.playbook),
                                           child_options(globals));
  const GivenParameters parameters =
      given_parameters(globals, playbook, options);
  if (options.deployment.empty()) {
    throw Error(Errc::bad_input, "run needs --deployment");
  }
  const Deployment deployment = load_deployment(options.deployment);
  const lua::RunOutcome planned =
      make_plan(globals, playbook, parameters, &deployment);
  require_not_refused(planned);
  const GivenConsent consent = check_consent(
      options.consent, questions_of(expected_questions(playbook, planned)),
      playbook.id);
  const Json plan = plan_json(planned);
  const auto baseline = baseline_of_run(parameters.values, deployment, planned);
  if (baseline) {
    baseline->require_usable();
    print_note(globals, baseline->sentence() + ".");
  }

  OpenCase open(globals, Events::stream);
  Session& session = open.session();
  EntryDraft start = session.draft("playbook.start");
  start.purpose = playbook.title;
  start.detail["playbook"] = playbook.id;
  start.detail["version"] = playbook.version;
  start.detail["playbook_sha256"] = playbook.sha256;
  start.detail["folder"] =
      lossless_utf8(std::filesystem::absolute(playbook.folder).native());
  start.detail["parameters"] = parameters.values.json();
  start.detail["given"] = parameters.reach.to_json();
  start.detail["permissions"] = permissions(playbook);
  start.detail["plan_sha256"] = sha256(dump_line(plan)).hex();
  start.detail["plan"] = plan;
  start.detail["journal"] = kBoundJournal;
  start.detail["library_sha256"] = lua::library_sha256();
  start.detail["deployment_file"] = file_facts(options.deployment);
  start.detail["deployment"] = deployment.name;
  start.detail["target"] = deployment_to_json(deployment);
  start.detail["active_harm"] = options.active_harm;
  if (baseline) start.detail["baseline"] = baseline->to_json();
  session.run = open.file().reserve_run(start, session.examiner).run;
  Json event;
  event["event"] = "run";
  event["run"] = session.run;
  event["case"] = open.file().id();
  event["playbook"] = playbook.id;
  event["version"] = playbook.version;
  event["deployment"] = deployment.name;
  open.progress().event(event);
  print_note(globals,
             fmt::format("Run {} of {} {} in case {}", session.run, playbook.id,
                         playbook.version, open.file().id()));
  return drive(globals, open,
               {.playbook = playbook,
                .deployment = deployment,
                .parameters = parameters.values,
                .given = parameters.reach,
                .key_file = globals.key_file,
                .consent = consent,
                .may_ask = is_at_terminal(globals)},
               "",
               EvidenceLock(open.file().folder() / "evidence", session.run));
}

ExitCode resume_run(const Globals& globals, const std::string& run,
                    const ConsentOptions& typed, const std::string& retry) {
  OpenCase open(globals, Events::stream);
  Session& session = open.session();
  std::optional<Json> start;
  for (const Entry& entry : open.file().entries()) {
    if (text_or(entry.json, "action", "") == "playbook.start" &&
        text_or(entry.json, "run", "") == run) {
      start = entry.json.at("detail");
      break;
    }
  }
  if (!start) {
    throw Error(Errc::bad_input, fmt::format("case {} has no run \"{}\"",
                                             open.file().id(), printable(run)));
  }
  // Before anything is recorded or looked at: who comes second finds the run
  // as the first one left it.
  auto lock = EvidenceLock::try_take(open.file().folder() / "evidence", run);
  if (!lock) {
    throw Error(Errc::io,
                fmt::format("{} is being run by another process: wait for its "
                            "end, or end it there (Ctrl-C), then resume it",
                            run));
  }
  for (const RunRow& row : open.file().runs()) {
    const bool is_over =
        row.state == "aborted" || (row.state == "done" && retry.empty());
    if (row.id == run && is_over) {
      throw Error(Errc::bad_input,
                  fmt::format("run {} is {}: there is nothing to resume", run,
                              row.state));
    }
  }
  const std::string source = "playbook.start of " + run;
  require_sound_record(open.file(), run, *start);
  const Json changed = changed_deployment(*start, source);
  if (!changed.is_null()) {
    print_note(globals, text_or(changed, "text", ""));
  }
  const auto playbook = lua::load_playbook(
      from_lossless_utf8(require_text(*start, "folder", source)),
      child_options(globals));
  const Deployment deployment =
      deployment_from_json(require_key(*start, "target", source), source);
  if (start->contains("baseline")) {
    const Json& named = start->at("baseline");
    BaselineCheck check =
        check_baseline(from_lossless_utf8(require_text(named, "path", source)));
    if (text_or(named, "kind", "") == to_string(BaselineKind::dataset)) {
      check.use = BaselineUse::whatever_differs;  // as it was when it started
    }
    check.require_usable();
  }
  GivenParameters parameters;
  parameters.values =
      arguments_for(playbook, require_key(*start, "parameters", source),
                    Spelling::values, globals.clock.now());
  parameters.reach =
      recorded_reach(*start, playbook, parameters.values, source);
  const GivenConsent consent =
      consent_of_resumed(globals, typed, playbook, parameters, deployment,
                         open_questions(open.file(), run));
  session.run = run;
  EntryDraft again = session.draft("playbook.start");
  again.purpose = "resume";
  again.detail = *start;
  again.detail["resumed"] = true;
  if (!changed.is_null()) again.detail["deployment_changed"] = changed;
  std::optional<EntryDraft> attempts;
  if (!retry.empty()) attempts = retry_note(session, retry);
  open.file().append({again}, session.examiner);
  if (attempts) open.file().append({*attempts}, session.examiner);
  return drive(globals, open,
               {.playbook = playbook,
                .deployment = deployment,
                .parameters = parameters.values,
                .given = parameters.reach,
                .key_file = globals.key_file,
                .consent = consent,
                .may_ask = is_at_terminal(globals)},
               require_text(*start, "playbook_sha256", source), *lock);
}

}  // namespace impound
