// SPDX-License-Identifier: Apache-2.0
#include "core/engine/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_moment.hpp"
#include "core/casefile/signers.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/questions.hpp"
#include "core/evidence/finding_words.hpp"

namespace impound {
namespace {

/// Everything that status asks of entries; acquire.file is left out, which is
/// nearly all of a chain.
constexpr std::array<std::string_view, 9> kActions{
    "playbook.start",   "playbook.step", "playbook.end",
    "approval.request", "approval.deny", "note",
    "isolate.apply",    "isolate.undo",  "acquire.end"};

/// A process that starts a run writes its first entry before it can take the
/// lock that bears the run's number. For so long a missing lock says nothing.
constexpr int kLockSettlesMs = 50;
constexpr std::int64_t kNewNs = 1'000'000'000;

/// What the chain says of a run's life.
enum class RunStanding : std::uint8_t {
  running,
  interrupted,
  waiting,
  done,
  failed,
  aborted,
  other,  ///< a word that this build does not know
};

RunStanding standing_of(std::string_view state) {
  constexpr std::array<std::pair<std::string_view, RunStanding>, 6> kStates{{
      {"running", RunStanding::running},
      {"interrupted", RunStanding::interrupted},
      {"waiting", RunStanding::waiting},
      {"done", RunStanding::done},
      {"failed", RunStanding::failed},
      {"aborted", RunStanding::aborted},
  }};
  for (const auto& [name, standing] : kStates) {
    if (name == state) return standing;
  }
  return RunStanding::other;
}

/// Whether the process of a run or an exhibit still works on it.
enum class Holder : std::uint8_t { works, gone, unknown };

struct HolderState {
  Holder holder = Holder::gone;
  std::string why;  ///< of unknown
};

using Holders = std::map<std::string, HolderState>;  // by "R001", "E003"

HolderState holder_of(const fs::path& evidence, const std::string& subject) {
  try {
    return {
        EvidenceLock::is_held(evidence, subject) ? Holder::works : Holder::gone,
        ""};
  } catch (const Error& error) {
    return {Holder::unknown, error.what()};
  }
}

const Json& detail_of(const Entry& entry) {
  static const Json kNone = Json::object();
  const auto detail = entry.json.find("detail");
  return detail == entry.json.end() || !detail->is_object() ? kNone : *detail;
}

std::string action_of(const Entry& entry) {
  return text_or(entry.json, "action", "");
}

std::string run_of(const Entry& entry) {
  return text_or(entry.json, "run", "");
}

std::string actor_of(const Entry& entry) {
  const auto actor = entry.json.find("actor");
  return actor == entry.json.end() ? "" : text_or(*actor, "name", "");
}

/// What was read of one moment.
struct Facts : CaseMoment {
  [[nodiscard]] const RunRow* run(std::string_view id) const {
    const auto found = std::ranges::find(runs, id, &RunRow::id);
    return found == runs.end() ? nullptr : &*found;
  }
  /// The newest of these entries that `is` holds for; null if none does.
  template <typename Is>
  [[nodiscard]] const Entry* newest(Is is) const {
    const Entry* newest = nullptr;
    for (const Entry& entry : entries) {
      if (is(entry)) newest = &entry;
    }
    return newest;
  }
};

Facts read_facts(const CaseFile& case_file) {
  return {read_moment(case_file.folder(), kActions)};
}

const Entry* end_of(const Facts& facts, const std::string& run) {
  return facts.newest([&](const Entry& entry) {
    return action_of(entry) == "playbook.end" && run_of(entry) == run;
  });
}

/// What the run itself said was not done; runs of older builds said nothing.
std::vector<std::string> not_done_by(const Facts& facts,
                                     const std::string& run) {
  std::vector<std::string> reasons;
  const Entry* end = end_of(facts, run);
  if (end == nullptr) return reasons;
  const auto list = detail_of(*end).find("incomplete");
  if (list == detail_of(*end).end() || !list->is_array()) return reasons;
  for (const Json& reason : *list) {
    if (reason.is_string()) reasons.push_back(reason.get<std::string>());
  }
  return reasons;
}

/// The verdict of the newest run about a deployment, if it clears it and no
/// other run of the case found anything.
std::optional<std::pair<std::string, std::string>> cleared_by(
    const Facts& facts, const std::string& deployment) {
  const RunRow* newest = nullptr;
  for (const RunRow& run : facts.runs) {
    if (run.deployment == deployment &&
        standing_of(run.state) != RunStanding::aborted) {
      newest = &run;
    }
  }
  if (newest == nullptr || standing_of(newest->state) != RunStanding::done ||
      !not_done_by(facts, newest->id).empty()) {
    return std::nullopt;
  }
  std::string verdict;
  for (const FindingRow& finding : facts.findings) {
    // One playbook may clear what another found: only if nobody found anything
    // is the deployment called cleared.
    const RunRow* run = facts.run(finding.run);
    if (run == nullptr || run->deployment != deployment) continue;
    const auto known = finding_verdict_from(finding.verdict);
    if (!known || !is_cleared(*known)) return std::nullopt;
    if (finding.run == newest->id) verdict = finding.verdict;
  }
  if (verdict.empty()) return std::nullopt;
  return std::pair(newest->id, verdict);
}

std::vector<OpenContainment> contained_of(const Facts& facts,
                                          std::vector<ContainmentNow> measured,
                                          const fs::path& folder) {
  std::vector<OpenContainment> open;
  for (ContainmentNow& now : measured) {
    OpenContainment one;
    one.run = now.row.run;
    const Entry* intent = facts.newest([&](const Entry& entry) {
      return text_or(entry.json, "id", "") == now.row.id;
    });
    if (intent != nullptr) one.by = actor_of(*intent);
    if (auto cleared = cleared_by(facts, now.row.deployment)) {
      std::tie(one.cleared_by, one.cleared_as) = std::move(*cleared);
    }
    one.next =
        next_command(folder, {"release", "--deployment", now.row.deployment});
    one.now = std::move(now);
    open.push_back(std::move(one));
  }
  return open;
}

void ask_for_answer(WaitingRun& waiting, const Question& question,
                    const fs::path& folder) {
  waiting.waits_for = WaitsFor::answer;
  waiting.question = question.id;
  waiting.text = question.text;
  waiting.choices = question.choices;
  waiting.default_choice = question.otherwise.value_or("");
  const auto command = [&](const std::string& answer) {
    return next_command(folder, {"answer", waiting.run, question.id, answer});
  };
  // A script that runs `next` unread says no more than Enter would.
  std::string first;
  for (const std::string& choice : waiting.choices) {
    waiting.commands.push_back(command(choice));
    if (choice == waiting.default_choice) first = waiting.commands.back();
  }
  if (waiting.choices.empty()) {
    waiting.commands.push_back(
        command(question.otherwise.value_or("YOUR ANSWER")));
    if (question.otherwise) first = waiting.commands.back();
  }
  // Without a default nobody answers for a person: resuming asks again.
  waiting.next = first.empty() ? waiting.then : first + " && " + waiting.then;
}

void ask_for_approval(WaitingRun& waiting, const OpenApproval& open,
                      const fs::path& folder) {
  waiting.waits_for = WaitsFor::approval;
  waiting.question = "approval";
  waiting.text = open.what;
  waiting.approvals_missing = open.missing;
  waiting.starter = open.requester;
  waiting.next = next_command(
      folder, {"approve", waiting.run.empty() ? open.request : waiting.run,
               "--reason", "WHY IT MAY"});
  waiting.commands.push_back(waiting.next);
  if (!waiting.then.empty()) waiting.next += " && " + waiting.then;
}

/// The newest word about approvals of a run, if it is a denial.
const Entry* denial_of(const Facts& facts, const std::string& run) {
  const Entry* newest = facts.newest([&](const Entry& entry) {
    const std::string action = action_of(entry);
    return run_of(entry) == run &&
           (action == "approval.request" || action == "approval.deny");
  });
  return newest != nullptr && action_of(*newest) == "approval.deny" ? newest
                                                                    : nullptr;
}

WaitingRun waiting_of(const CaseFile& case_file, const Facts& facts,
                      const RunRow& run,
                      const std::vector<OpenApproval>& approvals) {
  const fs::path& folder = case_file.folder();
  WaitingRun waiting;
  waiting.run = run.id;
  waiting.playbook = run.playbook;
  waiting.deployment = run.deployment;
  waiting.since = run.ended_at;
  waiting.then = next_command(folder, {"resume", run.id});
  if (const Entry* denial = denial_of(facts, run.id)) {
    waiting.waits_for = WaitsFor::abort;
    waiting.question = "approval";
    waiting.text = fmt::format(
        "denied by {}: {}", actor_of(*denial),
        from_lossless_utf8(text_or(detail_of(*denial), "reason", "")));
    waiting.then.clear();
    waiting.next = next_command(
        folder, {"abort", run.id, "--reason", "its approval was denied"});
    waiting.commands.push_back(waiting.next);
    return waiting;
  }
  const auto approval =
      std::ranges::find(approvals, run.id, &OpenApproval::run);
  if (approval != approvals.end()) {
    ask_for_approval(waiting, *approval, folder);
    return waiting;
  }
  for (const OpenQuestion& open : open_questions(case_file, run.id)) {
    if (open.given) continue;
    ask_for_answer(waiting, open.question, folder);
    return waiting;
  }
  waiting.waits_for = WaitsFor::resume;
  waiting.next = std::exchange(waiting.then, {});
  waiting.commands.push_back(waiting.next);
  return waiting;
}

/// An act by hand that waits for approvals; whoever asked gives the same
/// command again.
WaitingRun waiting_by_hand(const OpenApproval& open, const fs::path& folder) {
  WaitingRun waiting;
  ask_for_approval(waiting, open, folder);
  return waiting;
}

std::vector<OpenApproval> approvals_of(const CaseFile& case_file,
                                       const Facts& facts, TimeNs now) {
  const bool any = std::ranges::any_of(facts.entries, [](const Entry& entry) {
    return action_of(entry) == "approval.request";
  });
  return any ? open_approvals(case_file, now) : std::vector<OpenApproval>{};
}

/// The steps of a run that did not end as done or skipped, as the newest
/// attempt recorded them. A step that began and has no end is one of them.
std::vector<StepNotDone> steps_not_done(const Facts& facts,
                                        const std::string& run) {
  std::vector<StepNotDone> steps;  // in the order they were begun first
  std::map<std::string, bool> is_done;
  for (const Entry& entry : facts.entries) {
    if (action_of(entry) != "playbook.step" || run_of(entry) != run) continue;
    const Json& detail = detail_of(entry);
    const std::string id = text_or(entry.json, "step", "");
    auto step = std::ranges::find(steps, id, &StepNotDone::step);
    if (step == steps.end()) {
      step =
          steps.insert(steps.end(), {.step = id, .result = {}, .reason = {}});
    }
    if (text_or(detail, "phase", "") == "start") {
      step->result = "begun";
      step->reason = "no entry says how it ended";
      is_done[id] = false;
      continue;
    }
    const auto outcome = outcome_from(text_or(entry.json, "outcome", ""));
    step->result = text_or(detail, "result", "");
    step->reason = text_or(detail, "reason", "");
    // Version 1 wrote "missing" of a step whose condition was false.
    is_done[id] = outcome == Outcome::ok || outcome == Outcome::skipped ||
                  outcome == Outcome::missing;
  }
  std::erase_if(steps,
                [&](const StepNotDone& step) { return is_done[step.step]; });
  return steps;
}

/// A new run of the same playbook with the same parameters: what a run that
/// ended cannot do any more.
std::string run_again(const Facts& facts, const RunRow& run,
                      const fs::path& folder) {
  const Entry* start = facts.newest([&](const Entry& entry) {
    return action_of(entry) == "playbook.start" && run_of(entry) == run.id;
  });
  if (start == nullptr) return {};
  const Json& detail = detail_of(*start);
  const auto target = detail.find("target");
  if (target == detail.end()) return {};
  const std::string playbook =
      from_lossless_utf8(text_or(detail, "folder", run.playbook));
  std::vector<std::string> words{
      "run", playbook, "--deployment",
      from_lossless_utf8(text_or(*target, "descriptor", ""))};
  if (run.parameters.is_object()) {
    for (const auto& [name, value] : run.parameters.items()) {
      if (value == Json(false) || value == Json("") || value.is_null())
        continue;
      words.emplace_back("-p");
      words.push_back(
          name + "=" +
          (value.is_string() ? value.get<std::string>() : dump_line(value)));
    }
  }
  return next_command(folder, words);
}

/// What the run said at its end, without what its steps say themselves.
std::string reason_of_end(const Facts& facts, const std::string& run) {
  const Entry* end = end_of(facts, run);
  if (end == nullptr) return {};
  std::string reason = text_or(detail_of(*end), "reason", "");
  for (const std::string& one : not_done_by(facts, run)) {
    if (one.starts_with("step ")) continue;
    reason += (reason.empty() ? "" : "; ") + one;
  }
  return reason;
}

/// "R001 of weights-tampering (support-llm)".
std::string name_of(const RunRow& run) {
  return fmt::format("{} of {} ({})", run.id, run.playbook, run.deployment);
}

/// How a run that ended or was cut off is taken up again.
enum class TakenUp : std::uint8_t { resumed, run_again, never };

IncompleteThing incomplete_run(const Facts& facts, const RunRow& run,
                               const fs::path& folder, std::string what,
                               TakenUp how) {
  const std::string reason = reason_of_end(facts, run.id);
  if (!reason.empty()) what += ": " + reason;
  IncompleteThing thing;
  thing.kind = IncompleteKind::run;
  thing.subject = run.id;
  thing.what = name_of(run) + " " + what;
  thing.steps = steps_not_done(facts, run.id);
  switch (how) {
    case TakenUp::resumed:
      thing.next_does = "goes on where it stopped";
      thing.next = next_command(folder, {"resume", run.id});
      break;
    case TakenUp::run_again:
      thing.next_does = "does the same again, as a new run";
      thing.next = run_again(facts, run, folder);
      break;
    case TakenUp::never:
      break;
  }
  return thing;
}

/// A failure that the run recorded is its recorded answer: going on repeats it.
/// A run that was ended from outside has none.
TakenUp after_failure(const Facts& facts, const RunRow& run) {
  const bool has_failed =
      std::ranges::any_of(facts.entries, [&](const Entry& entry) {
        return action_of(entry) == "playbook.step" && run_of(entry) == run.id &&
               outcome_from(text_or(entry.json, "outcome", "")) ==
                   Outcome::failed;
      });
  return has_failed ? TakenUp::run_again : TakenUp::resumed;
}

/// What runs are open: sorts each of them under waiting, incomplete, running.
void sort_runs(CaseStatus& status, const CaseFile& case_file,
               const Facts& facts, const Holders& holders) {
  const fs::path& folder = case_file.folder();
  const auto approvals = approvals_of(case_file, facts, status.measured_at);
  for (const OpenApproval& open : approvals) {
    if (!open.run.empty()) continue;
    status.waiting.push_back(waiting_by_hand(open, folder));
  }
  for (const RunRow& run : facts.runs) {
    const auto add = [&](std::string what, TakenUp how) {
      status.incomplete.push_back(
          incomplete_run(facts, run, folder, std::move(what), how));
    };
    switch (standing_of(run.state)) {
      case RunStanding::running: {
        const HolderState& state = holders.at(run.id);
        if (state.holder == Holder::works) {
          status.running.push_back(
              {run.id,
               name_of(run) + " is at work: its process holds its lock"});
        } else if (state.holder == Holder::gone) {
          add("did not end, and no process holds its lock: it was cut off",
              TakenUp::resumed);
        } else {
          add("did not end; whether a process still works on it is not "
              "known: " +
                  state.why,
              TakenUp::resumed);
        }
        break;
      }
      case RunStanding::waiting:
        status.waiting.push_back(waiting_of(case_file, facts, run, approvals));
        break;
      case RunStanding::interrupted:
        add("was interrupted", TakenUp::resumed);
        break;
      case RunStanding::failed:
        add("failed", after_failure(facts, run));
        break;
      case RunStanding::done:
        if (!steps_not_done(facts, run.id).empty() ||
            !not_done_by(facts, run.id).empty()) {
          add("ended incomplete", TakenUp::run_again);
        }
        break;
      case RunStanding::aborted:
        break;  // a person ended it
      case RunStanding::other:
        add(fmt::format("is \"{}\", which this build does not know", run.state),
            TakenUp::never);
        break;
    }
  }
}

/// An exhibit that the chain began and no process works on.
IncompleteThing unsealed(const CaseFile& case_file, const ExhibitRow& row,
                         const HolderState& state) {
  const fs::path bundle =
      case_file.folder() / "evidence" / (row.id + ".tar.zst");
  std::string what =
      fmt::format("{} ({}) was begun at {} and never sealed", row.id,
                  from_lossless_utf8(row.title), to_the_second(row.begun_at));
  if (state.holder == Holder::unknown) {
    what += "; whether a process still works on it is not known: " + state.why;
  } else {
    what +=
        stat_path(bundle, Links::refuse)
            ? ", and no process holds its lock; a bundle of it is on disk, not "
              "verified yet"
            : ", and no process holds its lock";
  }
  return {.kind = IncompleteKind::exhibit,
          .subject = row.id,
          .what = std::move(what),
          .steps = {},
          .next_does = "repairs what it can",
          .next = next_command(case_file.folder(), {"case", "check"})};
}

void sort_exhibits(CaseStatus& status, const CaseFile& case_file,
                   const Facts& facts, const Holders& holders) {
  for (const ExhibitRow& row : facts.exhibits) {
    if (row.state == "begun") {
      const HolderState& state = holders.at(row.id);
      if (state.holder == Holder::works) {
        status.running.push_back(
            {row.id, row.id + " is being written: its process holds its lock"});
      } else {
        status.incomplete.push_back(unsealed(case_file, row, state));
      }
      continue;
    }
    const std::string title = from_lossless_utf8(row.title);
    if (row.state == "failed") {
      const Entry* end = facts.newest([&](const Entry& entry) {
        return action_of(entry) == "acquire.end" &&
               text_or(entry.json, "item", "") == row.id;
      });
      const std::string reason =
          end == nullptr ? "" : text_or(detail_of(*end), "reason", "");
      status.incomplete.push_back(
          {.kind = IncompleteKind::exhibit,
           .subject = row.id,
           .what = fmt::format("{} ({}) failed{}{}", row.id, title,
                               reason.empty() ? "" : ": ", reason),
           .steps = {},
           .next_does = {},
           .next = {}});
    } else if (const auto outcome = outcome_from(row.outcome);
               outcome != Outcome::ok && outcome != Outcome::empty) {
      status.incomplete.push_back(
          {.kind = IncompleteKind::exhibit,
           .subject = row.id,
           .what = fmt::format(
               "{} ({}) was sealed with the outcome {}: {} items, {} gaps",
               row.id, title, row.outcome, row.items, row.gaps),
           .steps = {},
           .next_does = "lists what there is",
           .next =
               next_command(case_file.folder(), {"exhibit", "show", row.id})});
    }
  }
}

/// Gaps by run, and by hand under an empty name. Acquisitions without a seal
/// stand by themselves already; see sort_exhibits().
void count_gaps(CaseStatus& status, const Facts& facts,
                const fs::path& folder) {
  std::map<std::string, std::size_t> by_run;
  for (const Json& gap : facts.gaps) {
    if (text_or(gap, "kind", "") == "unsealed") continue;
    ++by_run[text_or(gap, "run", "")];
  }
  for (const auto& [run, count] : by_run) {
    status.incomplete.push_back(
        {.kind = IncompleteKind::gaps,
         .subject = run,
         .what = fmt::format("{}: {} not obtained, or not whole",
                             run.empty() ? "taken by hand" : run,
                             count == 1 ? std::string("1 thing was")
                                        : fmt::format("{} things were", count)),
         .steps = {},
         .next_does = "lists them",
         .next = next_command(folder, {"custody", "gaps"})});
  }
}

/// How far giving it back got, of a containment that is still open; empty if
/// nobody tried.
std::string_view attempt_of(ContainmentState state) {
  switch (state) {
    case ContainmentState::releasing:
      return "was begun, and its end was never recorded";
    case ContainmentState::release_failed:
      return "failed: it was not proved to be back";
    case ContainmentState::rolling_back:
      return "after a containment that failed was begun, and its end was never "
             "recorded";
    case ContainmentState::rollback_failed:
      return "after a containment that failed was not measured to have worked";
    case ContainmentState::intended:
    case ContainmentState::applied:
    case ContainmentState::contained:
    case ContainmentState::rolled_back:
    case ContainmentState::released:
      return {};
  }
  return {};
}

/// What was tried to be given back, and is not proved to be.
void add_failed_releases(CaseStatus& status, const Facts& facts) {
  for (const OpenContainment& open : status.contained) {
    const std::string_view attempt = attempt_of(open.now.row.state);
    if (attempt.empty()) continue;
    const Entry* undo = facts.newest([&](const Entry& entry) {
      return action_of(entry) == "isolate.undo" &&
             text_or(detail_of(entry), "intent", "") == open.now.row.id;
    });
    std::string what =
        fmt::format("giving back {} {}", open.now.row.deployment, attempt);
    if (undo != nullptr) {
      what += fmt::format(" (at {}, by {})",
                          to_the_second(text_or(undo->json, "ts", "")),
                          actor_of(*undo));
      // "reason" of a rollback says why the containment failed.
      std::string reason = text_or(detail_of(*undo), "why", "");
      if (reason.empty()) reason = text_or(detail_of(*undo), "error", "");
      if (!reason.empty()) what += ": " + reason;
    }
    status.incomplete.push_back({.kind = IncompleteKind::release,
                                 .subject = open.now.row.deployment,
                                 .what = std::move(what),
                                 .steps = {},
                                 .next_does = "tries again",
                                 .next = open.next});
  }
}

/// Files of evidence/ that belong to no exhibit of the chain.
void add_strays(CaseStatus& status, const Facts& facts,
                const fs::path& folder) {
  const auto names = list_directory(folder / "evidence");
  if (!names) {
    status.incomplete.push_back(
        {.kind = IncompleteKind::stray,
         .subject = "evidence/",
         .what = "evidence/ cannot be read: " + names.failure().message(),
         .steps = {},
         .next_does = {},
         .next = {}});
    return;
  }
  for (const std::string& name : *names) {
    if (name == "aside" || name.ends_with(".lock")) continue;
    const std::string id = name.substr(0, name.find('.'));
    if (std::ranges::find(facts.exhibits, id, &ExhibitRow::id) !=
        facts.exhibits.end()) {
      continue;
    }
    status.incomplete.push_back(
        {.kind = IncompleteKind::stray,
         .subject = name,
         .what =
             fmt::format("{} lies in evidence/ and no entry mentions it", name),
         .steps = {},
         .next_does = "says more",
         .next = next_command(folder, {"case", "check"})});
  }
}

void add_unvouched(CaseStatus& status, const CaseFile& case_file) {
  const SignerRoll roll = case_file.signers();
  if (!roll.asks_for_vouching()) return;
  for (const Signer& signer : roll.all()) {
    if (signer.standing != Standing::unvouched) continue;
    status.unvouched.push_back(
        {.fingerprint = signer.fingerprint,
         .name = signer.name,
         .since = signer.since,
         .next = next_command(case_file.folder(), {"case", "signer", "vouch",
                                                   signer.fingerprint})});
  }
}

/// Who holds the lock of what the chain says is not ended.
Holders holders_of(const Facts& facts, const fs::path& evidence) {
  Holders holders;
  for (const RunRow& run : facts.runs) {
    if (standing_of(run.state) == RunStanding::running) {
      holders.emplace(run.id, holder_of(evidence, run.id));
    }
  }
  for (const ExhibitRow& row : facts.exhibits) {
    if (row.state == "begun") {
      holders.emplace(row.id, holder_of(evidence, row.id));
    }
  }
  return holders;
}

bool is_gone(const Holders& holders, const std::string& subject) {
  const auto found = holders.find(subject);
  return found != holders.end() && found->second.holder == Holder::gone;
}

bool was_written_just_now(const Facts& facts, const Clock& clock) {
  if (facts.entries.empty()) return false;
  const auto at = parse_time(text_or(facts.entries.back().json, "ts", ""));
  return at && clock.now() >= *at && clock.now() - *at < kNewNs;
}

/// The chain, and the locks as they were just after it was read. Whoever works
/// writes the end and then gives up the lock: what has no lock at first, and
/// still no end and no lock when the chain is read again, was cut off.
std::pair<Facts, Holders> read_settled(const CaseFile& case_file,
                                       const Clock& clock) {
  const fs::path evidence = case_file.folder() / "evidence";
  Facts facts = read_facts(case_file);
  Holders first = holders_of(facts, evidence);
  const bool any_gone = std::ranges::any_of(
      first, [&](const auto& one) { return is_gone(first, one.first); });
  if (!any_gone) return {std::move(facts), std::move(first)};
  if (was_written_just_now(facts, clock)) pause_ms(kLockSettlesMs);
  facts = read_facts(case_file);
  Holders second = holders_of(facts, evidence);
  for (auto& [subject, state] : second) {
    // Begun between the two readings.
    if (state.holder == Holder::gone && !is_gone(first, subject)) {
      state.holder = Holder::works;
    }
  }
  return {std::move(facts), std::move(second)};
}

}  // namespace

CaseStatus status_of(const CaseFile& case_file,
                     std::span<const Containment* const> methods,
                     const Clock& clock, const Cancellation& cancellation) {
  const auto [facts, holders] = read_settled(case_file, clock);
  CaseStatus status;
  status.case_id = facts.summary.id;
  status.folder = case_file.folder();
  status.title = facts.summary.title;
  status.closed_at = facts.summary.closed_at;
  status.measured_at = clock.now();
  status.containments_begun = facts.containments.size();
  status.contained = contained_of(
      facts, measure_containments(case_file, methods, clock, cancellation),
      case_file.folder());
  add_failed_releases(status, facts);
  sort_runs(status, case_file, facts, holders);
  sort_exhibits(status, case_file, facts, holders);
  count_gaps(status, facts, case_file.folder());
  add_strays(status, facts, case_file.folder());
  add_unvouched(status, case_file);
  return status;
}

CaseStatus status_of_folder(const fs::path& folder,
                            std::span<const Containment* const> methods,
                            const Clock& clock,
                            const Cancellation& cancellation) {
  CaseStatus status;
  status.case_id = folder.filename().native();
  status.folder = folder;
  status.measured_at = clock.now();
  try {
    const CaseFile case_file(folder, CaseMode::read_only, clock);
    return status_of(case_file, methods, clock, cancellation);
  } catch (const std::exception& error) {
    // A foreign file may hold anything where ours hold what we wrote; no such
    // folder may end the listing of all others.
    status.problem = error.what();
  }
  return status;
}

}  // namespace impound
