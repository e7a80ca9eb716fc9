// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The life of a playbook run: it is started, or goes on where it stood.
///
/// What came of it is a value, computed from what was measured; whoever asked
/// for the run prints it. The run's beginning, every act and its end stand in
/// the record before they are told to anybody.

#include <string>
#include <vector>

#include "core/casefile/case_file.hpp"
#include "core/engine/status.hpp"
#include "core/run/run_listener.hpp"
#include "core/run/run_request.hpp"
#include "lua/host/playbook_run.hpp"
#include "lua/host/run_verdict.hpp"

namespace impound {

/// A run that came to its end, or to where it waits for somebody.
struct RunResult {
  std::string run;       ///< "R001"
  std::string playbook;  ///< its id
  std::string version;
  lua::RunOutcome outcome;
  lua::RunConclusion conclusion;
  std::vector<FindingRow> findings;  ///< of this run
  std::string head;                  ///< of the chain, behind the run's end
  CaseStatus status;  ///< what is open in the case then, measured
};

/// A new run of a playbook in the listener's case.
/// @throws Error{bad_input} before anything is written, for what plan_run() and
///         check_consent() refuse.
[[nodiscard]] RunResult start_run(const RunRequest& request,
                                  const RunTools& tools, RunListener& listener);

/// Goes on with a run of the listener's case. The chain is checked whole, and
/// the journal held against it, before anything is replayed.
/// @throws Error{integrity} if the record does not verify.
[[nodiscard]] RunResult resume_run(const ResumeRequest& request,
                                   const RunTools& tools,
                                   RunListener& listener);

}  // namespace impound
