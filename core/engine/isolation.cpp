// SPDX-License-Identifier: Apache-2.0
#include "core/engine/isolation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/deployment_record.hpp"
#include "core/evidence/exchange.hpp"

namespace impound {
namespace {

constexpr int kMeasureTries = 20;
constexpr int kMeasurePauseMs = 100;

/// `log` goes on from the measurements before.
MeasuredState measure_once(const Containment& method, const Target& target,
                           const Json& before, ExchangeLog& log) {
  MeasuredState state;
  Target asked = target;
  asked.exchanges = &log;
  try {
    state = method.state(asked, before);
  } catch (const Error& error) {
    state.was_looked_at = false;
    state.why = fmt::format("it could not be measured: {}", error.what());
  }
  if (!log.empty()) state.facts["exchanges"] = log.to_json();
  return state;
}

template <typename Wanted>
MeasuredState measure_until(const Containment& method, const Target& target,
                            const Json& before, Wanted wanted) {
  ExchangeLog log;
  MeasuredState state = measure_once(method, target, before, log);
  for (int tries = 1; tries < kMeasureTries && !wanted(state); ++tries) {
    // Only what takes a moment is waited for.
    if (state.measured == Containedness::unknown && !state.holds_something) {
      break;
    }
    pause_ms(kMeasurePauseMs);
    state = measure_once(method, target, before, log);
  }
  return state;
}

EntryDraft undo_draft(const Session& session, const UndoRequest& request,
                      std::string_view phase) {
  EntryDraft draft =
      isolation_draft(session, "isolate.undo", request.isolation);
  if (request.is_own) draft.refs = {request.intent};
  draft.detail["intent"] = request.intent;
  draft.detail["kind"] = to_string(request.kind);
  draft.detail["phase"] = phase;
  draft.detail["after"] = nullptr;
  if (!request.reason.empty()) {
    draft.detail["reason"] = lossless_utf8(request.reason);
  }
  if (!request.held_by.is_null()) draft.detail["held_by"] = request.held_by;
  return draft;
}

UndoEnd end_of(const MeasuredState& state, const ProbeJudgements& probes) {
  if (state.measured == Containedness::contained || state.holds_something) {
    return UndoEnd::still_held;
  }
  if (state.measured == Containedness::unknown) return UndoEnd::unknown;
  return probes.are_met() ? UndoEnd::back : UndoEnd::silent;
}

Outcome outcome_of(UndoKind kind, UndoEnd end) {
  if (end != UndoEnd::back) return Outcome::failed;
  return kind == UndoKind::release ? Outcome::ok : Outcome::rolled_back;
}

/// Measures and probes, and puts what came of it into the end entry.
void judge(const Session& session, const UndoRequest& request,
           const std::string& problem, Undone& undone) {
  undone.state = measure_until_back(request.isolation.method, request.target,
                                    request.before);
  if (request.why_no_probes.empty()) {
    undone.probes =
        judge_return(request.isolation.deployment, request.probes_before,
                     request.probe, session.cancellation);
  } else {
    undone.probes.why_none = request.why_no_probes;
  }
  undone.end = end_of(undone.state, undone.probes);
  undone.why = undone.state.why;
  if (undone.end == UndoEnd::silent) undone.why += "; " + undone.probes.unmet();
  if (!problem.empty()) undone.why = problem + "; " + undone.why;
  EntryDraft& entry = undone.entry;
  entry.detail["after"] = undone.done;
  entry.detail["probes"] = undone.probes.to_json();
  entry.detail["state"] = undone.state.to_json();
  entry.detail["end"] = to_string(undone.end);
  entry.detail["why"] = lossless_utf8(undone.why);
  entry.detail[request.kind == UndoKind::release ? "released" : "rolled_back"] =
      undone.end == UndoEnd::back;
  if (!problem.empty()) entry.detail["error"] = lossless_utf8(problem);
  entry.outcome = outcome_of(request.kind, undone.end);
}

}  // namespace

Arguments arguments_for(const Deployment& deployment, const Containment& method,
                        const Json& given, Spelling spelling, TimeNs now) {
  Json all = deployment.settings_of(method.name);
  for (const Parameter& one : method.parameters) {
    const auto value = all.find(one.name);
    if (value == all.end() || one.type != ParameterType::path ||
        !value->is_string()) {
      continue;
    }
    const fs::path path = from_lossless_utf8(value->get<std::string>());
    *value = lossless_utf8((deployment.descriptor.parent_path() / path)
                               .lexically_normal()
                               .native());
  }
  const bool is_of_descriptor = !all.empty() && given.empty();
  if (given.is_object()) all.update(given);
  try {
    return arguments_for(method, all, spelling, now);
  } catch (const Error& error) {
    if (!is_of_descriptor) throw;
    throw Error(error.code(),
                fmt::format("{}: [containment.{}]: {}",
                            printable(deployment.descriptor.native()),
                            method.name, error.what()));
  }
}

Arguments settings_or_none(const Deployment& deployment,
                           const Containment& method, TimeNs now) {
  try {
    return arguments_for(deployment, method, Json::object(), Spelling::values,
                         now);
  } catch (const Error& error) {
    if (error.code() != Errc::bad_input) throw;
    return {};
  }
}

std::vector<const Containment*> methods_of(
    const Deployment& deployment, std::span<const Containment* const> methods) {
  std::vector<const Containment*> found;
  const auto names = deployment.containment_methods();
  for (const Containment* method : methods) {
    if (!names.empty()) {
      if (std::ranges::find(names, method->name) != names.end()) {
        found.push_back(method);
      }
      continue;
    }
    const bool asks_for_none =
        std::ranges::none_of(method->parameters, &Parameter::is_required);
    if (asks_for_none) found.push_back(method);
  }
  return found;
}

EntryDraft isolation_draft(const Session& session, std::string_view action,
                           const Isolation& isolation) {
  EntryDraft draft = session.draft(action);
  draft.purpose = isolation.purpose;
  draft.authority = isolation.authority;
  Json object;
  object["kind"] = "deployment";
  object["path"] = isolation.deployment.name;
  draft.object = std::move(object);
  draft.detail["deployment"] = isolation.deployment.name;
  draft.detail["target"] = deployment_to_json(isolation.deployment);
  draft.detail["method"] = isolation.method.name;
  draft.detail["arguments"] = isolation.arguments;
  return draft;
}

MeasuredState measure(const Containment& method, const Target& target,
                      const Json& before) {
  ExchangeLog log;
  return measure_once(method, target, before, log);
}

MeasuredState measure_until_contained(const Containment& method,
                                      const Target& target,
                                      const Json& before) {
  return measure_until(method, target, before, [](const MeasuredState& state) {
    return state.measured == Containedness::contained;
  });
}

MeasuredState measure_until_back(const Containment& method,
                                 const Target& target, const Json& before) {
  return measure_until(method, target, before, is_back);
}

bool is_back(const MeasuredState& state) {
  return state.measured == Containedness::not_contained &&
         !state.holds_something;
}

bool may_be_held(const MeasuredState& state) {
  return state.measured == Containedness::contained || state.holds_something ||
         !state.was_looked_at;
}

std::string_view to_string(UndoKind kind) noexcept {
  constexpr std::array<std::string_view, 2> kNames{"release", "rollback"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(UndoEnd end) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"back", "silent",
                                                   "still held", "unknown"};
  return kNames[static_cast<std::size_t>(end)];
}

Undone undo_and_measure(Session& session, const UndoRequest& request) {
  EntryDraft intent = undo_draft(session, request, "before");
  intent.outcome = Outcome::intended;
  const Entry begun =
      session.case_file.append({intent}, session.examiner).front();

  Undone undone;
  undone.entry = undo_draft(session, request, "after");
  undone.entry.refs.push_back(begun.json.at("id").get<std::string>());
  std::string problem;
  ExchangeLog log;
  Target asked = request.target;
  asked.exchanges = &log;
  try {
    undone.done = request.isolation.method.undo(asked, request.before);
  } catch (const Error& error) {
    problem = error.what();
  }
  if (!log.empty()) undone.entry.detail["exchanges"] = log.to_json();
  judge(session, request, problem, undone);
  return undone;
}

Undone measure_undone(const Session& session, const UndoRequest& request,
                      const std::string& late_reason) {
  Undone undone;
  undone.entry = undo_draft(session, request, "after");
  undone.entry.late_reason = late_reason;
  judge(session, request, "", undone);
  return undone;
}

}  // namespace impound
