// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One attempt of a run, seen by the parent: checks each call [I12], answers
/// from the journal or through the host, and walks the steps.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "lua/host/child_process.hpp"
#include "lua/host/playbook_run.hpp"

namespace impound::lua {

class PlaybookSession {
 public:
  /// All outlive the session.
  PlaybookSession(const LoadedPlaybook& playbook, const RunOptions& options,
                  PlaybookHost& host)
      : playbook_(playbook), options_(options), host_(host) {}

  /// Walks all steps with a child that has loaded the playbook and awaits
  /// orders.
  [[nodiscard]] RunOutcome run(ChildProcess& child);

 private:
  /// What the parent answers to a call, and whether the run ends here.
  struct Reply {
    Json message = {};
    std::string waiting = {};  ///< not empty: what for
    /// Not empty: a call was tried and not answered, and why. The run ends
    /// here, and resume tries it again.
    std::string attempted = {};
  };

  [[nodiscard]] bool ask_for_reads();
  void run_step(ChildProcess& child, std::size_t index, StepOutcome& outcome);
  static void answer(ChildProcess& child, const Json& message);
  [[nodiscard]] Reply handle(const ChildMessage& message, const StepInfo& step);
  [[nodiscard]] Reply perform(const HostCall& call);
  [[nodiscard]] Json perform_in_host(const HostCall& call, std::int64_t n);
  [[nodiscard]] Reply plan(const HostCall& call,
                           const std::vector<Touch>& touches);
  [[nodiscard]] Reply refusal(const Error& error);
  [[nodiscard]] bool is_answered() const;
  [[nodiscard]] Reply replay(const RecordedCall& recorded,
                             const HostCall& call);
  void require_declared(HostCall& call, const StepInfo& step);
  void require_allowed(HostCall& call, const StepInfo& step);
  void require_as_declared(const HostCall& call) const;
  void require_same_call(const RecordedCall& recorded, const HostCall& call);
  void learn(const HostCall& call, const Json& answer);
  void learn_lack(const HostCall& call, const Json& answer);
  void learn_lack_of(const Json& answer, const std::string& state);
  [[nodiscard]] std::string failed_before(const StepInfo& step) const;
  void stop(const ChildEnd& end);

  const LoadedPlaybook& playbook_;
  const RunOptions& options_;
  PlaybookHost& host_;
  RunOutcome outcome_;
  /// Acts that a "yes" within this step allows, with the number of the call
  /// that asked. One yes allows one act: the act takes it away.
  std::map<GuardedAct, std::int64_t> allowed_;
  std::vector<std::string> lacks_;  ///< why the present step is incomplete
  std::set<std::string> failed_;    ///< steps that failed, or waited for one
  /// Nothing more is done in the present step: a handler of the playbook's may
  /// still ask.
  bool is_step_refused_ = false;
  std::int64_t requests_ = 0;
  bool is_over_ = false;
};

}  // namespace impound::lua
