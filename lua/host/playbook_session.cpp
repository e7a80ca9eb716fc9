// SPDX-License-Identifier: Apache-2.0
#include "lua/host/playbook_session.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/evidence/finding_words.hpp"
#include "lua/host/call_check.hpp"

namespace impound::lua {
namespace {

/// Acts of one run: each is an entry of the chain, which a person reads and a
/// verifier checks. The instructions of the child bound only what it computes,
/// and a call costs it next to nothing.
constexpr std::int64_t kMaxCalls = 20'000;

/// Requests of one run, reads of sealed evidence too: a whole exhibit of a
/// terabyte by reads of 1 MiB.
constexpr std::int64_t kMaxRequests = 1'000'000;

/// Code of the error with which a playbook is made to leave its step.
constexpr std::string_view kLeft = "waiting";

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

Json error_message(std::string_view code, const std::string& message,
                   bool is_fatal) {
  return Json{
      {"t", "answer"},
      {"error",
       Json{{"code", code}, {"message", message}, {"fatal", is_fatal}}}};
}

std::string position_of(const StepInfo& step) {
  return "playbook.lua:" + std::to_string(step.line);
}

bool is_call(const std::variant<ChildMessage, ChildEnd>& received) {
  const auto* message = std::get_if<ChildMessage>(&received);
  return message != nullptr && message->kind == ChildMessage::Kind::call;
}

Json answer_message(const Json& answer) {
  return Json{{"t", "answer"}, {"ok", answer}};
}

}  // namespace

RunOutcome PlaybookSession::run(ChildProcess& child) {
  for (const StepInfo& step : playbook_.steps) {
    outcome_.steps.push_back({.step = step,
                              .result = StepResult::skipped,
                              .message = "not reached",
                              .blocked_by = {}});
  }
  outcome_.isolation = child.isolation();
  if (!ask_for_reads()) return std::move(outcome_);
  child.send(Json{{"t", "begin"},
                  {"params", options_.parameters.json()},
                  {"deployment", options_.deployment}});
  for (std::size_t i = 0; i < outcome_.steps.size() && !is_over_; ++i) {
    StepOutcome& outcome = outcome_.steps[i];
    const std::string cause = failed_before(outcome.step);
    if (!cause.empty()) {
      outcome.message = "step " + cause + " did not succeed";
      outcome.blocked_by = cause;
      failed_.insert(outcome.step.id);
      outcome.has_ended = true;
      host_.step_ended(outcome.step, outcome.result, outcome.message);
      continue;
    }
    run_step(child, i, outcome);
  }
  return std::move(outcome_);
}

/// What the playbook wants to read besides the deployment is asked for before
/// its first step, as a call of its own: it is recorded, waits and is answered
/// as every question.
/// @return false if the run ends here.
bool PlaybookSession::ask_for_reads() {
  if (playbook_.reads.empty()) return true;
  HostCall call{.function = CtxFunction::ask,
                .step = {},
                .arguments = {},
                .at = "playbook.lua, needs.reads"};
  try {
    host_.reach().require_admissible_reads();
  } catch (const Error& error) {
    outcome_.is_refused = true;
    outcome_.state = RunState::failed;
    outcome_.message = error.what();
    return false;
  }
  std::string paths;
  for (const std::string& path : playbook_.reads) {
    paths += (paths.empty() ? "" : ", ") + path;
  }
  call.arguments =
      Json{{"id", kReadsQuestion},
           {"question",
            "May the playbook " + playbook_.id + " " + playbook_.version +
                " read, besides what the deployment names: " + paths + "?"},
           {"choices", {"yes", "no"}},
           {"approves", to_string(GuardedAct::read)}};
  call.admitted = call.arguments;
  const Reply reply =
      options_.mode == RunMode::plan ? plan(call, {}) : perform(call);
  if (!reply.waiting.empty()) {
    outcome_.state = RunState::waiting;
    outcome_.message = reply.waiting;
    return false;
  }
  if (!reply.attempted.empty()) {
    outcome_.state = RunState::interrupted;
    outcome_.message = reply.attempted;
    return false;
  }
  if (const auto error = reply.message.find("error");
      error != reply.message.end()) {
    outcome_.state = RunState::failed;
    outcome_.message = "needs.reads: " + text_or(*error, "message", "");
    return false;
  }
  return true;
}

std::string PlaybookSession::failed_before(const StepInfo& step) const {
  for (const std::string& id : step.after) {
    if (failed_.contains(id)) return id;
  }
  return {};
}

void PlaybookSession::stop(const ChildEnd& end) {
  is_over_ = true;
  outcome_.state = end.why == ChildEnd::Why::cancelled ? RunState::interrupted
                                                       : RunState::failed;
  outcome_.is_cut_short = outcome_.state == RunState::failed;
  outcome_.message = end.message;
}

void PlaybookSession::run_step(ChildProcess& child, std::size_t index,
                               StepOutcome& outcome) {
  const StepInfo& step = outcome.step;
  allowed_.clear();
  lacks_.clear();
  is_step_refused_ = false;
  host_.step_started(step);
  const auto end_step = [&](StepResult result, const std::string& message) {
    outcome.result = result;
    outcome.message = message;
    outcome.has_ended = true;
    if (result == StepResult::failed) {
      failed_.insert(step.id);
      if (outcome_.state == RunState::done) {
        outcome_.state = RunState::failed;
        outcome_.message = "step " + step.id + ": " + message;
      }
    }
    host_.step_ended(step, result, message);
  };
  child.send(Json{{"t", "step"}, {"index", index + 1}});
  for (;;) {
    const auto received = child.receive();
    if (is_over_ && !is_call(received)) return;
    if (const auto* end = std::get_if<ChildEnd>(&received)) {
      stop(*end);
      end_step(StepResult::failed, end->message);
      return;
    }
    const auto& message = std::get<ChildMessage>(received);
    if (message.kind == ChildMessage::Kind::call) {
      if (is_over_) {  // the step is being left
        child.send(error_message(kLeft, outcome_.message, true));
        continue;
      }
      if (is_step_refused_) {  // what runs when a refused step is left
        child.send(error_message("refused", "the step was refused", true));
        continue;
      }
      const Reply reply = handle(message, step);
      if (reply.waiting.empty() && reply.attempted.empty()) {
        answer(child, reply.message);
        continue;
      }
      is_over_ = true;
      if (reply.attempted.empty()) {
        outcome_.state = RunState::waiting;
        outcome_.message = reply.waiting;
        outcome.message = "waiting: " + reply.waiting;
      } else {
        // Steps behind it may rest on what it would have said: they are not
        // begun, so that nothing is recorded that another answer would belie.
        outcome_.state = RunState::interrupted;
        outcome_.message = reply.attempted;
        outcome.message = reply.attempted;
      }
      child.send(error_message(kLeft, outcome_.message, true));
    } else if (message.kind == ChildMessage::Kind::step_ended) {
      if (message.failure) {
        ChildFailure failure = *message.failure;
        if (failure.at.empty()) failure.at = position_of(step);
        end_step(StepResult::failed, failure.text());
        is_over_ = message.failure->fatal;
        outcome_.is_cut_short =
            outcome_.is_cut_short || (is_over_ && !outcome_.is_refused);
      } else if (!message.ran) {
        end_step(StepResult::skipped, "its condition does not hold");
      } else if (!lacks_.empty()) {
        end_step(StepResult::incomplete, join(lacks_, "; "));
      } else {
        end_step(StepResult::done, "");
      }
      return;
    } else {
      const std::string text = message.kind == ChildMessage::Kind::failed
                                   ? message.failure->text()
                                   : "the playbook process broke the protocol";
      stop({.why = ChildEnd::Why::babbled, .message = text});
      end_step(StepResult::failed, text);
      return;
    }
  }
}

void PlaybookSession::answer(ChildProcess& child, const Json& message) {
  try {
    child.send(message);
  } catch (const Error& error) {  // larger than a message may be
    child.send(error_message(to_string(error.code()), error.what(), false));
  }
}

PlaybookSession::Reply PlaybookSession::handle(const ChildMessage& message,
                                               const StepInfo& step) {
  const CallRule* const known = find_call_rule(message.function);
  if (known == nullptr) {
    return {.message = error_message(
                to_string(Errc::bad_input),
                "there is no function ctx:" + printable(message.function),
                false)};
  }
  const CallRule& rule = *known;
  HostCall call{.function = rule.function,
                .step = step.id,
                .arguments = message.arguments,
                .at = printable(message.at)};
  // A tail call (`return ctx:…`) leaves no line behind.
  if (call.at.empty()) call.at = position_of(step);
  try {
    if (++requests_ > kMaxRequests ||
        (rule.is_journaled() && outcome_.calls >= kMaxCalls)) {
      is_step_refused_ = true;
      outcome_.is_cut_short = true;
      return {.message = error_message(
                  "limit",
                  "the playbook asked more than " +
                      std::to_string(rule.is_journaled() ? kMaxCalls
                                                         : kMaxRequests) +
                      " times: a loop that does not end?",
                  true)};
    }
    call.arguments = check_arguments(rule, call.arguments);
    if (rule.effect == CallEffect::ask) require_as_declared(call);
  } catch (const Error& error) {
    return {.message =
                error_message(to_string(error.code()), error.what(), false)};
  }
  try {
    require_declared(call, step);
    require_allowed(call, step);
  } catch (const Error& error) {
    return refusal(error);
  }
  try {
    check_instrument(options_.instruments, rule, call.arguments, options_.now);
  } catch (const Error& error) {
    return {.message =
                error_message(to_string(error.code()), error.what(), false)};
  }
  // A recorded answer touches nothing again.
  call.admitted = call.arguments;
  std::vector<Touch> touches;
  if (!rule.is_journaled() || !is_answered()) {
    try {
      auto admitted =
          admit_call(host_.reach(), options_.instruments, rule, call.arguments);
      call.admitted = std::move(admitted.arguments);
      touches = std::move(admitted.touches);
    } catch (const Error& error) {
      if (error.code() == Errc::bad_input) return refusal(error);
      return {.message =
                  error_message(to_string(error.code()), error.what(), false)};
    }
  }
  if (options_.mode == RunMode::plan) return plan(call, touches);
  if (rule.is_journaled()) return perform(call);
  try {
    return {.message = answer_message(perform_in_host(call, 0))};
  } catch (const Error& error) {
    return {.message =
                error_message(to_string(error.code()), error.what(), false)};
  }
}

/// Not to be swallowed by a pcall: the playbook left what it promised.
PlaybookSession::Reply PlaybookSession::refusal(const Error& error) {
  outcome_.is_refused = true;
  is_step_refused_ = true;
  return {.message = error_message("refused", error.what(), true)};
}

/// The next journaled call has an answer in the journal.
bool PlaybookSession::is_answered() const {
  if (options_.mode == RunMode::plan) return false;
  const auto recorded = host_.recorded(host_.number_of(outcome_.calls + 1));
  return recorded && recorded->answer;
}

void PlaybookSession::require_declared(HostCall& call, const StepInfo& step) {
  if (call.function == CtxFunction::collect) {
    const auto name = call.arguments["collector"].get<std::string>();
    if (!contains(playbook_.collectors, name)) {
      throw Error(Errc::bad_input,
                  "collect(\"" + printable(name) +
                      "\") is not declared: add it to needs.collectors");
    }
  }
  if (rule_of(call.function).leave() == GuardedAct::none) return;
  if (step.effect != Effect::contain) {
    throw Error(Errc::bad_input,
                std::string(to_string(call.function)) + "() in step " +
                    step.id +
                    " is not declared: the step needs effect = \"contain\"");
  }
  if (call.function == CtxFunction::contain) {
    const std::string of_deployment =
        text_or(options_.deployment, "containment_method", "");
    const bool is_named = call.arguments.contains("method");
    const std::string method =
        is_named ? call.arguments["method"].get<std::string>() : of_deployment;
    if (method.empty()) {
      throw Error(Errc::bad_input,
                  "contain() names no method and the deployment has none");
    }
    // Where none is named, all that the descriptor names are meant; and
    // "deployment" stands for whatever it names.
    std::vector<std::string> methods{method};
    const auto all = options_.deployment.find("containment_methods");
    if (!is_named && all != options_.deployment.end() && all->is_array() &&
        all->size() > 1) {
      methods = all->get<std::vector<std::string>>();
    }
    for (const std::string& one : methods) {
      const bool is_declared = contains(playbook_.containments, one) ||
                               ((!is_named || one == of_deployment) &&
                                contains(playbook_.containments, "deployment"));
      if (is_declared) continue;
      throw Error(Errc::bad_input,
                  "contain(\"" + printable(one) +
                      "\") is not declared: add it to needs.containments (or "
                      "\"deployment\" for the method its descriptor names)");
    }
    if (methods.size() > 1) return;
    call.arguments["method"] = method;
  }
}

/// A person said yes to this act, in this step, and it was not done since.
void PlaybookSession::require_allowed(HostCall& call, const StepInfo& step) {
  const GuardedAct act = rule_of(call.function).leave();
  if (act == GuardedAct::none) return;
  const auto leave = allowed_.find(act);
  if (leave == allowed_.end()) {
    throw Error(Errc::bad_input,
                std::string(to_string(call.function)) + "() in step " +
                    step.id +
                    " was not approved: ask before each, in the same step, "
                    "with ctx:ask({ …, approves = \"" +
                    std::string(to_string(act)) + "\" }), and heed the answer");
  }
  call.allowed_by = leave->second;
  allowed_.erase(leave);
}

/// A declared question is asked as it was declared: people answered that one.
void PlaybookSession::require_as_declared(const HostCall& call) const {
  const Question asked = Question::from_json(call.arguments, "ask");
  if (asked.id == kReadsQuestion) {
    throw Error(Errc::bad_input,
                "ask: the question \"reads\" is the one of needs.reads, which "
                "the tool asks before the first step");
  }
  for (const Question& declared : playbook_.questions) {
    if (declared.id != asked.id) continue;
    if (declared.choices != asked.choices ||
        declared.approves != asked.approves) {
      throw Error(Errc::bad_input,
                  "ask: the question \"" + printable(asked.id) +
                      "\" is declared with other choices or another act: "
                      "questions of the playbook has " +
                      dump_line(declared.to_json()));
    }
  }
}

Json PlaybookSession::perform_in_host(const HostCall& call, std::int64_t n) {
  try {
    return host_.perform(call, n);
  } catch (const Json::exception& error) {
    throw Error(Errc::bad_input, std::string(to_string(call.function)) +
                                     ": an argument or an answer is not of the "
                                     "expected type: " +
                                     error.what());
  }
}

void PlaybookSession::require_same_call(const RecordedCall& recorded,
                                        const HostCall& call) {
  if (recorded.call_sha256 == call_sha256(call)) return;
  throw Error(Errc::bad_input,
              "the playbook took another path than recorded: call " +
                  std::to_string(outcome_.calls) + " is now " +
                  std::string(to_string(call.function)) + " in step " +
                  call.step + " at " + call.at + " with SHA-256 " +
                  call_sha256(call) + ", recorded was " + recorded.call_sha256 +
                  recorded.description());
}

PlaybookSession::Reply PlaybookSession::perform(const HostCall& call) {
  const std::int64_t n = host_.number_of(++outcome_.calls);
  if (const auto recorded = host_.recorded(n)) {
    require_same_call(*recorded, call);
    if (recorded->answer) return replay(*recorded, call);
  }
  try {
    const Json answer = perform_in_host(call, n);
    const std::string waiting = text_or(answer, "waiting", "");
    if (!waiting.empty()) return {.message = {}, .waiting = waiting};
    learn(call, answer);
    return {.message = answer_message(answer)};
  } catch (const Error& error) {
    if (host_.failed(call, n, error) == FailedCall::attempted) {
      return {.message = {},
              .attempted = std::string(to_string(call.function)) + " at " +
                           call.at + ": " + error.what() +
                           "; that is no answer: resume tries it again"};
    }
    return {.message =
                error_message(to_string(error.code()), error.what(), false)};
  }
}

PlaybookSession::Reply PlaybookSession::replay(const RecordedCall& recorded,
                                               const HostCall& call) {
  ++outcome_.replayed;
  const Json& answer = *recorded.answer;
  if (const auto error = answer.find("error");
      error != answer.end() && error->is_object()) {
    return {.message =
                error_message(text_or(*error, "code", "io"),
                              text_or(*error, "message", "failed"), false)};
  }
  const Json now =
      host_.replayed(call, host_.number_of(outcome_.calls), answer);
  learn(call, now);
  return {.message = answer_message(now)};
}

PlaybookSession::Reply PlaybookSession::plan(
    const HostCall& call, const std::vector<Touch>& touches) {
  const CallRule& rule = rule_of(call.function);
  if (rule.is_journaled()) ++outcome_.calls;
  PlannedCall planned;
  try {
    planned = host_.plan(call);
  } catch (const Error& error) {
    // What makes no sense ends the plan, before anything is touched. What
    // cannot be read now is an error of this call, as it would be in a run.
    if (error.code() == Errc::bad_input) throw;
    return {.message =
                error_message(to_string(error.code()), error.what(), false)};
  }
  if (rule.effect == CallEffect::ask) {
    outcome_.questions.push_back(
        {.question = Question::from_json(call.arguments, "ask"),
         .step = call.step});
  }
  if (rule.is_journaled()) {
    outcome_.plan.push_back({.step = call.step,
                             .function = call.function,
                             .arguments = call.admitted,
                             .touches = touches,
                             .sentence = planned.sentence,
                             .at = call.at});
  }
  learn(call, planned.answer);
  return {.message = answer_message(planned.answer)};
}

/// What keeps the present step from having done what its title says.
void PlaybookSession::learn_lack(const HostCall& call, const Json& answer) {
  switch (call.function) {
    case CtxFunction::gap:
      lacks_.push_back(text_or(call.arguments, "subject", "") + ": " +
                       text_or(call.arguments, "reason", ""));
      return;
    case CtxFunction::collect:
      if (answer.value("empty_handed", Json()) == true) {
        lacks_.push_back(text_or(call.arguments, "collector", "") +
                         ": nothing could be taken");
      }
      return;
    case CtxFunction::served:
      if (answer.contains("pids") && answer["pids"].is_array() &&
          answer["pids"].empty()) {
        lacks_.push_back(
            text_or(answer, "sentence", "no process was looked at"));
      }
      return;
    case CtxFunction::contain:
      return learn_lack_of(answer, "contained");
    case CtxFunction::release:
      return learn_lack_of(answer, "released");
    case CtxFunction::ask:
      if (call.arguments.contains("approves") &&
          text_or(answer, "answer", "") != "yes") {
        lacks_.push_back("\"" + text_or(call.arguments, "id", "") +
                         "\" was answered " + text_or(answer, "answer", "") +
                         ": " + text_or(call.arguments, "approves", "") +
                         " was not allowed");
      }
      return;
    default:  // says all in its answer
      return;
  }
}

/// Of an act: `state` is the word and the field for what it was to become.
void PlaybookSession::learn_lack_of(const Json& answer,
                                    const std::string& state) {
  // A containment that was recorded and no longer holds is not in force.
  if (answer.value(state, Json()) == true &&
      answer.value("holds_now", Json(true)) == true) {
    return;
  }
  const std::string why = text_or(answer, "reason", "");
  lacks_.push_back("the deployment was not measured to be " + state +
                   (why.empty() ? "" : ": " + why));
}

void PlaybookSession::learn(const HostCall& call, const Json& answer) {
  learn_lack(call, answer);
  if (rule_of(call.function).effect == CallEffect::compare) {
    outcome_.has_compared = true;
  }
  if (call.function == CtxFunction::ask &&
      call.arguments.contains("approves") &&
      text_or(answer, "answer", "") == "yes") {
    const auto act = guarded_act_from(text_or(call.arguments, "approves", ""));
    if (act == GuardedAct::read) {
      host_.reach().approve_reads();
      return;
    }
    if (act) allowed_[*act] = host_.number_of(outcome_.calls);
  }
  if (call.function == CtxFunction::finding) {
    const auto verdict =
        finding_verdict_from(text_or(call.arguments, "verdict", ""));
    const auto worst = finding_verdict_from(outcome_.worst_verdict);
    if (verdict && (!worst || *verdict > *worst)) {
      outcome_.worst_verdict = to_string(*verdict);
    }
  }
}

}  // namespace impound::lua
