// SPDX-License-Identifier: Apache-2.0
#include "core/engine/release.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/engine/deployment_record.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

constexpr std::string_view kLate =
    "the process that was to undo it ended before it recorded an end: nobody "
    "holds its lock; written by a later one that measured";

ReleaseEnd end_of(UndoEnd end) {
  switch (end) {
    case UndoEnd::back:
      return ReleaseEnd::released;
    case UndoEnd::silent:
      return ReleaseEnd::silent;
    case UndoEnd::still_held:
      return ReleaseEnd::still_held;
    case UndoEnd::unknown:
      break;
  }
  return ReleaseEnd::unknown;
}

/// A containment of the record with what acting on it needs.
struct Held {
  ContainmentRow row;
  Deployment deployment;
  const Containment& method;
  std::optional<Hold> of_other;  ///< set where it is another case's

  Held(ContainmentRow containment, std::span<const Containment* const> methods,
       std::optional<Hold> other)
      : row(std::move(containment)),
        deployment(deployment_from_json(row.target, "custody entry " + row.id)),
        method(find_containment(methods, row.method)),
        of_other(std::move(other)) {}
};

Target target_of(const Held& held, const Session& session) {
  return {.deployment = held.deployment,
          .arguments = settings_or_none(held.deployment, held.method,
                                        session.clock.now()),
          .clock = session.clock,
          .cancellation = session.cancellation,
          .case_id = session.case_file.id()};
}

ContainmentRow row_of(const Hold& hold) {
  ContainmentRow row;
  row.id = hold.intent;
  row.deployment = hold.deployment;
  row.method = hold.method;
  row.state = ContainmentState::contained;
  row.at = hold.since;
  row.before = hold.before;
  row.target = hold.target;
  return row;
}

std::vector<ProbeResult> probes_before(const Session& session,
                                       const Held& held) {
  if (held.row.seq == 0) {
    // Another case's entry: every probe is taken to have answered, which asks
    // for more proof and never for less.
    std::vector<ProbeResult> results;
    for (const Probe& probe : held.deployment.probes) {
      ProbeResult result;
      result.name = probe.name;
      result.answered = true;
      results.push_back(std::move(result));
    }
    return results;
  }
  const auto entries = session.case_file.entries(held.row.seq);
  return probes_from_json(
      entries.empty()
          ? Json()
          : entries.front().json.at("detail").value("probes", Json()),
      held.deployment);
}

/// What the last isolate.undo of a containment says it is.
UndoKind kind_of_last_undo(const Session& session, const ContainmentRow& row) {
  UndoKind kind = UndoKind::release;
  for (const Entry& entry : session.case_file.entries(row.seq)) {
    if (text_or(entry.json, "action", "") != "isolate.undo") continue;
    const Json& detail = entry.json.at("detail");
    if (text_or(detail, "intent", "") != row.id) continue;
    kind = text_or(detail, "kind", "") == to_string(UndoKind::rollback)
               ? UndoKind::rollback
               : UndoKind::release;
  }
  return kind;
}

/// Undoing with everything that it refers to alive.
template <typename Undo>
ReleaseResult with_undo(Session& session, const Held& held,
                        const ReleaseRequest& request, UndoKind kind,
                        const std::string& why_no_probes, Undo undo) {
  const Isolation isolation{.deployment = held.deployment,
                            .method = held.method,
                            .purpose = request.purpose,
                            .authority = request.authority};
  const Target target = target_of(held, session);
  const auto before = probes_before(session, held);
  Undone undone = undo(UndoRequest{
      .kind = kind,
      .isolation = isolation,
      .target = target,
      .intent = held.row.id,
      .is_own = !held.of_other.has_value(),
      .before = held.row.before,
      .probes_before = before,
      .probe = request.probe,
      .why_no_probes = why_no_probes,
      .reason = {},
      .held_by = held.of_other ? held.of_other->summary() : Json(nullptr)});
  session.case_file.append({undone.entry}, session.examiner);
  ReleaseResult result;
  result.deployment = held.deployment.name;
  result.method = held.row.method;
  result.case_folder = session.case_file.folder();
  result.end = end_of(undone.end);
  result.why = std::move(undone.why);
  result.state = std::move(undone.state);
  result.probes = std::move(undone.probes);
  result.holder = held.of_other;
  result.done = std::move(undone.done);
  return result;
}

/// Whoever else holds the same things, measured. Both what the record names and
/// what serves now count: the service may have been restarted in between.
std::optional<Hold> other_holder(const Session& session, const Held& held,
                                 const HoldList& list,
                                 const std::vector<ContainmentRow>& own) {
  const Target target = target_of(held, session);
  auto things = held.method.things(held.row.before);
  try {
    const auto present = held.method.things(held.method.before(target));
    things.insert(things.end(), present.begin(), present.end());
  } catch (const Error&) {
    // It is down, or may not be looked at: what the record names remains.
  }
  for (const Hold& hold : list.holds) {
    const bool is_own =
        std::ranges::find(own, hold.intent, &ContainmentRow::id) != own.end();
    if (is_own || hold.method != held.row.method ||
        !share_a_thing(hold.things, things)) {
      continue;
    }
    const MeasuredState state = measure(held.method, target, hold.before);
    if (state.is_by_record && state.holds_something) return hold;
  }
  return std::nullopt;
}

ReleaseResult release_one(Session& session, const Held& held,
                          const ReleaseRequest& request, HoldRegister& holds,
                          const std::string& why_no_probes = "") {
  // Before anything is given back: the record takes no word of it otherwise.
  session.case_file.require_right(session.examiner, Right::release);
  session.progress.begin("release " + held.deployment.name, {});
  ReleaseResult result = with_undo(
      session, held, request, UndoKind::release, why_no_probes,
      [&](const UndoRequest& undo) { return undo_and_measure(session, undo); });
  if (!may_be_held(result.state)) holds.remove(held.row.id);
  session.progress.end(result.is_released() ? "released and proved"
                                            : "not proved to be back");
  return result;
}

/// Nothing is done: what is measured of it.
ReleaseResult measured(const Held& held, const Session& session, ReleaseEnd end,
                       const Json& before) {
  ReleaseResult result;
  result.deployment = held.deployment.name;
  result.method = held.row.method;
  result.case_folder = session.case_file.folder();
  result.end = end;
  result.state = measure(held.method, target_of(held, session), before);
  result.why = result.state.why;
  return result;
}

ReleaseResult left_to(const Held& held, const Session& session, Hold other) {
  ReleaseResult result =
      measured(held, session, ReleaseEnd::held_elsewhere, other.before);
  result.holder = std::move(other);
  return result;
}

/// Every deployment that an entry of the case describes, the newest description
/// of each, and the descriptor that was named.
std::vector<Deployment> known_deployments(const Session& session,
                                          const ReleaseRequest& request) {
  std::vector<Deployment> known;
  const auto add = [&](Deployment one) {
    if (!request.deployment.empty() && one.name != request.deployment) return;
    const auto same = std::ranges::find(known, one.name, &Deployment::name);
    if (same == known.end()) {
      known.push_back(std::move(one));
    } else {
      *same = std::move(one);
    }
  };
  for (const Entry& entry : session.case_file.entries()) {
    const std::string action = text_or(entry.json, "action", "");
    if (action != "playbook.start" && !action.starts_with("isolate.")) continue;
    const Json& detail = entry.json.at("detail");
    const auto target = detail.find("target");
    if (target == detail.end() || !target->is_object()) continue;
    add(deployment_from_json(*target,
                             fmt::format("custody entry {}", entry.seq)));
  }
  if (request.descriptor != nullptr) add(*request.descriptor);
  return known;
}

ReleaseResult measure_one(const Session& session, const Held& held,
                          const HoldList& list) {
  if (auto other = other_holder(session, held, list, {})) {
    return left_to(held, session, std::move(*other));
  }
  return measured(held, session, ReleaseEnd::nothing_open, Json::object());
}

/// The record has nothing open: what is measured all the same.
std::vector<ReleaseResult> measure_known(const Session& session,
                                         const ReleaseRequest& request,
                                         const HoldList& list) {
  std::vector<ReleaseResult> results;
  for (const Deployment& deployment : known_deployments(session, request)) {
    for (const Containment* method : methods_of(deployment, request.methods)) {
      ContainmentRow row;
      row.deployment = deployment.name;
      row.method = method->name;
      row.before = Json::object();
      row.target = deployment_to_json(deployment);
      results.push_back(measure_one(
          session, Held(std::move(row), request.methods, std::nullopt), list));
    }
  }
  return results;
}

bool is_named(const Hold& hold, const ReleaseRequest& request) {
  return !request.held_by.empty() &&
         (hold.case_id == request.held_by ||
          hold.case_folder.native() == request.held_by);
}

/// What the named case holds of the deployments that this one knows.
std::vector<Hold> named_holds(const Session& session,
                              const ReleaseRequest& request,
                              const HoldList& list) {
  std::vector<Hold> found;
  const auto known = known_deployments(session, request);
  for (const Hold& hold : list.holds) {
    if (!is_named(hold, request)) continue;
    const bool is_asked =
        hold.deployment == request.deployment ||
        std::ranges::any_of(known, [&](const Deployment& one) {
          ContainmentRow row = row_of(hold);
          row.before = Json::object();
          row.target = deployment_to_json(one);
          return other_holder(session, Held(row, request.methods, {}),
                              {.holds = {hold}, .problems = {}}, {})
              .has_value();
        });
    if (is_asked) found.push_back(hold);
  }
  return found;
}

std::string mark(const ReleaseResult& result) {
  return printable(result.deployment);
}

}  // namespace

std::string_view to_string(ReleaseEnd end) noexcept {
  constexpr std::array<std::string_view, 6> kNames{
      "released", "silent",         "still held",
      "unknown",  "held elsewhere", "nothing open"};
  return kNames[static_cast<std::size_t>(end)];
}

bool ReleaseResult::is_settled() const {
  return end == ReleaseEnd::released ||
         (end == ReleaseEnd::nothing_open &&
          state.measured != Containedness::contained &&
          !state.holds_something && state.held_by.empty());
}

Json ReleaseResult::to_json() const {
  Json json;
  json["deployment"] = deployment;
  json["method"] = method;
  json["released"] = is_released();
  json["recorded"] = is_recorded;
  json["end"] = to_string(end);
  json["measured"] = to_string(state.measured);
  json["why"] = lossless_utf8(why);
  json["reason"] = is_released() ? std::string() : lossless_utf8(why);
  json["held_by"] = holder ? holder->summary() : Json(nullptr);
  json["proving_probes"] = probes.proofs();
  json["probes"] = probes.to_json();
  json["state"] = state.to_json();
  json["done"] = done;
  return json;
}

std::string ReleaseResult::to_text() const {
  const std::string again =
      is_recorded ? "It stays open in the record; this tries again: " +
                        next_command(case_folder,
                                     {"release", "--deployment", deployment})
                  : "The same command tries again.";
  const std::string seen = printable(why);
  std::string text;
  switch (end) {
    case ReleaseEnd::released:
      text = fmt::format("{} is released from {}; measured: {}; {}.",
                         mark(*this), method, seen, probes.proof());
      break;
    case ReleaseEnd::silent:
      text = fmt::format("{} is NOT proved to be back: it runs, {}. {}",
                         mark(*this), seen, again);
      break;
    case ReleaseEnd::still_held:
      text = fmt::format("{} is NOT released: measured as {}: {}. {}",
                         mark(*this), to_string(state.measured), seen, again);
      break;
    case ReleaseEnd::unknown:
      text = fmt::format(
          "{} is NOT proved to be back, and not measured to be "
          "contained: {}. {}{}",
          mark(*this), seen, again,
          is_recorded ? "\nIf it is down and stays down: " +
                            next_command(case_folder,
                                         {"case", "close", "--still-contained",
                                          "WHY", "--reason", "WHY"})
                      : "");
      break;
    case ReleaseEnd::held_elsewhere:
      text = fmt::format(
          "{} is held by {}; measured: {}. Nothing was done.{}", mark(*this),
          holder ? holder->in_words() : "another case", seen,
          holder
              ? fmt::format(" In that case: {}\nFrom this case: {}",
                            next_command(holder->case_folder,
                                         {"release", "--deployment",
                                          holder->deployment}),
                            next_command(case_folder,
                                         {"release", "--deployment", deployment,
                                          "--held-by", holder->case_id}))
              : "");
      break;
    case ReleaseEnd::nothing_open:
      text = fmt::format(
          "{}: this case's record has nothing to release; measured now as {}: "
          "{}{}.",
          mark(*this), to_string(state.measured), seen,
          state.held_by.empty() ? ""
                                : "; by " + printable(state.held_by) +
                                      ", of which no record is found");
      break;
  }
  text += "\n" + probes.to_text();
  if (!is_recorded) {
    text +=
        "NOT RECORDED: no case was opened. Keep this text; in the case, if "
        "there is one, 'impound case check' measures and says what is.\n";
  }
  return text;
}

std::vector<ReleaseResult> release(Session& session,
                                   const ReleaseRequest& request) {
  HoldRegister holds(holds_folder(), session.cancellation);
  const EvidenceLock lock(session.case_file.folder() / "evidence",
                          kContainmentLock);
  const HoldList list = holds.list();
  const std::vector<ContainmentRow> own = open_containments(session.case_file);
  std::vector<ReleaseResult> results;
  std::vector<Hold> named = named_holds(session, request, list);
  if (!request.held_by.empty() && named.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("case {} holds nothing here that this case knows",
                            printable(request.held_by)));
  }
  // First what the other case holds: ours may be below it.
  for (Hold& hold : named) {
    ContainmentRow row = row_of(hold);
    results.push_back(release_one(
        session, Held(std::move(row), request.methods, std::move(hold)),
        request, holds));
  }
  for (auto row = own.rbegin(); row != own.rend(); ++row) {
    if (!request.deployment.empty() && row->deployment != request.deployment) {
      continue;
    }
    const Held held(*row, request.methods, std::nullopt);
    if (auto other = other_holder(session, held, holds.list(), own)) {
      results.push_back(left_to(held, session, std::move(*other)));
      continue;
    }
    // What is still to be released after this one keeps the probes silent.
    const bool is_last = std::none_of(
        std::next(row), own.rend(), [&](const ContainmentRow& other) {
          return other.deployment == row->deployment;
        });
    results.push_back(release_one(
        session, held, request, holds,
        is_last ? "" : "they are asked when the last method is undone"));
  }
  if (results.empty()) results = measure_known(session, request, list);
  return results;
}

std::optional<ReleaseResult> finish_undo(Session& session,
                                         const ContainmentRow& row,
                                         const ReleaseRequest& request) {
  const fs::path evidence = session.case_file.folder() / "evidence";
  // In the order of release(), which must not meet us half way.
  HoldRegister holds(holds_folder(), session.cancellation);
  const auto lock = EvidenceLock::try_take(evidence, kContainmentLock);
  if (!lock) return std::nullopt;
  const auto rows = open_containments(session.case_file);
  const auto now = std::ranges::find(rows, row.id, &ContainmentRow::id);
  if (now == rows.end() || !now->is_being_undone()) return std::nullopt;
  const Held held(*now, request.methods, std::nullopt);
  ReleaseResult result =
      with_undo(session, held, request, kind_of_last_undo(session, *now), "",
                [&](const UndoRequest& undo) {
                  return measure_undone(session, undo, std::string(kLate));
                });
  if (!may_be_held(result.state)) holds.remove(now->id);
  return result;
}

namespace {

/// An entry that a containment wrote before its act, as the mark would tell it.
std::optional<Hold> state_from(const Json& json, const std::string& source) {
  if (!json.is_object()) return std::nullopt;
  if (json.contains("intent") && json.contains("things")) {
    return hold_from_json(json, source);
  }
  const auto detail = json.find("detail");
  if (text_or(json, "action", "") != "isolate.apply" || detail == json.end() ||
      text_or(*detail, "phase", "") != "before") {
    return std::nullopt;
  }
  Hold state;
  state.intent = require_text(json, "id", source);
  state.case_id = require_text(json, "case", source);
  state.deployment = require_text(*detail, "deployment", source);
  state.method = require_text(*detail, "method", source);
  state.since = require_text(json, "ts", source);
  state.by = text_or(require_key(json, "actor", source), "name", "");
  state.before = require_key(*detail, "before", source);
  state.target = require_key(*detail, "target", source);
  return state;
}

}  // namespace

std::vector<Hold> read_states(const fs::path& file) {
  const std::string source = printable(file.native());
  const std::string text = read_text_file(file, limits::kMaxJsonDocument);
  std::vector<Hold> states;
  const auto add = [&](const Json& json, const std::string& where) {
    if (auto state = state_from(json, where)) {
      states.push_back(std::move(*state));
    }
  };
  // One document, a list of them, or one a line.
  const auto first = text.find_first_not_of(" \t\r\n");
  const bool is_list = first != std::string::npos && text[first] == '[';
  const auto lines = split(text, '\n');
  const bool is_lines =
      !is_list && lines.size() > 1 && lines.front().ends_with('}');
  if (is_lines) {
    std::size_t number = 0;
    for (const std::string& line : lines) {
      ++number;
      if (line.empty()) continue;
      const std::string where = fmt::format("{}, line {}", source, number);
      add(parse_json(line, where), where);
    }
  } else {
    const Json document = parse_json(text, source);
    if (document.is_array()) {
      for (const Json& one : document) add(one, source);
    } else {
      add(document, source);
    }
  }
  if (states.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("{} tells of no containment: expected the mark of "
                            "one (in {}), or an isolate.apply entry of phase "
                            "before (custody.jsonl, custody log --json)",
                            source, printable(holds_folder().native())));
  }
  return states;
}

ReleaseResult release_from_state(const Hold& state,
                                 std::span<const Containment* const> methods,
                                 ProbeFunction probe, const Clock& clock,
                                 const Cancellation& cancellation) {
  const Held held(row_of(state), methods, std::nullopt);
  const Target target{
      .deployment = held.deployment,
      .arguments = settings_or_none(held.deployment, held.method, clock.now()),
      .clock = clock,
      .cancellation = cancellation,
      .case_id = state.case_id};
  // Before anything is touched: two processes must not undo the same thing.
  HoldRegister holds(holds_folder(), cancellation);
  std::vector<ProbeResult> answered;
  for (const Probe& one : held.deployment.probes) {
    ProbeResult result;
    result.name = one.name;
    result.answered = true;
    answered.push_back(std::move(result));
  }
  ReleaseResult result;
  result.deployment = held.deployment.name;
  result.method = state.method;
  result.is_recorded = false;
  std::string problem;
  try {
    result.done = held.method.undo(target, state.before);
  } catch (const Error& error) {
    problem = error.what();
  }
  result.state = measure_until_back(held.method, target, state.before);
  result.probes = judge_return(held.deployment, answered, probe, cancellation);
  if (result.state.measured == Containedness::contained ||
      result.state.holds_something) {
    result.end = ReleaseEnd::still_held;
  } else if (result.state.measured == Containedness::unknown) {
    result.end = ReleaseEnd::unknown;
  } else {
    result.end =
        result.probes.are_met() ? ReleaseEnd::released : ReleaseEnd::silent;
  }
  result.why = result.state.why;
  if (result.end == ReleaseEnd::silent) {
    result.why += "; " + result.probes.unmet();
  }
  if (!problem.empty()) result.why = problem + "; " + result.why;
  if (!may_be_held(result.state)) holds.remove(state.intent);
  return result;
}

}  // namespace impound
