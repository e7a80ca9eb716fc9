// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a scan says about a file: findings, and the verdict they lead to.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/formats/problem.hpp"

namespace impound {

/// What loading the file would do, from harmless to hostile. Ordered: the
/// verdict of a whole is the greatest of its parts.
enum class Verdict : std::uint8_t {
  no_code,          ///< the format cannot carry code and nothing is odd
  weights_only_ok,  ///< torch.load(weights_only=True) would accept it
  allow_listed,     ///< code, all of it on the allow-list
  needs_review,     ///< something nobody vouched for, or undecidable
  malicious,        ///< code that no model needs
};

/// "no-code", "weights-only-ok", "allow-listed", "needs-review", "malicious".
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

/// The verdict that a finding of this severity forces: medium and high need a
/// look, critical is hostile; info and low force nothing.
[[nodiscard]] Verdict verdict_of(Severity severity) noexcept;

/// One statement about one place in one file.
struct ScanFinding {
  std::string rule;  ///< id in the catalogue: "pickle-dangerous-call"
  Severity severity = Severity::medium;
  std::uint64_t offset = 0;  ///< bytes into `member`, or into the file if empty
  std::string member;        ///< "archive/data.pkl", "a.zip!b/c.pkl"; may be ""
  std::string message;       ///< what was found
  std::string evidence;      ///< what would be executed, with its arguments
  std::string atlas;         ///< MITRE ATLAS id; "" takes the catalogue's

  friend bool operator==(const ScanFinding&, const ScanFinding&) = default;
};

}  // namespace impound
