// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Approvals: a case may ask that N further examiners allow each act that takes
/// a deployment out of service (`case new --approvals N`).
///
/// They come on top of what the acting person said and never replace it. An
/// approval answers one request, made for one act: the call of a playbook's
/// question, or one containment by hand with its deployment, method and
/// arguments. It is worth nothing for another act, after its end, from somebody
/// who asked for the act, or from a key that nobody vouched for with the right
/// to approve; the keys of one person, tied by rotations, count once.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/questions.hpp"
#include "core/engine/session.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// The act that an approval is about.
struct ApprovalSubject {
  GuardedAct act = GuardedAct::contain;
  std::string what;         ///< for a person: "contain support-llm by process"
  std::string run;          ///< "R001"; empty = by hand
  std::int64_t call = 0;    ///< of the question that asked leave
  std::string plan_sha256;  ///< of the run's plan, or of the act by hand
  std::string sha256;       ///< of all that makes it this act and no other
  /// More than the case's policy asks for, where the act itself does: one that
  /// destroys evidence.
  int at_least = 0;
};

/// How many must allow an act that destroys evidence, whatever the policy.
inline constexpr int kApprovalsToDestroy = 2;

/// The act that call `call` of a run (a ctx:ask) asks leave for.
[[nodiscard]] ApprovalSubject subject_of_call(const CaseFile& case_file,
                                              const std::string& run,
                                              std::int64_t call,
                                              GuardedAct act);

/// A containment by hand.
[[nodiscard]] ApprovalSubject subject_by_hand(const Session& session,
                                              const Deployment& deployment,
                                              const std::string& method,
                                              const Json& arguments);

/// What the record says of the approvals for one act.
struct ApprovalState {
  int needed = 0;
  int missing = 0;
  std::vector<std::string> grants;  ///< ids of the entries that count
};

/// @throws Error{bad_input} if somebody denied it, as long as the request that
///         was denied would have stood.
[[nodiscard]] ApprovalState approvals_for(const CaseFile& case_file,
                                          const ApprovalSubject& subject,
                                          TimeNs now);

/// A request that still lacks approvals.
struct OpenApproval {
  std::string request;  ///< "A001": what approve and deny may be given
  std::string run;      ///< "R001"; empty = by hand
  std::string step;
  std::string what;
  std::string requester;  ///< who asked; whose own approval does not count
  std::string expires_at;
  int missing = 0;
};

/// Requests that are neither granted by enough people, denied, nor expired.
[[nodiscard]] std::vector<OpenApproval> open_approvals(
    const CaseFile& case_file, TimeNs now);

/// Asks for what is missing: writes the request, once while it is open, and
/// returns it.
[[nodiscard]] OpenApproval request_approval(Session& session,
                                            const ApprovalSubject& subject);

enum class Decision : std::uint8_t { granted, denied };

/// Grants or denies an open request, named as "A001" or by its run, as the
/// session's examiner.
/// @throws Error{bad_input} if there is no such request, or if whoever asked
///         for the act would approve it.
[[nodiscard]] OpenApproval decide_approval(Session& session,
                                           const std::string& request_or_run,
                                           Decision decision,
                                           const std::string& reason);

}  // namespace impound
