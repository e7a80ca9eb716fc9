// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Runs a playbook in its child process and hands its calls to a host.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "lua/host/playbook.hpp"
#include "lua/host/playbook_host.hpp"

namespace impound::lua {

enum class RunMode : std::uint8_t {
  plan,  ///< every call is described and answered with a stand-in
  run,
};

struct RunOptions {
  Arguments parameters = {};  ///< by arguments_for() of the playbook
  /// What ctx.deployment shows: name, description, model_path, baseline_path,
  /// containment_method, logs[], probes[]. `containment_method` is also what
  /// ctx:contain() without a method means.
  Json deployment = Json::object();
  Instruments instruments = {};
  /// What durations count back from where a call means a time by them.
  TimeNs now = 0;
  RunMode mode = RunMode::run;
  /// Hash of the sources that the run was started with; empty for a new run.
  /// Another hash than the playbook's is refused.
  std::string resumed_sha256;
  /// Version of this program, compared with needs.min_tool; may be empty.
  std::string tool_version;
  ChildOptions child;
};

enum class RunState : std::uint8_t {
  done,         ///< every step ran or was skipped by its own condition
  failed,       ///< at least one step failed, or the child was ended
  waiting,      ///< an approval or an answer is missing; resume later
  interrupted,  ///< cancellation was requested
};

[[nodiscard]] std::string_view to_string(RunState state) noexcept;

struct StepOutcome {
  StepInfo step;
  StepResult result = StepResult::skipped;
  std::string message;  ///< why, unless done
  bool has_ended =
      false;  ///< false: not reached, or left because the run waits
  /// Skipped because this earlier step, which it builds on, failed or was
  /// itself skipped for that reason; "" for all others.
  std::string blocked_by;
};

/// One act of a plan.
struct PlannedAct {
  std::string step;
  CtxFunction function;
  Json arguments = Json::object();  ///< as they were admitted
  std::vector<Touch> touches;       ///< what it would touch outside
  std::string sentence;
  std::string at;
};

/// A question that a plan met.
struct PlannedQuestion {
  Question question;
  std::string step;
};

struct RunOutcome {
  RunState state = RunState::done;
  std::string message;                     ///< why, unless done
  std::vector<StepOutcome> steps;          ///< every step, in order
  std::vector<PlannedAct> plan;            ///< plan mode only
  std::vector<PlannedQuestion> questions;  ///< plan mode only, as asked
  /// A call was refused because the playbook did not declare it or may not
  /// reach what it names.
  bool is_refused = false;
  /// The child was ended, or its bounds were used up: a second attempt would
  /// compute the same.
  bool is_cut_short = false;
  /// What the child gave up before it saw the playbook (isolate.hpp).
  Json isolation = Json::object();
  std::int64_t calls = 0;     ///< journaled calls
  std::int64_t replayed = 0;  ///< of these, answered from the journal
  std::string worst_verdict;  ///< a FindingVerdict's word, or ""
  /// A call that holds evidence against something else was answered: diff,
  /// scan, verify_signature.
  bool has_compared = false;
};

/// Runs all steps. What goes wrong inside the playbook is in the outcome.
/// @throws Error{bad_input} for a changed playbook on resume, or a path that
/// differs from the recorded one; Error{io}
///         if the child cannot be started.
[[nodiscard]] RunOutcome run_playbook(const LoadedPlaybook& playbook,
                                      const RunOptions& options,
                                      PlaybookHost& host);

}  // namespace impound::lua
