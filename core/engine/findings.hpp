// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is said about evidence: findings and gaps.

#include <string>
#include <vector>

#include "core/engine/session.hpp"
#include "core/evidence/finding_words.hpp"

namespace impound {

struct Finding {
  FindingVerdict verdict = FindingVerdict::likely;
  FindingSeverity severity = FindingSeverity::info;
  std::string title;
  std::string detail;
  std::vector<std::string> items;  ///< "E001", "E001/17"
  std::string playbook;            ///< "weights-tampering 1.0.0"; may be empty
};

/// Writes a finding into the chain and returns its id ("F001").
/// @throws Error{bad_input} for a finding that rests on nothing, or on evidence
///         that the case does not hold sealed.
[[nodiscard]] std::string add_finding(Session& session, const Finding& finding);

/// Records that something was looked for and not obtained [I6]; needs no
/// exhibit.
void add_gap(Session& session, const std::string& subject,
             const std::string& reason, const std::string& outcome);

}  // namespace impound
