// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is said about evidence, and by whom it was allowed: findings, gaps,
/// questions, answers, approvals.

#include <optional>
#include <string>
#include <vector>

#include "core/engine/session.hpp"

namespace impound {

struct Finding {
  std::string verdict;   ///< cleared, cleared (files only), likely, confirmed
  std::string severity;  ///< info, low, medium, high, critical
  std::string title;
  std::string detail;
  std::vector<std::string> items;  ///< "E001", "E001/17"
  std::string playbook;            ///< "weights-tampering 1.0.0"; may be empty
};

/// Writes a finding into the chain and returns its id ("F001").
/// @throws Error{bad_input} for an unknown verdict or severity, or a finding
///         that rests on nothing, or on evidence that the case does not hold
///         sealed.
[[nodiscard]] std::string add_finding(Session& session, const Finding& finding);

/// Records that something was looked for and not obtained [I6]; needs no
/// exhibit.
void add_gap(Session& session, const std::string& subject,
             const std::string& reason, const std::string& outcome);

/// Writes the question of a playbook that nobody has answered yet.
void request_answer(Session& session, const Json& question);

/// Writes an answer; returns {"answer","by","at"} (and journals it).
[[nodiscard]] Json record_answer(Session& session, const Json& question,
                                 const std::string& answer,
                                 const std::string& basis);

/// The newest answer to a question of a run that stands in the chain.
[[nodiscard]] std::optional<std::string> recorded_answer(
    const CaseFile& case_file, std::string_view run, std::string_view id);

/// How many distinct examiners other than the one who started the run must
/// still approve before it may contain; 0 if the case asks for none.
[[nodiscard]] int approvals_missing(const CaseFile& case_file,
                                    std::string_view run);

/// Ids of the approval.grant entries of a run.
[[nodiscard]] std::vector<std::string> approval_ids(const CaseFile& case_file,
                                                    std::string_view run);

void request_approval(Session& session, const std::string& plan_sha256,
                      const std::string& what);

/// Grants or denies the acts of a run, by the session's examiner.
void decide_approval(Session& session, const std::string& run, bool granted,
                     const std::string& reason);

}  // namespace impound
