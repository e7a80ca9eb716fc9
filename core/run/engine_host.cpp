// SPDX-License-Identifier: Apache-2.0
#include "core/run/engine_host.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/engine/baseline_check.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/findings.hpp"
#include "core/engine/model_sides.hpp"
#include "core/engine/model_signatures.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/places.hpp"
#include "core/engine/release.hpp"
#include "core/engine/scans.hpp"
#include "core/engine/served_model.hpp"
#include "core/engine/snapshot.hpp"

// A function of ctx that has no handler here does not compile.
#pragma GCC diagnostic error "-Wswitch"

namespace impound {
namespace {

constexpr std::string_view kSource = "playbook call";

/// A path as it was admitted: absolute, or "" if there is none.
std::string path_in(const Json& arguments, std::string_view key) {
  return from_lossless_utf8(text_or(arguments, key, ""));
}

/// A place as it was admitted. What is no absolute path is an exhibit of the
/// case, and never a file of that name that lies in the working folder.
std::string place_in(const CaseFile& case_file, const Json& arguments,
                     std::string_view key) {
  std::string place = path_in(arguments, key);
  if (!place.starts_with('/')) {
    const auto reference = parse_exhibit_reference(place);
    if (!reference) {
      throw Error(Errc::bad_input,
                  fmt::format("\"{}\" is no exhibit", printable(place)));
    }
    if (!case_file.exhibit(reference->exhibit)) {
      throw Error(Errc::bad_input, fmt::format("the case has no exhibit {}",
                                               reference->exhibit));
    }
  }
  return place;
}

std::vector<std::pair<std::string, std::string>> playbook_members(
    const RunSubject& subject) {
  std::vector<std::pair<std::string, std::string>> members;
  for (const auto& [name, text] : subject.playbook.sources) {
    members.emplace_back("playbook/" + name, text);
  }
  Json run;
  run["playbook"] = subject.playbook.id;
  run["version"] = subject.playbook.version;
  run["sha256"] = subject.playbook.sha256;
  run["parameters"] = subject.parameters.json();
  const ToolFacts tool = read_tool_facts();
  run["tool"] = {{"name", tool.name},
                 {"version", tool.version},
                 {"sha256", tool.executable_sha256}};
  members.emplace_back("playbook.json", dump_pretty(run));
  return members;
}

Outcome custody_outcome(lua::StepResult result) {
  switch (result) {
    case lua::StepResult::done:
      return Outcome::ok;
    case lua::StepResult::incomplete:
      return Outcome::incomplete;
    case lua::StepResult::skipped:
      return Outcome::skipped;
    case lua::StepResult::failed:
      return Outcome::failed;
  }
  return Outcome::failed;
}

}  // namespace

EngineHost::EngineHost(Session& session, const RunSubject& subject,
                       const RunTools& tools, RunListener& listener)
    : session_(session),
      subject_(subject),
      tools_(tools),
      listener_(listener),
      reach_(subject.deployment,
             {.given = subject.given,
              .reads = {subject.playbook.reads.begin(),
                        subject.playbook.reads.end()},
              .own = own_places(session.case_file.folder(), tools.key_file),
              .home = home_folder()},
             PlaybookReach::Disk::real) {
  journal_ = checked_journal(session.case_file, session.run);
}

EngineHost::~EngineHost() = default;

std::int64_t EngineHost::number_of(std::int64_t nth) {
  const auto in_force = static_cast<std::int64_t>(journal_.rows.size());
  if (nth <= in_force) {
    return journal_.rows[static_cast<std::size_t>(nth - 1)].n;
  }
  // A call that was begun and not answered keeps its number: what people said
  // to it counts.
  std::int64_t last = in_force == 0 ? 0 : journal_.rows.back().n;
  last = std::max(last, journal_.retried);
  return last + nth - in_force;
}

Json EngineHost::perform(const lua::HostCall& call, std::int64_t n) {
  session_.step = call.step;
  session_.slot.reset();
  if (!lua::rule_of(call.function).is_journaled()) return act(call);
  session_.slot = slot_of(call, n);
  require_not_stopped(to_string(call.function));
  Json answer = act(call);
  // Whatever has an entry of its own wrote the row with it. A call that waits
  // is performed again.
  if (session_.slot->is_answered || answer.contains("waiting")) return answer;
  if (session_.slot->is_repeatable) {
    require_not_stopped(to_string(call.function));
  }
  journal(answer);
  return answer;
}

void EngineHost::require_not_stopped(std::string_view what) const {
  if (!session_.cancellation.requested()) return;
  throw Error(Errc::io, fmt::format("{} was stopped on request", what));
}

Json EngineHost::act(const lua::HostCall& call) {
  using F = lua::CtxFunction;
  const Json& arguments = call.admitted;
  switch (call.function) {
    case F::collect:
      return collect(arguments);
    case F::items:
      return items(arguments);
    case F::read:
      return read(arguments);
    case F::contain:
      return contain_deployment(call);
    case F::release:
      return release_deployment(call);
    case F::probe:
      return probe();
    case F::served:
      return served();
    case F::diff:
      return diff(arguments);
    case F::load_baseline:
      return load_baseline(arguments);
    case F::verify:
      return verify(arguments);
    case F::verify_signature:
      return verify_signature(arguments);
    case F::scan:
      return scan(arguments);
    case F::finding:
      return finding(arguments);
    case F::note:
      return note(arguments);
    case F::gap:
      return gap(arguments);
    case F::ask:
      break;
  }
  return ask(call);
}

JournalSlot EngineHost::slot_of(const lua::HostCall& call, std::int64_t n) {
  Json record;
  record["function"] = to_string(call.function);
  record["step"] = call.step;
  record["arguments"] = call.arguments;
  return {.n = n,
          .call_sha256 = lua::call_sha256(call),
          .call = dump_line(record),
          .is_repeatable = lua::rule_of(call.function).is_repeatable()};
}

Json EngineHost::replayed(const lua::HostCall& call, std::int64_t /*n*/,
                          const Json& answer) {
  if (call.function != lua::CtxFunction::contain ||
      !answer.value("contained", false)) {
    return answer;
  }
  return contained_again(call, answer);
}

void EngineHost::journal(const Json& answer) {
  session_.case_file.append({}, session_.examiner, session_.journal(answer));
}

bool EngineHost::failed_so_before(std::int64_t n, const Error& error) const {
  const auto entries = session_.case_file.entries();
  return std::ranges::any_of(entries, [&](const Entry& entry) {
    if (text_or(entry.json, "run", "") != session_.run) return false;
    const Json& detail = entry.json.at("detail");
    return text_or(detail, "kind", "") == "attempt" &&
           detail.value("call", std::int64_t{0}) == n &&
           text_or(detail, "code", "") == to_string(error.code()) &&
           text_or(detail, "error", "") == lossless_utf8(error.what());
  });
}

lua::FailedCall EngineHost::failed(const lua::HostCall& call, std::int64_t n,
                                   const Error& error) {
  session_.step = call.step;
  const bool is_stopped = session_.cancellation.requested();
  if (!is_stopped && (is_answer(error) || failed_so_before(n, error))) {
    Json answer;
    answer["error"] = {{"code", to_string(error.code())},
                       {"message", lossless_utf8(error.what())}};
    journal(answer);
    return lua::FailedCall::answered;
  }
  EntryDraft draft = session_.draft("note");
  draft.outcome = Outcome::failed;
  draft.detail = {
      {"kind", "attempt"},
      {"text", fmt::format("call {}, {}, was tried and not answered", n,
                           to_string(call.function))},
      {"call", n},
      {"function", to_string(call.function)},
      {"code", is_stopped ? "stopped" : to_string(error.code())},
      {"error", lossless_utf8(error.what())}};
  session_.case_file.append({draft}, session_.examiner);
  return lua::FailedCall::attempted;
}

std::optional<lua::RecordedCall> EngineHost::recorded(std::int64_t n) {
  const auto found = std::ranges::find(journal_.rows, n, &JournalRow::n);
  if (found == journal_.rows.end()) return std::nullopt;
  lua::RecordedCall call{.call_sha256 = found->call_sha256,
                         .answer = std::nullopt,
                         .call = found->call};
  if (!found->answer.empty()) {
    call.answer = parse_json(found->answer, "journal of " + session_.run);
  }
  return call;
}

lua::PlannedCall EngineHost::plan(const lua::HostCall& call) {
  return lua::plan_from_arguments(call);
}

void EngineHost::step_started(const lua::StepInfo& step) {
  session_.step = step.id;
  EntryDraft draft = session_.draft("playbook.step");
  draft.detail["phase"] = "start";
  draft.detail["title"] = step.title;
  draft.detail["effect"] = to_string(step.effect);
  session_.case_file.append({draft}, session_.examiner);
  Json event;
  event["event"] = "step";
  event["run"] = session_.run;
  event["step"] = step.id;
  event["title"] = step.title;
  session_.progress.event(event);
}

void EngineHost::step_ended(const lua::StepInfo& step, lua::StepResult result,
                            const std::string& message) {
  session_.step = step.id;
  EntryDraft draft = session_.draft("playbook.step");
  draft.detail["phase"] = "end";
  draft.detail["title"] = step.title;
  draft.detail["result"] = to_string(result);
  draft.detail["reason"] = lossless_utf8(message);
  draft.outcome = custody_outcome(result);
  session_.case_file.append({draft}, session_.examiner);
  Json event;
  event["event"] = "step_end";
  event["run"] = session_.run;
  event["step"] = step.id;
  event["result"] = to_string(result);
  event["message"] = lossless_utf8(message);
  session_.progress.event(event);
}

Json EngineHost::collect(const Json& arguments) {
  const std::string name = require_text(arguments, "collector", kSource);
  if (const auto adopted = recover_snapshot(session_)) {
    return adopted->to_json();
  }
  SnapshotRequest request{.deployment = subject_.deployment};
  const Collector& collector =
      find_collector(tools_.instruments.collectors, name);
  request.collectors.push_back(
      {.collector = &collector,
       .arguments = arguments_for(collector,
                                  require_key(arguments, "arguments", kSource),
                                  Spelling::values, session_.clock.now())});
  request.title = title_of(request.collectors, subject_.deployment);
  request.purpose = fmt::format("playbook {} {}, step {}", subject_.playbook.id,
                                subject_.playbook.version, session_.step);
  request.meta = playbook_members(subject_);
  const Snapshot snapshot = take_snapshot(session_, request);
  Json event;
  event["event"] = "exhibit";
  event.update(snapshot.to_json());
  session_.progress.event(event);
  return snapshot.to_json();
}

const BundleReader& EngineHost::reader(const std::string& exhibit) {
  auto& slot = readers_[exhibit];
  if (!slot) slot = open_exhibit(session_.case_file, exhibit);
  return *slot;
}

Json EngineHost::items(const Json& arguments) {
  const BundleReader& bundle =
      reader(require_text(arguments, "exhibit", kSource));
  const std::string pattern = text_or(arguments, "pattern", "");
  const std::uint64_t after = require_u64(arguments, "after", kSource);
  const std::uint64_t limit = require_u64(arguments, "limit", kSource);
  Json page = Json::array();
  Json answer;
  answer["items"] = Json::array();
  answer["next"] = nullptr;
  for (const Item& item : bundle.items()) {
    if (item.number <= after) continue;
    if (!pattern.empty() && !glob_match(pattern, item.name)) continue;
    if (page.size() == limit) {
      answer["next"] = page.back().at("number");
      break;
    }
    Json one;
    one["number"] = item.number;
    one["name"] = lossless_utf8(item.name);
    one["kind"] = to_string(item.kind);
    one["size"] = item.size_stored;
    one["sha256"] = item.sha256.hex();
    one["outcome"] = to_string(item.outcome);
    one["source"] = lossless_utf8(item.source);
    one["collector"] = item.collector;
    one["slice"] = !item.ranges.empty();
    page.push_back(std::move(one));
  }
  answer["items"] = std::move(page);
  return answer;
}

Json EngineHost::read(const Json& arguments) {
  const std::string exhibit = require_text(arguments, "exhibit", kSource);
  const BundleReader& bundle = reader(exhibit);
  const std::uint64_t number = require_u64(arguments, "item", kSource);
  const Item* item = bundle.find(number);
  if (item == nullptr) {
    throw Error(Errc::bad_input,
                fmt::format("{} has no item {}", exhibit, number));
  }
  const Bytes content =
      bundle.open(*item)->head(require_u64(arguments, "offset", kSource),
                               require_u64(arguments, "length", kSource));
  return {{"base64", to_base64(content)}};
}

bool EngineHost::is_approved(std::int64_t ask, GuardedAct act) const {
  return approvals_for(
             session_.case_file,
             subject_of_call(session_.case_file, session_.run, ask, act),
             session_.clock.now())
             .missing == 0;
}

std::optional<Json> EngineHost::wait_for_approvals(std::int64_t ask,
                                                   GuardedAct act) {
  const ApprovalSubject subject =
      subject_of_call(session_.case_file, session_.run, ask, act);
  const ApprovalState state =
      approvals_for(session_.case_file, subject, session_.clock.now());
  if (state.missing == 0) return std::nullopt;
  const OpenApproval open = request_approval(session_, subject);
  const std::filesystem::path& folder = session_.case_file.folder();
  return Json{{"waiting",
               fmt::format("{} approval{} of another examiner than {} to {}: "
                           "{}; then {}",
                           state.missing, state.missing == 1 ? "" : "s",
                           printable(open.requester), subject.what,
                           next_command(folder, {"approve", session_.run,
                                                 "--reason", "WHY"}),
                           next_command(folder, {"resume", session_.run}))}};
}

Json EngineHost::authority_of(const lua::HostCall& call, GuardedAct act) {
  Json authority;
  for (const JournalRow& row : session_.case_file.journal(session_.run)) {
    if (row.n != call.allowed_by) continue;
    const Json asked = parse_json(row.call, "journal of " + session_.run);
    const Json said = parse_json(row.answer, "journal of " + session_.run);
    authority["basis"] = fmt::format(
        "\"{}\" was answered {} by {} in {} of playbook {} {}",
        text_or(asked.at("arguments"), "id", ""), text_or(said, "answer", ""),
        text_or(said, "by", ""), session_.run, subject_.playbook.id,
        subject_.playbook.version);
  }
  authority["question_call"] = call.allowed_by;
  authority["approvals"] =
      approvals_for(session_.case_file,
                    subject_of_call(session_.case_file, session_.run,
                                    call.allowed_by, act),
                    session_.clock.now())
          .grants;
  return authority;
}

Json EngineHost::contain_deployment(const lua::HostCall& call) {
  const Json& arguments = call.arguments;
  const std::string name =
      text_or(arguments, "method", subject_.deployment.containment_method);
  if (auto waiting = wait_for_approvals(call.allowed_by, GuardedAct::contain)) {
    return *waiting;
  }
  Json authority = authority_of(call, GuardedAct::contain);
  const std::string purpose =
      text_or(arguments, "reason", "playbook " + subject_.playbook.id);
  const Json& given = require_key(arguments, "arguments", kSource);
  const bool is_all = text_or(arguments, "method", "").empty() &&
                      subject_.deployment.containment_methods().size() > 1;
  if (is_all) {
    if (!given.empty()) {
      throw Error(Errc::bad_input,
                  fmt::format("{} names several containment methods: name the "
                              "one that the arguments are for",
                              printable(subject_.deployment.name)));
    }
    const ContainAllResult all =
        contain_all(session_, {.deployment = subject_.deployment,
                               .methods = tools_.instruments.containments,
                               .purpose = purpose,
                               .authority = std::move(authority),
                               .probe = tools_.probe});
    Json answer = all.to_json();
    tell_containment(answer);
    if (!all.is_contained()) require_not_stopped("contain");
    return answer;
  }
  const Containment& method =
      find_containment(tools_.instruments.containments, name);
  const ContainResult result = contain(
      session_,
      {.deployment = subject_.deployment,
       .method = method,
       .arguments = arguments_for(subject_.deployment, method, given,
                                  Spelling::values, session_.clock.now()),
       .purpose = purpose,
       .authority = std::move(authority),
       .probe = tools_.probe});
  Json answer = result.to_json();
  tell_containment(answer);
  if (!result.is_contained()) require_not_stopped("contain");
  return answer;
}

void EngineHost::tell_containment(const Json& answer) {
  Json event;
  event["event"] = "containment";
  event.update(answer);
  session_.progress.event(event);
}

/// The rest of a run rests on a containment that was measured before the run
/// stopped. A reboot or a person may have ended it since, so it is measured
/// again: contained again if it was ended by nobody who said so, else the run
/// goes on with a gap that says what is.
Json EngineHost::contained_again(const lua::HostCall& call,
                                 const Json& answer) {
  session_.step = call.step;
  // Its row is answered once and for all: what is measured now stands in the
  // custody entries, and the playbook gets the answer that it went on from.
  session_.slot.reset();
  std::string lost;
  try {
    lost = released_since();
    if (lost.empty() && !is_approved(call.allowed_by, GuardedAct::contain)) {
      // To look is allowed without leave, to contain again is not.
      if (holds_now()) return answer;
      lost =
          "the approvals that the case asks for have ended, so it was not "
          "contained again";
    }
    if (lost.empty()) {
      const Json now = contain_deployment(call);
      if (now.value("contained", false)) return answer;
      lost = text_or(now, "reason", text_or(now, "waiting", ""));
    }
  } catch (const Error& error) {
    lost = error.what();
  }
  // The playbook went on from "contained" and its later calls are recorded, so
  // it gets that answer again, and what is different now is said beside it.
  Json told = answer;
  told["holds_now"] = false;
  told["reason"] = lossless_utf8(
      "contained when it was recorded, and not any more: " + lost);
  add_gap(session_, "containment", text_or(told, "reason", ""), "failed");
  Json event = told;
  event["contained"] = false;
  tell_containment(event);
  return told;
}

/// Measured now: what this run contained last is in force.
bool EngineHost::holds_now() const {
  return std::ranges::any_of(
      measure_containments(session_.case_file, tools_.instruments.containments,
                           session_.clock, session_.cancellation),
      [&](const ContainmentNow& one) {
        return one.row.run == session_.run &&
               one.measured == Containedness::contained;
      });
}

/// Why it is not wanted contained any more; "" if that is not so. What this run
/// did last counts: it may have contained again when it was resumed before.
std::string EngineHost::released_since() const {
  bool is_released = false;
  for (const ContainmentRow& row : session_.case_file.containments()) {
    if (row.run == session_.run) {
      is_released = row.state == ContainmentState::released;
    }
  }
  return is_released ? "a release of this case gave it back, and it is not "
                       "contained again behind the back of whoever did so"
                     : "";
}

Json EngineHost::release_deployment(const lua::HostCall& call) {
  const Json& arguments = call.arguments;
  if (auto waiting = wait_for_approvals(call.allowed_by, GuardedAct::release)) {
    return *waiting;
  }
  const auto results =
      release(session_, {.methods = tools_.instruments.containments,
                         .probe = tools_.probe,
                         .purpose = text_or(arguments, "reason",
                                            "playbook " + subject_.playbook.id),
                         .authority = authority_of(call, GuardedAct::release),
                         .deployment = subject_.deployment.name,
                         .descriptor = &subject_.deployment});
  Json list = Json::array();
  bool is_released = !results.empty();
  std::string reason;
  for (const ReleaseResult& result : results) {
    is_released = is_released && result.is_released();
    if (!result.is_released()) {
      reason += (reason.empty() ? "" : "; ") + result.why;
    }
    list.push_back(result.to_json());
  }
  if (!is_released) require_not_stopped("release");
  Json answer;
  answer["released"] = is_released;
  answer["reason"] = lossless_utf8(reason);
  answer["results"] = std::move(list);
  return answer;
}

Json EngineHost::probe() {
  Json list = Json::array();
  bool any_forbidden_answers = false;
  for (const Probe& one : subject_.deployment.probes) {
    const ProbeResult result = tools_.probe(one);
    any_forbidden_answers =
        any_forbidden_answers ||
        (result.answered && !result.connected_only &&
         one.after_containment == ProbeExpectation::forbidden);
    list.push_back({{"name", result.name},
                    {"what", lossless_utf8(result.what)},
                    {"answered", result.answered},
                    {"connected_only", result.connected_only},
                    {"detail", lossless_utf8(result.detail)},
                    {"elapsed_ms", result.elapsed_ms}});
  }
  // Silence alone contains nothing: without a method that measures, unknown.
  MeasuredState state;
  state.why = "the deployment names no containment method that could measure";
  if (!subject_.deployment.containment_method.empty()) {
    state = measured_by_all();
  }
  Json answer;
  answer["contained"] =
      state.measured == Containedness::contained && !any_forbidden_answers;
  answer["measured"] = to_string(state.measured);
  answer["why"] = lossless_utf8(state.why);
  answer["probes"] = std::move(list);
  return answer;
}

/// By every method that the deployment names: contained if all say so.
MeasuredState EngineHost::measured_by_all() {
  std::optional<MeasuredState> whole;
  for (const std::string& name : subject_.deployment.containment_methods()) {
    const Containment& method =
        find_containment(tools_.instruments.containments, name);
    MeasuredState one =
        measure(method,
                {.deployment = subject_.deployment,
                 .arguments = settings_or_none(subject_.deployment, method,
                                               session_.clock.now()),
                 .clock = session_.clock,
                 .cancellation = session_.cancellation,
                 .case_id = session_.case_file.id()},
                Json::object());
    if (!whole) {
      whole = std::move(one);
      continue;
    }
    whole->why += "; " + one.why;
    if (one.measured != Containedness::contained &&
        whole->measured != Containedness::not_contained) {
      whole->measured = one.measured;
    }
  }
  return whole.value_or(MeasuredState{});
}

Json EngineHost::served() {
  const Json answer = measure_served_model(session_, subject_.deployment);
  Json event;
  event["event"] = "served";
  event.update(answer);
  session_.progress.event(event);
  return answer;
}

Json EngineHost::diff(const Json& arguments) {
  const ModelSide before = open_model_side(
      place_in(session_.case_file, arguments, "a"), &session_.case_file);
  const ModelSide after = open_model_side(
      place_in(session_.case_file, arguments, "b"), &session_.case_file);
  return compare_sides(before, after, ExplainOptions{}, session_.progress,
                       session_.cancellation, &session_)
      .to_json();
}

Json EngineHost::load_baseline(const Json& arguments) {
  const std::string path = arguments.contains("path")
                               ? place_in(session_.case_file, arguments, "path")
                               : subject_.deployment.baseline_path.native();
  if (path.empty()) {
    throw Error(Errc::bad_input,
                "the deployment names no baseline ([model] baseline)");
  }
  const ModelSide side = open_model_side(path, &session_.case_file);
  const BaselineCheck check = check_baseline(side);
  // Of training data it is read as well; whoever compares says what it needs.
  const bool is_data = check.kind == BaselineKind::dataset &&
                       check.signature != BaselineSignature::invalid;
  if (!is_data) check.require_usable();
  Json answer = check.to_json();
  answer["name"] = side.baseline ? side.baseline->name : "";
  answer["files"] = Json::array();
  if (side.baseline) {
    answer["made_at"] = side.baseline->made_at;
    answer["tensors"] = side.baseline->view.tensors.size();
    for (const ViewFile& file : side.baseline->view.files) {
      answer["files"].push_back(
          {{"path", lossless_utf8(file.path)},
           {"size", file.size},
           {"sha256", file.sha256 ? Json(file.sha256->hex()) : Json(nullptr)}});
    }
  } else {
    for (const TreeFile& file : side.tree->files()) {
      if (file.kind != FileKind::regular) continue;
      answer["files"].push_back(
          {{"path", lossless_utf8(file.name)}, {"size", file.size}});
    }
  }
  return answer;
}

Json EngineHost::verify(const Json& arguments) {
  return verify_exhibit(session_, require_text(arguments, "exhibit", kSource),
                        0)
      .to_json();
}

Json EngineHost::verify_signature(const Json& arguments) {
  const std::string subject =
      place_in(session_.case_file, arguments, "subject");
  const std::string key = path_in(arguments, "key");
  if (!arguments.contains("signature")) {
    return check_baseline_signature(session_, subject, key);
  }
  SignatureRequest request;
  request.subject = subject;
  request.key = key;
  request.signature = path_in(arguments, "signature");
  request.place = request.signature.starts_with('/')
                      ? SignaturePlace::anywhere
                      : SignaturePlace::with_evidence;
  for (const Json& one : arguments.value("certificate_chain", Json::array())) {
    request.certificate_chain.push_back(
        from_lossless_utf8(one.get<std::string>()));
  }
  request.sigstore = arguments.value("sigstore", false);
  request.identity = text_or(arguments, "identity", "");
  request.issuer = text_or(arguments, "issuer", "");
  request.unsigned_compare = arguments.value("unsigned_compare", false);
  request.ignore_unsigned_files =
      arguments.value("ignore_unsigned_files", false);
  request.enforce_time = arguments.value("enforce_time", false);
  const SignatureReport report =
      check_signature(request, &session_.case_file, session_.clock,
                      session_.progress, session_.cancellation);
  Json answer = report.to_json();
  record_signature_check(session_, request, report, answer);
  return answer;
}

Json EngineHost::scan(const Json& arguments) {
  const std::string subject =
      place_in(session_.case_file, arguments, "subject");
  const Json answer = to_json(scan_subject(
      subject, &session_.case_file, session_.progress, session_.cancellation));
  record_scan(session_, subject, answer);
  return answer;
}

Json EngineHost::finding(const Json& arguments) {
  Finding finding;
  // Words that call_check did not know never came here.
  finding.verdict =
      finding_verdict_from(require_text(arguments, "verdict", kSource)).value();
  finding.severity =
      finding_severity_from(text_or(arguments, "severity", "info")).value();
  finding.title = require_text(arguments, "title", kSource);
  finding.detail = text_or(arguments, "detail", "");
  for (const Json& one : require_key(arguments, "evidence", kSource)) {
    finding.items.push_back(one.get<std::string>());
  }
  finding.playbook = subject_.playbook.id + " " + subject_.playbook.version;
  const std::string id = add_finding(session_, finding);
  Json event;
  event["event"] = "finding";
  event["finding"] = id;
  event["verdict"] = to_string(finding.verdict);
  event["severity"] = to_string(finding.severity);
  event["title"] = finding.title;
  event["detail"] = finding.detail;
  event["items"] = finding.items;
  session_.progress.event(event);
  return {{"finding", id}};
}

Json EngineHost::note(const Json& arguments) {
  EntryDraft draft = session_.draft("note");
  draft.detail["text"] =
      lossless_utf8(require_text(arguments, "text", kSource));
  session_.case_file.append({draft}, session_.examiner,
                            session_.journal(Json::object()));
  return Json::object();
}

Json EngineHost::gap(const Json& arguments) {
  add_gap(session_, require_text(arguments, "subject", kSource),
          require_text(arguments, "reason", kSource),
          text_or(arguments, "outcome", "missing"));
  return Json::object();
}

GivenAnswer EngineHost::answer_of_examiner(const std::string& text,
                                           const std::string& basis) const {
  return {.text = text,
          .basis = basis,
          .by = session_.examiner.actor.name,
          .at = format_time(session_.clock.now())};
}

/// Nothing at all where nobody can be asked.
EngineHost::Said EngineHost::hear_person(const Question& question) {
  const auto said = listener_.ask(question, session_.cancellation);
  if (!said) return {};
  switch (said->how) {
    case AskedHow::answered:
      return {answer_of_examiner(said->text, "asked at the terminal"), {}};
    case AskedHow::defaulted:
      return {answer_of_examiner(said->text,
                                 "asked at the terminal, Enter took the "
                                 "default " +
                                     said->text),
              {}};
    case AskedHow::interrupted:
      return {std::nullopt, ", left unanswered: interrupted,"};
    case AskedHow::ended:
      break;
  }
  return {std::nullopt, ", left unanswered: the input ended,"};
}

/// What was said for this run on this command line comes first; a word spoken
/// to this very question before a blanket --yes.
EngineHost::Said EngineHost::hear(const Question& question) {
  const GivenConsent& consent = subject_.consent;
  if (const auto given = consent.answers.find(question.id);
      given != consent.answers.end()) {
    return {answer_of_examiner(given->second,
                               fmt::format("given on the command line: "
                                           "--answer {}={}",
                                           question.id, given->second)),
            {}};
  }
  if (auto pending = pending_answer(session_, question)) return {pending, {}};
  if (consent.yes && question.approves != GuardedAct::none) {
    return {answer_of_examiner("yes", "given on the command line: --yes"), {}};
  }
  return hear_person(question);
}

/// Writes the answer down before the run waits for something else.
void EngineHost::keep_answer(const Question& question, std::int64_t call,
                             const GivenAnswer& answer) {
  record_question(session_, question);
  const auto before = pending_answer(session_, question);
  if (before && before->text == answer.text) return;
  record_pending_answer(session_,
                        {.question = question,
                         .run = session_.run,
                         .step = session_.step,
                         .call = call,
                         .given = std::nullopt},
                        answer);
}

Json EngineHost::ask(const lua::HostCall& call) {
  const Question question = Question::from_json(call.arguments, kSource);
  Said said = hear(question);
  if (said.answer && !question.admits(said.answer->text)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\" ({}) is no answer to \"{}\": expected {}",
                            printable(said.answer->text), said.answer->basis,
                            printable(question.id), question.admitted()));
  }
  if (!said.answer) {
    record_question(session_, question);
    const std::filesystem::path& folder = session_.case_file.folder();
    const std::string answer = question.choices.empty()
                                   ? question.otherwise.value_or("YOUR ANSWER")
                               : question.otherwise ? *question.otherwise
                                                    : question.choices.front();
    return {
        {"waiting",
         fmt::format("an answer to \"{}\"{} ({}): {}; then {}",
                     printable(question.id), said.silence, question.admitted(),
                     next_command(
                         folder, {"answer", session_.run, question.id, answer}),
                     next_command(folder, {"resume", session_.run}))}};
  }
  if (question.approves != GuardedAct::none && said.answer->text == "yes") {
    const std::int64_t n = session_.slot->n;
    if (!is_approved(n, question.approves)) {
      // Said once: nobody is asked again when the approval is there.
      keep_answer(question, n, *said.answer);
      return wait_for_approvals(n, question.approves).value();
    }
  }
  return record_answer(session_, question, *said.answer);
}

}  // namespace impound
