// SPDX-License-Identifier: Apache-2.0
#include "core/engine/contain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/deployment_record.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/places.hpp"
#include "core/evidence/exchange.hpp"

namespace impound {
namespace {

constexpr std::string_view kState = "state";
constexpr std::string_view kProbes = "probes";
constexpr std::string_view kConnections = "connections";
constexpr std::string_view kLaterRequest = "later request";

constexpr const char* kOthersHold =
    "the methods that were applied before still hold";

/// One containment while it is under way.
struct Act {
  Session& session;
  const ContainRequest& request;
  const Target& target;
  const Isolation& isolation;
  HoldRegister& holds;
  bool& has_begun;  ///< the intent is recorded: something may have changed
};

ContainResult result_of(const Act& act, ContainEnd end) {
  ContainResult result;
  result.deployment = act.request.deployment.name;
  result.method = act.request.method.name;
  result.case_folder = act.session.case_file.folder();
  result.end = end;
  return result;
}

Json acts_json(const std::vector<PlannedAct>& acts) {
  Json list = Json::array();
  for (const PlannedAct& one : acts) {
    list.push_back({{"what", lossless_utf8(one.what)},
                    {"peer", lossless_utf8(one.peer)},
                    {"request", lossless_utf8(one.request)},
                    {"body", lossless_utf8(one.body)}});
  }
  return list;
}

Json proofs_json(const std::vector<ProofPart>& proofs) {
  Json list = Json::array();
  for (const ProofPart& one : proofs) {
    list.push_back({{"what", one.what},
                    {"shown", to_string(one.shown)},
                    {"why", lossless_utf8(one.why)},
                    {"from", lossless_utf8(one.from)}});
  }
  return list;
}

/// Which of several methods an entry is about.
void put_part(const Act& act, EntryDraft& draft) {
  const ContainPart& part = act.request.part;
  if (!part.is_one_of_several()) return;
  draft.detail["part"] = {{"number", part.number}, {"of", part.of}};
}

/// Probes are judged when the last of several methods is applied.
ProbeJudgements judge(const Act& act,
                      const std::vector<ProbeResult>& probes_before) {
  ProbeJudgements judgements;
  if (act.request.part.is_last()) {
    return judge_containment(act.request.deployment, probes_before,
                             act.request.probe);
  }
  judgements.why_none = "they are asked when the last method is applied";
  return judgements;
}

/// The entry that says what was measured after a containment was asked for.
EntryDraft verify_draft(const Act& act, const ContainResult& result) {
  EntryDraft verify =
      isolation_draft(act.session, "isolate.verify", act.isolation);
  if (!result.intent.empty()) verify.refs = {result.intent};
  verify.detail["intent"] =
      result.intent.empty() ? Json(nullptr) : Json(result.intent);
  verify.detail["expect"] = "contained";
  verify.detail["probes"] = result.probes.to_json();
  verify.detail["state"] = result.state.to_json();
  if (result.later) verify.detail["later"] = result.later->to_json();
  if (result.is_contained()) {
    verify.detail["proofs"] = proofs_json(result.proofs());
  }
  put_part(act, verify);
  verify.detail["contained"] = result.is_contained();
  verify.detail["proof"] = to_string(result.proof());
  verify.detail["end"] = to_string(result.end);
  if (!result.reason.empty()) {
    verify.detail["reason"] = lossless_utf8(result.reason);
  }
  if (result.holder) verify.detail["held_by"] = result.holder->summary();
  verify.outcome = result.is_contained() ? Outcome::ok : Outcome::failed;
  return verify;
}

/// Appends the entry that ends a call, with its answer in the journal.
void record(const Act& act, const EntryDraft& draft,
            const ContainResult& result) {
  // Not contained because somebody stopped it: no answer, resume tries again.
  const bool is_attempt =
      !result.is_contained() && act.session.cancellation.requested();
  // Of several methods, contain_all() answers for the whole.
  act.session.case_file.append(
      {draft}, act.session.examiner,
      is_attempt || act.request.part.is_one_of_several()
          ? std::vector<JournalRow>{}
          : act.session.journal(result.to_json()));
}

std::string not_contained_reason(const ContainResult& result) {
  if (result.state.measured != Containedness::contained) {
    return fmt::format("measured as {}: {}", to_string(result.state.measured),
                       result.state.why);
  }
  return result.probes.unmet();
}

ContainEnd end_of(UndoEnd end) {
  switch (end) {
    case UndoEnd::back:
      return ContainEnd::rolled_back;
    case UndoEnd::still_held:
      return ContainEnd::rollback_failed;
    case UndoEnd::silent:
    case UndoEnd::unknown:
      break;
  }
  return ContainEnd::rollback_unknown;
}

/// The probes as they were before a containment of this case.
std::vector<ProbeResult> recorded_probes(const Act& act,
                                         const ContainmentRow& row) {
  const auto entries = act.session.case_file.entries(row.seq);
  return probes_from_json(
      entries.empty()
          ? Json()
          : entries.front().json.at("detail").value("probes", Json()),
      act.request.deployment);
}

Undone undo_row(const Act& act, const ContainmentRow& row,
                const std::vector<ProbeResult>& probes_before,
                const std::string& why) {
  return undo_and_measure(
      act.session,
      {.kind = UndoKind::rollback,
       .isolation = act.isolation,
       .target = act.target,
       .intent = row.id,
       .before = row.before,
       .probes_before = probes_before,
       .probe = act.request.probe,
       .why_no_probes = act.request.part.number == 1 ? "" : kOthersHold,
       .reason = why});
}

/// What is asked before anything is done.
struct Beforehand {
  std::vector<ProbeResult> probes;
  Json before;
  std::vector<PlannedAct> acts;
  Json exchanges = Json::array();
  std::string problem;  ///< why it cannot begin; "" if it can
};

/// @throws Error{bad_input} for what the caller got wrong.
Beforehand look(const Act& act) {
  Beforehand found;
  ExchangeLog log;
  Target asked = act.target;
  asked.exchanges = &log;
  const auto* const earlier = act.request.part.probes_before;
  try {
    found.probes = earlier != nullptr
                       ? *earlier
                       : run_probes(act.request.deployment, act.request.probe);
    found.before = act.request.method.before(asked);
    if (act.request.method.acts != nullptr) {
      found.acts = act.request.method.acts(asked, found.before);
    }
  } catch (const Error& error) {
    if (error.code() == Errc::bad_input) throw;
    found.problem = error.what();
  }
  found.exchanges = log.to_json();
  return found;
}

/// Contained by this case and still so: measured, not done again.
std::optional<ContainResult> held_already(const Act& act,
                                          const ContainmentRow& row,
                                          const MeasuredState& state) {
  if (row.state != ContainmentState::contained || !state.is_by_record ||
      state.measured != Containedness::contained) {
    return std::nullopt;
  }
  ContainResult result = result_of(act, ContainEnd::held_already);
  result.intent = row.id;
  result.since = row.at;
  result.before = row.before;
  result.state = state;
  result.probes = judge(act, recorded_probes(act, row));
  if (!result.is_contained()) result.reason = not_contained_reason(result);
  record(act, verify_draft(act, result), result);
  return result;
}

/// The open containments of this case that are about the same, newest first.
std::vector<ContainmentRow> own_rows(const Act& act) {
  auto rows = open_containments(act.session.case_file);
  std::erase_if(rows, [&](const ContainmentRow& row) {
    return row.deployment != act.request.deployment.name ||
           row.method != act.request.method.name;
  });
  std::ranges::reverse(rows);
  return rows;
}

/// What an earlier process left half done, and what the record calls contained
/// and the machine does not, is undone first: what is recorded as the state
/// before must be the state before. Empty if nothing stands in the way.
std::optional<ContainResult> settle(const Act& act, const ContainmentRow& row) {
  const MeasuredState state =
      measure(act.request.method, act.target, row.before);
  if (auto held = held_already(act, row, state)) return held;
  const std::string why =
      row.state == ContainmentState::contained
          ? fmt::format("no longer in force: measured as {}: {}",
                        to_string(state.measured), state.why)
          : fmt::format("left {} by a process that ended",
                        to_string(row.state));
  Undone undone = undo_row(act, row, recorded_probes(act, row), why);
  if (undone.end != UndoEnd::still_held || !undone.state.is_by_record) {
    act.session.case_file.append({undone.entry}, act.session.examiner);
    // What nobody could look at may stand still: its mark stays.
    if (undone.state.was_looked_at) act.holds.remove(row.id);
    return std::nullopt;
  }
  ContainResult result = result_of(act, ContainEnd::rollback_failed);
  result.intent = row.id;
  result.reason = "the earlier containment of " + row.at +
                  " is partly in force and could not be undone";
  result.state = std::move(undone.state);
  record(act, undone.entry, result);
  return result;
}

ContainResult not_begun(const Act& act, const Beforehand& now,
                        const std::vector<ContainmentRow>& settled) {
  ContainResult result = result_of(act, ContainEnd::not_begun);
  result.reason = now.problem;
  if (!settled.empty()) result.settled = settled.front().at;
  result.state = measure(act.request.method, act.target, Json::object());
  EntryDraft draft = verify_draft(act, result);
  if (!now.exchanges.empty()) draft.detail["exchanges"] = now.exchanges;
  record(act, draft, result);
  return result;
}

/// The record of another case that holds what we are about to contain. A record
/// may outlive its containment, so it is measured before it is believed.
std::optional<Hold> other_holder(const Act& act, const Json& before,
                                 const std::vector<ContainmentRow>& own) {
  const auto things = act.request.method.things(before);
  for (Hold& hold : act.holds.list().holds) {
    const bool is_own =
        std::ranges::find(own, hold.intent, &ContainmentRow::id) != own.end();
    // What another method holds, ours cannot measure.
    if (is_own || hold.method != act.request.method.name ||
        !share_a_thing(hold.things, things)) {
      continue;
    }
    const MeasuredState state =
        measure(act.request.method, act.target, hold.before);
    if (state.is_by_record && state.holds_something) return std::move(hold);
    // Ended by nobody who said so: once we hold the same, it would be taken for
    // another holder. The record of its case stays as it is.
    if (is_back(state)) act.holds.remove(hold.intent);
  }
  return std::nullopt;
}

ContainResult held_elsewhere(const Act& act, const Json& before,
                             std::optional<Hold> holder, MeasuredState state,
                             const std::vector<ProbeResult>& probes_before) {
  ContainResult result = result_of(act, ContainEnd::held_elsewhere);
  result.holder = std::move(holder);
  result.state = std::move(state);
  result.before = before;
  result.probes = judge(act, probes_before);
  if (!result.is_contained()) result.reason = not_contained_reason(result);
  record(act, verify_draft(act, result), result);
  return result;
}

/// Durable before anything changes: undo() works from this entry alone.
Entry record_intent(const Act& act, const Beforehand& now) {
  EntryDraft intent =
      isolation_draft(act.session, "isolate.apply", act.isolation);
  intent.detail["phase"] = "before";
  intent.detail["before"] = now.before;
  intent.detail["probes"] = probes_json(now.probes);
  intent.detail["effects"] =
      act.request.method.effects_of(act.request.arguments).to_json();
  if (!act.request.loss.reason.empty()) {
    intent.detail["accepted_loss"] = lossless_utf8(act.request.loss.reason);
  }
  if (!now.acts.empty()) intent.detail["acts"] = acts_json(now.acts);
  if (!now.exchanges.empty()) intent.detail["exchanges"] = now.exchanges;
  put_part(act, intent);
  act.has_begun = true;
  intent.outcome = Outcome::intended;
  return act.session.case_file.append({intent}, act.session.examiner).front();
}

Hold hold_for(const Act& act, const Entry& intent, const Json& before) {
  Hold hold;
  hold.intent = intent.json.at("id").get<std::string>();
  hold.case_id = act.session.case_file.id();
  hold.case_folder = fs::absolute(act.session.case_file.folder());
  hold.deployment = act.request.deployment.name;
  hold.method = act.request.method.name;
  hold.since = intent.json.at("ts").get<std::string>();
  hold.by = act.session.examiner.actor.name;
  hold.boot_id = act.session.clock.state().boot_id;
  hold.before = before;
  hold.target = deployment_to_json(act.request.deployment);
  hold.things = act.request.method.things(before);
  return hold;
}

/// Applies and records it; what went wrong is the return value.
std::string apply(const Act& act, ContainResult& result) {
  EntryDraft applied =
      isolation_draft(act.session, "isolate.apply", act.isolation);
  applied.refs = {result.intent};
  applied.detail["phase"] = "after";
  applied.detail["intent"] = result.intent;
  applied.detail["after"] = nullptr;
  if (!result.hold_problem.empty()) {
    applied.detail["hold_problem"] = lossless_utf8(result.hold_problem);
  }
  put_part(act, applied);
  std::string problem;
  ExchangeLog log;
  Target asked = act.target;
  asked.exchanges = &log;
  try {
    result.after = act.request.method.apply(asked, result.before);
    applied.detail["after"] = result.after;
  } catch (const Error& error) {
    problem = error.what();
    applied.outcome = Outcome::failed;
    applied.detail["error"] = lossless_utf8(problem);
  }
  if (!log.empty()) applied.detail["exchanges"] = log.to_json();
  act.session.case_file.append({applied}, act.session.examiner);
  return problem;
}

/// Undoes what is not proved, and puts into `result` what was measured then.
void roll_back(const Act& act, const ContainmentRow& row,
               const std::vector<ProbeResult>& probes_before,
               ContainResult& result) {
  Undone undone = undo_row(act, row, probes_before, result.reason);
  result.end = end_of(undone.end);
  result.state = std::move(undone.state);
  result.state.why = undone.why;
  record(act, undone.entry, result);
  if (!may_be_held(result.state)) act.holds.remove(row.id);
}

/// A request that is sent now may start again what was taken out: the probes
/// were such requests, so it is measured once more.
void measure_later(const Act& act, ContainResult& result) {
  if (!result.is_contained() || result.probes.all.empty()) return;
  result.later = measure(act.request.method, act.target, result.before);
  if (result.later->measured == Containedness::contained) return;
  result.state = *result.later;
  result.reason =
      fmt::format("a later request brought it back: measured as {}: {}",
                  to_string(result.state.measured), result.state.why);
}

ContainResult apply_and_prove(const Act& act, const Beforehand& now) {
  ContainResult result = result_of(act, ContainEnd::applied);
  const Json& before = now.before;
  const auto& probes_before = now.probes;
  result.before = before;
  result.probes_before = probes_before;
  const Entry intent = record_intent(act, now);
  result.intent = intent.json.at("id").get<std::string>();
  if (!act.holds.add(hold_for(act, intent, before))) {
    result.hold_problem = act.holds.problem();
  }
  const std::string problem = apply(act, result);
  if (problem.empty()) {
    result.state =
        measure_until_contained(act.request.method, act.target, before);
    result.probes = judge(act, probes_before);
    measure_later(act, result);
    if (result.is_contained()) {
      record(act, verify_draft(act, result), result);
      return result;
    }
    if (result.reason.empty()) result.reason = not_contained_reason(result);
  } else {
    result.state = measure(act.request.method, act.target, before);
    result.reason = "the method could not act: " + problem;
    result.end = ContainEnd::rollback_unknown;  // until it is measured
  }
  act.session.case_file.append({verify_draft(act, result)},
                               act.session.examiner);
  ContainmentRow row;
  row.id = result.intent;
  row.before = before;
  roll_back(act, row, probes_before, result);
  return result;
}

ContainResult attempt(const Act& act) {
  const auto own = own_rows(act);
  Beforehand now = look(act);
  if (now.problem.empty()) {
    if (auto holder = other_holder(act, now.before, own)) {
      return held_elsewhere(
          act, now.before, std::move(holder),
          measure(act.request.method, act.target, Json::object()), now.probes);
    }
  }
  for (const ContainmentRow& row : own) {
    if (auto result = settle(act, row)) return *result;
  }
  if (!own.empty()) now = look(act);
  if (!now.problem.empty()) return not_begun(act, now, own);
  MeasuredState state = measure(act.request.method, act.target, Json::object());
  if (!state.held_by.empty()) {
    return held_elsewhere(act, now.before, std::nullopt, std::move(state),
                          now.probes);
  }
  return apply_and_prove(act, now);
}

/// The same; where the record gives out under the act (a full disk), the error
/// says what is measured of the service, which nothing else would tell.
ContainResult attempt_or_say(const Act& act) {
  try {
    return attempt(act);
  } catch (const Error& error) {
    // A fault of the descriptor or an argument.
    if (error.code() == Errc::bad_input && !act.has_begun) throw;
    const MeasuredState state =
        measure(act.request.method, act.target, Json::object());
    if (is_back(state)) throw;
    throw Error(
        error.code(),
        fmt::format("{}; {} is measured now as {}: {}; this gives it back: {}",
                    error.what(), act.request.deployment.name,
                    to_string(state.measured), printable(state.why),
                    next_command(act.session.case_file.folder(),
                                 {"release", "--deployment",
                                  act.request.deployment.name})));
  }
}

std::string network_namespace() {
  const auto link = read_link("/proc/self/ns/net");
  return link ? *link : std::string("(not readable)");
}

std::string held_by_whom(const ContainResult& result) {
  return result.holder ? "by " + result.holder->in_words()
                       : fmt::format("by {}, of which no record is found",
                                     printable(result.state.held_by));
}

/// What gives back what another case holds.
std::string holder_command(const ContainResult& result) {
  return next_command(result.holder->case_folder,
                      {"release", "--deployment", result.holder->deployment});
}

std::string contained_text(const ContainResult& result) {
  const std::string measured = fmt::format(
      "{}; {}", printable(result.state.why),
      result.proof() == ProofStrength::state_and_probes
          ? result.probes.proof()
          : "measured by the method alone, " + result.probes.proof());
  switch (result.end) {
    case ContainEnd::held_already:
      return fmt::format(
          "{} is contained already, by this case since {}. Measured again, not "
          "contained twice: {}.\n",
          result.deployment, result.since, measured);
    case ContainEnd::held_elsewhere:
      return fmt::format(
          "{} is contained already, {}. Measured, not contained twice: {}.\n"
          "This case holds nothing of it{}\n",
          result.deployment, held_by_whom(result), measured,
          result.holder ? "; this gives it back: " + holder_command(result)
                        : ".");
    default:
      return fmt::format("Contained by {}: {}.\n", result.method, measured);
  }
}

std::string not_contained_text(const ContainResult& result) {
  const std::string why = printable(result.state.why);
  const std::string again =
      "The containment stays open in the record; this tries again: " +
      next_command(result.case_folder,
                   {"release", "--deployment", result.deployment});
  std::string then;
  switch (result.end) {
    case ContainEnd::not_begun:
      then = result.settled.empty()
                 ? "Nothing was changed."
                 : fmt::format(
                       "The earlier containment of {} was undone before; "
                       "nothing was contained since.",
                       result.settled);
      break;
    case ContainEnd::held_already:
      then = fmt::format(
          "It is held by this case since {}; nothing was "
          "changed.",
          result.since);
      break;
    case ContainEnd::held_elsewhere:
      then = fmt::format(
          "It is held {}; nothing was changed.{}", held_by_whom(result),
          result.holder ? " This gives it back: " + holder_command(result)
                        : "");
      break;
    case ContainEnd::rolled_back:
      then = fmt::format("It was rolled back; measured then: {}.", why);
      break;
    case ContainEnd::rollback_failed:
      then =
          fmt::format("THE ROLLBACK FAILED; measured then: {}. {}", why, again);
      break;
    case ContainEnd::rollback_unknown:
    case ContainEnd::applied:
      then = fmt::format(
          "Undoing it was tried, and it is not measured to be back: "
          "{}. {}",
          why, again);
      break;
  }
  return fmt::format("NOT contained by {}: {}. {}\n", result.method,
                     printable(result.reason), then);
}

/// What was shown beyond the state and the probes, which the lines above tell.
std::string rest_of_proof(const ContainResult& result) {
  std::vector<std::vector<std::string>> rows;
  for (const ProofPart& one : result.proofs()) {
    if (one.what == kState || one.what == kProbes) continue;
    rows.push_back({"  " + std::string(one.what),
                    std::string(to_string(one.shown)), printable(one.why),
                    one.from.empty() ? "" : "from " + printable(one.from)});
  }
  return format_table(rows);
}

std::string_view progress_of(const ContainResult& result) {
  if (result.is_contained()) return "contained, measured";
  switch (result.end) {
    case ContainEnd::rolled_back:
      return "not contained, rolled back and measured";
    case ContainEnd::rollback_failed:
      return "not contained, THE ROLLBACK FAILED";
    case ContainEnd::rollback_unknown:
      return "not contained, and not measured to be back";
    case ContainEnd::not_begun:
      return result.settled.empty() ? "not contained, nothing was changed"
                                    : "not contained, nothing was begun anew";
    default:
      return "not contained, nothing was changed";
  }
}

}  // namespace

std::string_view to_string(ContainEnd end) noexcept {
  constexpr std::array<std::string_view, 7> kNames{
      "applied",     "held already",    "held elsewhere",  "not begun",
      "rolled back", "rollback failed", "rollback unknown"};
  return kNames[static_cast<std::size_t>(end)];
}

std::string_view to_string(ProofStrength strength) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"none", "state alone",
                                                   "state and probes"};
  return kNames[static_cast<std::size_t>(strength)];
}

bool ContainResult::is_contained() const {
  const bool is_kept = end == ContainEnd::applied ||
                       end == ContainEnd::held_already ||
                       end == ContainEnd::held_elsewhere;
  return is_kept && state.measured == Containedness::contained &&
         probes.are_met();
}

std::string_view to_string(Shown shown) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"yes", "no", "unknown"};
  return kNames[static_cast<std::size_t>(shown)];
}

std::vector<ProofPart> ContainResult::proofs() const {
  std::vector<ProofPart> parts;
  parts.push_back(
      {.what = kState,
       .shown = state.measured == Containedness::contained ? Shown::yes
                : state.measured == Containedness::unknown ? Shown::unknown
                                                           : Shown::no,
       .why = state.why,
       .from = state.from});
  const std::string here =
      "this machine, network namespace " + network_namespace();
  parts.push_back({.what = kProbes,
                   .shown = !probes.are_met()      ? Shown::no
                            : probes.proofs() == 0 ? Shown::unknown
                                                   : Shown::yes,
                   .why = probes.proof(),
                   .from = probes.all.empty() ? "" : here});
  ProofPart connections{.what = kConnections,
                        .why = "nobody counted those that are left",
                        .from = state.connections_from};
  if (state.connections_left) {
    connections.shown = *state.connections_left == 0 ? Shown::yes : Shown::no;
    connections.why =
        fmt::format("{} established left", *state.connections_left);
  }
  parts.push_back(std::move(connections));
  ProofPart request{.what = kLaterRequest,
                    .why = "no request was sent afterwards"};
  if (later) {
    request.shown = later->measured == Containedness::contained ? Shown::yes
                    : later->measured == Containedness::unknown ? Shown::unknown
                                                                : Shown::no;
    request.why =
        probes.all.empty()
            ? fmt::format("measured as {} after the probes of the whole",
                          to_string(later->measured))
            : fmt::format("measured as {} after {} probe{}",
                          to_string(later->measured), probes.all.size(),
                          probes.all.size() == 1 ? "" : "s");
    request.from = here;
  }
  parts.push_back(std::move(request));
  return parts;
}

ProofStrength ContainResult::proof() const {
  if (!is_contained()) return ProofStrength::none;
  return probes.proofs() == 0 ? ProofStrength::state_alone
                              : ProofStrength::state_and_probes;
}

Json ContainResult::to_json() const {
  Json json;
  json["deployment"] = deployment;
  json["method"] = method;
  json["contained"] = is_contained();
  json["rolled_back"] = is_rolled_back();
  json["end"] = to_string(end);
  json["measured"] = to_string(state.measured);
  json["why"] = lossless_utf8(state.why);
  json["proof"] = to_string(proof());
  json["proving_probes"] = probes.proofs();
  json["reason"] = lossless_utf8(reason);
  json["intent"] = intent;
  json["held_by"] = holder ? holder->summary() : Json(nullptr);
  json["hold_problem"] = lossless_utf8(hold_problem);
  json["probes"] = probes.to_json();
  json["state"] = state.to_json();
  json["proofs"] = is_contained() ? proofs_json(proofs()) : Json::array();
  return json;
}

std::string ContainResult::to_text() const {
  std::string text =
      is_contained() ? contained_text(*this) : not_contained_text(*this);
  if (!hold_problem.empty()) {
    text += fmt::format("Other cases cannot see this containment: {}\n",
                        printable(hold_problem));
  }
  return text + probes.to_text() + (is_contained() ? rest_of_proof(*this) : "");
}

Json ContainmentNow::to_json() const {
  Json json;
  json["id"] = row.id;
  json["deployment"] = row.deployment;
  json["method"] = row.method;
  json["since"] = row.at;
  json["recorded"] = to_string(row.state);
  json["measured"] = to_string(measured);
  json["why"] = lossless_utf8(why);
  return json;
}

std::string ContainmentNow::to_text() const {
  return fmt::format(
      "{} by {} since {}: recorded as {}; measured now as {}: "
      "{}",
      printable(row.deployment), row.method, row.at, to_string(row.state),
      to_string(measured), printable(why));
}

std::string_view release_does(const ContainmentNow& now) {
  if (now.is_over()) return "records that it is over";
  return now.measured == Containedness::unknown ? "tries to give it back"
                                                : "gives it back";
}

ContainmentNow measure_containment(const ContainmentRow& row,
                                   std::span<const Containment* const> methods,
                                   const Clock& clock,
                                   const Cancellation& cancellation) {
  ContainmentNow now;
  now.row = row;
  try {
    const Containment& method = find_containment(methods, row.method);
    const Deployment deployment =
        deployment_from_json(row.target, "custody entry " + row.id);
    const MeasuredState state =
        measure(method,
                {.deployment = deployment,
                 .arguments = settings_or_none(deployment, method, clock.now()),
                 .clock = clock,
                 .cancellation = cancellation},
                row.before);
    now.measured = state.measured;
    now.why = state.why;
    now.holds_something = state.holds_something;
    now.state = state.to_json();
  } catch (const Error& error) {
    now.why = fmt::format("it could not be measured: {}", error.what());
  }
  return now;
}

std::vector<ContainmentNow> measure_containments(
    const CaseFile& case_file, std::span<const Containment* const> methods,
    const Clock& clock, const Cancellation& cancellation) {
  std::vector<ContainmentNow> all;
  for (const ContainmentRow& row : open_containments(case_file)) {
    all.push_back(measure_containment(row, methods, clock, cancellation));
  }
  return all;
}

std::vector<ContainmentRow> open_containments(const CaseFile& case_file) {
  std::vector<ContainmentRow> rows = case_file.containments();
  std::erase_if(rows, [](const ContainmentRow& row) { return !row.is_open(); });
  return rows;
}

const Containment& find_containment(std::span<const Containment* const> methods,
                                    std::string_view name) {
  std::string names;
  for (const Containment* method : methods) {
    if (method->name == name) return *method;
    names += names.empty() ? "" : ", ";
    names += method->name;
  }
  throw Error(Errc::bad_input,
              fmt::format("there is no containment method \"{}\"; there is: {}",
                          printable(name), names));
}

void require_leave(const Containment& method, const Arguments& arguments,
                   const AcceptedLoss& loss) {
  const Effects effects = method.effects_of(arguments);
  if (effects.is_destructive && !loss.is_destroying) {
    throw Error(Errc::bad_input,
                fmt::format("{} destroys evidence ({}): expected "
                            "--destroys-evidence, once all was collected",
                            method.name, effects.in_words()));
  }
  // Requests in flight are what a containment ends, and are told; what is in
  // memory may be the only copy.
  const Keeps& keeps = effects.keeps;
  const bool loses = keeps.weights == Kept::lost || keeps.kv == Kept::lost ||
                     keeps.process == Kept::lost;
  if (loses && loss.reason.empty()) {
    throw Error(
        Errc::bad_input,
        fmt::format("{} {}: expected --accept-loss REASON, once what it "
                    "loses was collected or is not needed",
                    method.name, effects.in_words()));
  }
}

ContainResult contain(Session& session, const ContainRequest& request) {
  require_leave(request.method, request.arguments, request.loss);
  const Target target{.deployment = request.deployment,
                      .arguments = request.arguments,
                      .clock = session.clock,
                      .cancellation = session.cancellation,
                      .case_id = session.case_file.id(),
                      .may_destroy = request.loss.is_destroying};
  const Isolation isolation{.deployment = request.deployment,
                            .method = request.method,
                            .arguments = request.arguments.json(),
                            .purpose = request.purpose,
                            .authority = request.authority};
  session.progress.begin("contain " + request.deployment.name, {});
  HoldRegister holds(holds_folder(), session.cancellation);
  const EvidenceLock lock(session.case_file.folder() / "evidence",
                          kContainmentLock);
  // Under the lock, which close_case() takes as well.
  if (!session.case_file.summary().closed_at.empty()) {
    throw Error(Errc::bad_input,
                session.case_file.id() +
                    " is closed: a containment could not be recorded");
  }
  bool has_begun = false;
  ContainResult result = attempt_or_say({.session = session,
                                         .request = request,
                                         .target = target,
                                         .isolation = isolation,
                                         .holds = holds,
                                         .has_begun = has_begun});
  session.progress.end(progress_of(result));
  return result;
}

namespace {

/// Undoes a part that this call applied, because a later one is not contained.
std::string undo_part(Session& session, const ContainRequest& request,
                      ContainResult& result, const std::string& why) {
  const Target target{.deployment = request.deployment,
                      .arguments = request.arguments,
                      .clock = session.clock,
                      .cancellation = session.cancellation,
                      .case_id = session.case_file.id()};
  const Isolation isolation{.deployment = request.deployment,
                            .method = request.method,
                            .arguments = request.arguments.json(),
                            .purpose = request.purpose,
                            .authority = request.authority};
  HoldRegister holds(holds_folder(), session.cancellation);
  const EvidenceLock lock(session.case_file.folder() / "evidence",
                          kContainmentLock);
  Undone undone = undo_and_measure(
      session, {.kind = UndoKind::rollback,
                .isolation = isolation,
                .target = target,
                .intent = result.intent,
                .before = result.before,
                .probes_before = result.probes_before,
                .probe = request.probe,
                .why_no_probes = request.part.number == 1 ? "" : kOthersHold,
                .reason = why});
  session.case_file.append({undone.entry}, session.examiner);
  if (!may_be_held(undone.state)) holds.remove(result.intent);
  result.end = end_of(undone.end);
  result.reason = why;
  result.state = std::move(undone.state);
  return fmt::format("{}: {}; measured then: {}", request.method.name,
                     to_string(result.end), printable(undone.why));
}

/// Measures what was applied before the last once more: what came after it, or
/// the requests of the probes, may have brought it back.
/// @return why the whole is not contained; "" if it is.
std::string measure_earlier(const Session& session,
                            const std::vector<ContainRequest>& parts,
                            ContainAllResult& result) {
  const bool was_asked = !result.parts.back().probes.all.empty();
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    ContainResult& one = result.parts[i];
    const MeasuredState now = measure(parts[i].method,
                                      {.deployment = parts[i].deployment,
                                       .arguments = parts[i].arguments,
                                       .clock = session.clock,
                                       .cancellation = session.cancellation,
                                       .case_id = session.case_file.id()},
                                      one.before);
    if (was_asked) one.later = now;
    if (now.measured == Containedness::contained) continue;
    one.state = now;
    one.reason = fmt::format(
        "{} does not hold after the last method: measured as {}: {}",
        parts[i].method.name, to_string(one.state.measured), one.state.why);
    return one.reason;
  }
  return "";
}

/// The entry that says what came of the whole, with the answer of the call.
void record_whole(Session& session, const ContainAllRequest& request,
                  const ContainAllResult& result) {
  const ContainResult& last = result.parts.back();
  EntryDraft whole = session.draft("isolate.verify");
  whole.purpose = request.purpose;
  whole.authority = request.authority;
  Json object;
  object["kind"] = "deployment";
  object["path"] = request.deployment.name;
  whole.object = std::move(object);
  whole.detail["deployment"] = request.deployment.name;
  whole.detail["target"] = deployment_to_json(request.deployment);
  whole.detail["method"] = join(request.deployment.containment_methods(), "+");
  whole.detail["intent"] = nullptr;
  whole.detail["expect"] = "contained";
  whole.detail["probes"] = last.probes.to_json();
  whole.detail["contained"] = result.is_contained();
  Json parts = Json::array();
  for (const ContainResult& one : result.parts) {
    parts.push_back({{"method", one.method},
                     {"intent", one.intent},
                     {"end", to_string(one.end)},
                     {"contained", one.is_contained()}});
    if (one.later) parts.back()["later"] = one.later->to_json();
  }
  whole.detail["parts"] = std::move(parts);
  whole.detail["of"] = result.of;
  whole.outcome = result.is_contained() ? Outcome::ok : Outcome::failed;
  const bool is_attempt =
      !result.is_contained() && session.cancellation.requested();
  session.case_file.append({whole}, session.examiner,
                           is_attempt ? std::vector<JournalRow>{}
                                      : session.journal(result.to_json()));
}

}  // namespace

bool ContainAllResult::is_contained() const {
  return !parts.empty() && parts.size() == of &&
         std::ranges::all_of(parts, &ContainResult::is_contained);
}

Json ContainAllResult::to_json() const {
  Json json = parts.back().to_json();
  if (of == 1) return json;
  std::string methods;
  Json list = Json::array();
  for (const ContainResult& one : parts) {
    methods += (methods.empty() ? "" : "+") + one.method;
    list.push_back(one.to_json());
  }
  json["method"] = methods;
  json["contained"] = is_contained();
  json["parts"] = std::move(list);
  json["of"] = of;
  json["undone"] = undone;
  json["reason"] = lossless_utf8(why);
  return json;
}

std::string ContainAllResult::to_text() const {
  if (of == 1) return parts.back().to_text();
  std::string text;
  for (const ContainResult& one : parts) text += one.to_text();
  if (is_contained()) {
    return text + fmt::format(
                      "Contained by {} methods; each was measured again after "
                      "the last.\n",
                      of);
  }
  text += fmt::format("NOT contained: {} of {} methods tried; {}.\n",
                      parts.size(), of, printable(why));
  for (const std::string& one : undone) {
    text += "Undone in reverse: " + one + ".\n";
  }
  return text;
}

ContainAllResult contain_all(Session& session,
                             const ContainAllRequest& request) {
  const auto names = request.deployment.containment_methods();
  std::vector<ContainRequest> parts;
  parts.reserve(names.size());
  // Every fault of the descriptor comes out before the first act.
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Containment& method = find_containment(request.methods, names[i]);
    parts.push_back({.deployment = request.deployment,
                     .method = method,
                     .arguments = arguments_for(
                         request.deployment, method,
                         request.arguments.value(names[i], Json::object()),
                         request.spelling, session.clock.now()),
                     .purpose = request.purpose,
                     .authority = request.authority,
                     .probe = request.probe,
                     .loss = request.loss,
                     .part = {.number = i + 1, .of = names.size()}});
    require_leave(method, parts.back().arguments, request.loss);
  }
  if (parts.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("{} names no containment method",
                            printable(request.deployment.name)));
  }
  ContainAllResult result;
  result.of = parts.size();
  std::vector<ProbeResult> probes_before;
  if (parts.size() > 1) {
    probes_before = run_probes(request.deployment, request.probe);
  }
  // What this call did not do, it does not undo.
  const auto undo_before = [&](std::size_t end, const std::string& why) {
    for (std::size_t i = end; i-- > 0;) {
      if (result.parts[i].end != ContainEnd::applied) continue;
      result.undone.push_back(
          undo_part(session, parts[i], result.parts[i], why));
    }
  };
  for (ContainRequest& one : parts) {
    if (parts.size() > 1) one.part.probes_before = &probes_before;
    result.parts.push_back(contain(session, one));
    if (result.parts.back().is_contained()) continue;
    result.why = fmt::format("{} is not contained: {}", one.method.name,
                             result.parts.back().reason);
    undo_before(result.parts.size() - 1, result.why);
    break;
  }
  if (result.is_contained()) {
    result.why = measure_earlier(session, parts, result);
    if (!result.why.empty()) undo_before(parts.size(), result.why);
  }
  if (parts.size() > 1) record_whole(session, request, result);
  return result;
}

Rehearsal rehearse(const Deployment& deployment, const Containment& method,
                   const Arguments& arguments, const Clock& clock,
                   const Cancellation& cancellation) {
  ExchangeLog log;
  const Target target{.deployment = deployment,
                      .arguments = arguments,
                      .clock = clock,
                      .cancellation = cancellation,
                      .exchanges = &log};
  Rehearsal rehearsal;
  rehearsal.method = method.name;
  rehearsal.effects = method.effects_of(arguments);
  rehearsal.tried = method.tried;
  rehearsal.tried_with = method.tried_with;
  try {
    rehearsal.sentence = method.describe(target);
    rehearsal.before = method.before(target);
    if (method.acts != nullptr) {
      rehearsal.acts = method.acts(target, rehearsal.before);
    }
    if (method.by_hand != nullptr) {
      rehearsal.by_hand = method.by_hand(rehearsal.before);
    }
  } catch (const Error& error) {
    if (error.code() == Errc::bad_input) throw;
    rehearsal.problem = error.what();
  }
  rehearsal.exchanges = log.to_json();
  return rehearsal;
}

Json Rehearsal::to_json() const {
  Json json;
  json["method"] = method;
  json["effects"] = effects.to_json();
  json["tried"] = to_string(tried);
  json["tried_with"] = tried_with;
  json["sentence"] = lossless_utf8(sentence);
  json["problem"] = lossless_utf8(problem);
  json["acts"] = acts_json(acts);
  json["undo_by_hand"] = by_hand;
  json["before"] = before;
  json["exchanges"] = exchanges;
  return json;
}

std::string Rehearsal::to_text() const {
  std::string text =
      fmt::format("{}: {}\n  {}; tried against: {}{}\n", method,
                  printable(sentence), effects.in_words(), to_string(tried),
                  tried_with.empty() ? "" : ", " + tried_with);
  if (!problem.empty()) {
    return text + "  It could not begin: " + printable(problem) + "\n";
  }
  for (const PlannedAct& one : acts) {
    text += fmt::format("  would do: {}\n", printable(one.what));
    if (one.request.empty()) continue;
    text += fmt::format("    {} > {}\n", printable(one.peer),
                        printable(one.request));
    if (!one.body.empty()) text += "    " + printable(one.body) + "\n";
  }
  for (const std::string& line : by_hand) {
    text += "  to undo: " + printable(line) + "\n";
  }
  text += fmt::format("  asked for this: {} request{}, which change nothing\n",
                      exchanges.size(), exchanges.size() == 1 ? "" : "s");
  return text;
}

}  // namespace impound
