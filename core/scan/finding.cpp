// SPDX-License-Identifier: Apache-2.0
#include "core/scan/finding.hpp"

namespace impound {

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::no_code:
      return "no-code";
    case Verdict::weights_only_ok:
      return "weights-only-ok";
    case Verdict::allow_listed:
      return "allow-listed";
    case Verdict::needs_review:
      return "needs-review";
    case Verdict::malicious:
      return "malicious";
  }
  return "needs-review";
}

Verdict verdict_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::info:
    case Severity::low:
      return Verdict::no_code;
    case Severity::medium:
    case Severity::high:
      return Verdict::needs_review;
    case Severity::critical:
      return Verdict::malicious;
  }
  return Verdict::needs_review;
}

}  // namespace impound
