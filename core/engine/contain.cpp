// SPDX-License-Identifier: Apache-2.0
#include "core/engine/contain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/deployment_record.hpp"
#include "core/engine/snapshot.hpp"

namespace impound {
namespace {

Json probe_json(const ProbeResult& result) {
  Json json;
  json["name"] = result.name;
  json["what"] = lossless_utf8(result.what);
  json["answered"] = result.answered;
  json["detail"] = lossless_utf8(result.detail);
  json["elapsed_ms"] = result.elapsed_ms;
  return json;
}

Json judgements_json(const std::vector<ProbeJudgement>& judgements) {
  Json list = Json::array();
  for (const ProbeJudgement& judgement : judgements) {
    Json json;
    json["name"] = judgement.after.name;
    json["expected"] = judgement.expectation == ProbeExpectation::forbidden
                           ? "silent"
                           : "answers";
    json["before"] = probe_json(judgement.before);
    json["after"] = probe_json(judgement.after);
    json["met"] = judgement.is_met;
    json["why"] = judgement.why;
    list.push_back(std::move(json));
  }
  return list;
}

std::string judgements_text(const std::vector<ProbeJudgement>& judgements) {
  std::vector<std::vector<std::string>> rows;
  for (const ProbeJudgement& one : judgements) {
    rows.push_back({one.is_met ? "  ok" : "  NOT AS EXPECTED", one.after.name,
                    printable(one.after.what), one.why});
  }
  return format_table(rows);
}

/// A thawed server first works off what queued up while it was frozen: silence
/// counts only after this long.
constexpr int kReleaseTries = 10;

ProbeResult probe_until_it_answers(const Probe& probe, ProbeFunction ask,
                                   const Cancellation& cancellation) {
  ProbeResult result = ask(probe);
  for (int tries = 1; tries < kReleaseTries && !result.answered &&
                      !result.connected_only && !cancellation.requested();
       ++tries) {
    pause_ms(300);
    result = ask(probe);
  }
  return result;
}

std::vector<ProbeResult> run_probes(const Deployment& deployment,
                                    ProbeFunction probe) {
  std::vector<ProbeResult> results;
  for (const Probe& one : deployment.probes) results.push_back(probe(one));
  return results;
}

/// A forbidden probe must fall silent, an allowed one must go on answering. A
/// probe that never answered proves nothing, and says so.
ProbeJudgement judge_containment(const Probe& probe, ProbeResult before,
                                 ProbeResult after) {
  ProbeJudgement judgement;
  judgement.expectation = probe.after_containment;
  if (after.connected_only) {
    // The kernel completes connections for a frozen process.
    judgement.is_met = true;
    judgement.why = "only connects: proves neither service nor silence";
    judgement.before = std::move(before);
    judgement.after = std::move(after);
    return judgement;
  }
  if (probe.after_containment == ProbeExpectation::forbidden) {
    judgement.is_met = !after.answered;
    judgement.why = after.answered ? "still answers: " + after.detail
                    : before.answered
                        ? "answered before, is silent now"
                        : "silent before and after: proves nothing";
  } else {
    judgement.is_met = after.answered;
    judgement.why = after.answered
                        ? "still answers, as it must"
                        : "must answer and is silent: " + after.detail;
  }
  judgement.before = std::move(before);
  judgement.after = std::move(after);
  return judgement;
}

std::vector<ProbeJudgement> judge_all(const Deployment& deployment,
                                      std::vector<ProbeResult> before,
                                      ProbeFunction probe) {
  std::vector<ProbeJudgement> judgements;
  for (std::size_t i = 0; i < deployment.probes.size(); ++i) {
    const Probe& one = deployment.probes[i];
    judgements.push_back(
        judge_containment(one, std::move(before[i]), probe(one)));
  }
  return judgements;
}

EntryDraft isolation_draft(const Session& session, std::string_view action,
                           const ContainRequest& request) {
  EntryDraft draft = session.draft(action);
  draft.purpose = request.purpose;
  draft.authority = request.authority;
  Json object;
  object["kind"] = "deployment";
  object["path"] = request.deployment.name;
  draft.object = std::move(object);
  draft.detail["deployment"] = request.deployment.name;
  draft.detail["target"] = deployment_to_json(request.deployment);
  draft.detail["method"] = request.method.name;
  draft.detail["arguments"] = request.arguments;
  return draft;
}

/// Undoes what a failed or unproved containment did, and records that.
/// @return the undo entry's reason for a person.
void roll_back(Session& session, const ContainRequest& request,
               const Target& target, const Json& before,
               const std::string& apply_id, const std::string& why) {
  EntryDraft draft = isolation_draft(session, "isolate.undo", request);
  draft.refs = {apply_id};
  draft.detail["intent"] = apply_id;
  draft.detail["kind"] = "rollback";
  draft.detail["reason"] = lossless_utf8(why);
  draft.detail["after"] = nullptr;
  try {
    draft.detail["after"] = request.method.undo(target, before);
    draft.outcome = Outcome::rolled_back;
  } catch (const Error& error) {
    draft.outcome = Outcome::failed;
    draft.detail["error"] = lossless_utf8(error.what());
  }
  session.case_file.append({draft}, session.examiner);
}

std::string unmet_text(const std::vector<ProbeJudgement>& judgements) {
  std::string text;
  for (const ProbeJudgement& one : judgements) {
    if (one.is_met) continue;
    text += fmt::format("{}probe {} {}", text.empty() ? "" : "; ",
                        one.after.name, one.why);
  }
  return text;
}

}  // namespace

Json ContainResult::to_json() const {
  Json json;
  json["method"] = method;
  json["contained"] = is_contained;
  json["rolled_back"] = is_rolled_back;
  json["reason"] = reason;
  json["probes"] = judgements_json(probes);
  json["state"] = state;
  return json;
}

std::string ContainResult::to_text() const {
  std::string text =
      is_contained
          ? fmt::format("Contained by {}: proved by {} probes.\n", method,
                        probes.size())
          : fmt::format("NOT contained by {}: {}. {}\n", method, reason,
                        is_rolled_back ? "Everything was rolled back."
                                       : "Nothing was changed.");
  return text + judgements_text(probes);
}

Json ReleaseResult::to_json() const {
  Json json;
  json["deployment"] = deployment;
  json["method"] = method;
  json["released"] = is_released;
  json["reason"] = reason;
  json["probes"] = judgements_json(probes);
  json["done"] = done;
  return json;
}

std::string ReleaseResult::to_text() const {
  std::string text = is_released
                         ? fmt::format(
                               "{} is released: {} undone, proved by {} "
                               "probes.\n",
                               deployment, method, probes.size())
                         : fmt::format("{} is NOT proved to be back: {}\n",
                                       deployment, reason);
  return text + judgements_text(probes);
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

namespace {

/// A containment that an interrupted process left half done is undone first, so
/// that what is recorded as the state before is the state before it.
void undo_half_done(Session& session, const ContainRequest& request,
                    const Target& target) {
  for (const ContainmentRow& row : session.case_file.containments()) {
    const bool is_half_done = row.state == "intended" || row.state == "applied";
    if (!is_half_done || row.deployment != request.deployment.name ||
        row.method != request.method.name) {
      continue;
    }
    roll_back(session, request, target, row.before, row.id,
              "left half done by a process that ended");
  }
}

/// The containment of this deployment that is in force and was proved.
std::optional<ContainmentRow> in_force(const CaseFile& case_file,
                                       const ContainRequest& request) {
  for (ContainmentRow& row : case_file.containments()) {
    if (row.state == "contained" && row.deployment == request.deployment.name &&
        row.method == request.method.name) {
      return std::move(row);
    }
  }
  return std::nullopt;
}

EntryDraft verify_draft(const Session& session, const ContainRequest& request,
                        const ContainResult& result,
                        const std::string& apply_id) {
  EntryDraft verify = isolation_draft(session, "isolate.verify", request);
  verify.refs = {apply_id};
  verify.detail["intent"] = apply_id;
  verify.detail["expect"] = "contained";
  verify.detail["probes"] = judgements_json(result.probes);
  verify.detail["state"] = result.state;
  verify.detail["contained"] = result.is_contained;
  verify.outcome = result.is_contained ? Outcome::ok : Outcome::failed;
  return verify;
}

/// Contained already: measured again, not done again. Empty if it is no longer
/// in force.
std::optional<ContainResult> prove_again(
    Session& session, const ContainRequest& request, const Target& target,
    std::vector<ProbeResult> probes_before) {
  const auto row = in_force(session.case_file, request);
  if (!row) return std::nullopt;
  ContainResult result;
  result.method = request.method.name;
  result.before = row->before;
  result.state = request.method.state(target, row->before);
  result.probes =
      judge_all(request.deployment, std::move(probes_before), request.probe);
  result.is_contained = result.state.value("contained", false) &&
                        std::ranges::all_of(result.probes, [](const auto& one) {
                          return one.is_met;
                        });
  if (!result.is_contained) return std::nullopt;
  session.case_file.append({verify_draft(session, request, result, row->id)},
                           session.examiner, session.journal(result.to_json()));
  return result;
}

}  // namespace

ContainResult contain(Session& session, const ContainRequest& request) {
  check_arguments(request.method.name, request.method.parameters,
                  request.arguments);
  const Target target{.deployment = request.deployment,
                      .arguments = request.arguments,
                      .clock = session.clock,
                      .cancellation = session.cancellation};
  session.progress.begin("contain " + request.deployment.name, {});
  ContainResult result;
  result.method = request.method.name;
  undo_half_done(session, request, target);
  auto probes_before = run_probes(request.deployment, request.probe);
  if (auto proved = prove_again(session, request, target, probes_before)) {
    session.progress.end("contained already, proved again");
    return *proved;
  }
  result.before = request.method.before(target);

  // Durable before anything changes: undo() works from this entry alone.
  EntryDraft intent = isolation_draft(session, "isolate.apply", request);
  intent.detail["phase"] = "before";
  intent.detail["before"] = result.before;
  Json answered = Json::array();
  for (const ProbeResult& probe : probes_before) {
    answered.push_back(probe_json(probe));
  }
  intent.detail["probes"] = std::move(answered);
  intent.outcome = Outcome::intended;
  const std::string apply_id =
      session.case_file.append({intent}, session.examiner)
          .front()
          .json.at("id")
          .get<std::string>();

  EntryDraft applied = isolation_draft(session, "isolate.apply", request);
  applied.refs = {apply_id};
  applied.detail["phase"] = "after";
  applied.detail["intent"] = apply_id;
  applied.detail["after"] = nullptr;
  try {
    result.after = request.method.apply(target, result.before);
  } catch (const Error& error) {
    applied.outcome = Outcome::failed;
    applied.detail["error"] = lossless_utf8(error.what());
    session.case_file.append({applied}, session.examiner);
    roll_back(session, request, target, result.before, apply_id, error.what());
    session.progress.end("failed, rolled back");
    throw;
  }
  applied.detail["after"] = result.after;
  session.case_file.append({applied}, session.examiner);

  result.probes =
      judge_all(request.deployment, std::move(probes_before), request.probe);
  result.state = request.method.state(target, result.before);
  const bool is_state_met = result.state.value("contained", false);
  result.is_contained =
      is_state_met && std::ranges::all_of(result.probes, [](const auto& one) {
        return one.is_met;
      });
  if (!result.is_contained) {
    result.reason = is_state_met
                        ? unmet_text(result.probes)
                        : "the method measures that it is not in force: " +
                              dump_line(result.state);
    result.is_rolled_back = true;
  }
  session.case_file.append(
      {verify_draft(session, request, result, apply_id)}, session.examiner,
      result.is_contained ? session.journal(result.to_json())
                          : std::vector<JournalRow>{});
  if (!result.is_contained) {
    roll_back(session, request, target, result.before, apply_id, result.reason);
  }
  session.progress.end(result.is_contained ? "contained and proved"
                                           : "not contained, rolled back");
  return result;
}

namespace {

ReleaseResult release_one(Session& session, const ContainmentRow& row,
                          std::span<const Containment* const> methods,
                          ProbeFunction probe, const std::string& purpose) {
  const Deployment deployment =
      deployment_from_json(row.target, "custody entry " + row.id);
  const Containment& method = find_containment(methods, row.method);
  const ContainRequest request{.deployment = deployment,
                               .method = method,
                               .arguments = Json::object(),
                               .purpose = purpose,
                               .authority = nullptr,
                               .probe = probe};
  const Target target{.deployment = deployment,
                      .clock = session.clock,
                      .cancellation = session.cancellation};
  ReleaseResult result;
  result.deployment = deployment.name;
  result.method = row.method;
  session.progress.begin("release " + deployment.name, {});
  auto probes_before = run_probes(deployment, probe);

  EntryDraft draft = isolation_draft(session, "isolate.undo", request);
  draft.refs = {row.id};
  draft.detail["intent"] = row.id;
  draft.detail["kind"] = "release";
  draft.detail["after"] = nullptr;
  try {
    result.done = method.undo(target, row.before);
    draft.detail["after"] = result.done;
  } catch (const Error& error) {
    draft.outcome = Outcome::failed;
    draft.detail["error"] = lossless_utf8(error.what());
    session.case_file.append({draft}, session.examiner);
    session.progress.end("failed");
    throw;
  }
  result.is_released = true;
  for (std::size_t i = 0; i < deployment.probes.size(); ++i) {
    ProbeJudgement judgement;
    judgement.expectation = ProbeExpectation::allowed;
    judgement.before = std::move(probes_before[i]);
    judgement.after = probe_until_it_answers(deployment.probes[i], probe,
                                             session.cancellation);
    judgement.is_met =
        judgement.after.answered || judgement.after.connected_only;
    judgement.why = judgement.is_met ? "answers again"
                                     : "silent: " + judgement.after.detail;
    result.is_released = result.is_released && judgement.is_met;
    result.probes.push_back(std::move(judgement));
  }
  const Json state = method.state(target, row.before);
  if (state.value("contained", true)) {
    result.is_released = false;
    result.reason =
        "the method measures that it is still in force: " + dump_line(state);
  } else if (!result.is_released) {
    result.reason = unmet_text(result.probes);
  }
  draft.detail["probes"] = judgements_json(result.probes);
  draft.detail["state"] = state;
  draft.detail["released"] = result.is_released;
  // The undo itself is done; whether the service is back is what the probes
  // say, in detail.released.
  draft.outcome = Outcome::ok;
  session.case_file.append({draft}, session.examiner);
  session.progress.end(result.is_released ? "released and proved"
                                          : "undone, not proved");
  return result;
}

}  // namespace

std::vector<ReleaseResult> release(Session& session,
                                   const std::string& deployment_name,
                                   std::span<const Containment* const> methods,
                                   ProbeFunction probe,
                                   const std::string& purpose) {
  std::vector<ContainmentRow> rows = session.case_file.containments();
  std::ranges::reverse(rows);
  std::vector<ReleaseResult> results;
  for (const ContainmentRow& row : rows) {
    if (row.state == "released" || row.state == "rolled_back") continue;
    if (!deployment_name.empty() && row.deployment != deployment_name) continue;
    results.push_back(release_one(session, row, methods, probe, purpose));
  }
  return results;
}

}  // namespace impound
