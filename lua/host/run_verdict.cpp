// SPDX-License-Identifier: Apache-2.0
#include "lua/host/run_verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/evidence/finding_words.hpp"

namespace impound::lua {
namespace {

/// One row a verdict, in the order of the enumerators.
struct VerdictText {
  std::string_view word;
  std::string_view sentence;
};
constexpr std::array<VerdictText, 8> kTexts{{
    {"findings", "something was found that needs a look"},
    {"incomplete",
     "nothing suspicious was recorded, and what stands below was not done"},
    {to_string(FindingVerdict::cleared_files_only),
     "the files are clean; what the process runs could not be tied to them"},
    {to_string(FindingVerdict::cleared),
     "every finding of the run clears what it is about"},
    {"nothing found", "compared, and nothing was recorded as a finding"},
    {"failed", "a part of the run failed; what it says is not the whole"},
    {"waiting", "the run is not over"},
    {"interrupted", "the run was stopped before its end"},
}};

constexpr std::string_view kNothingCompared =
    "nothing was compared: whether anything was tampered with is unknown";

const VerdictText& text_of(RunVerdict verdict) noexcept {
  return kTexts[static_cast<std::size_t>(verdict)];
}

RunVerdict verdict_of_ended(const RunConclusion& conclusion,
                            bool has_findings) {
  if (conclusion.suspicions > 0) return RunVerdict::findings;
  if (!conclusion.incomplete().empty()) return RunVerdict::incomplete;
  if (!has_findings) return RunVerdict::nothing_found;
  return conclusion.reserves.empty() ? RunVerdict::cleared
                                     : RunVerdict::cleared_files_only;
}

}  // namespace

std::string_view to_string(RunVerdict verdict) noexcept {
  return text_of(verdict).word;
}

std::vector<std::string> RunConclusion::incomplete() const {
  std::vector<std::string> reasons = undone;
  if (has_compared_nothing) reasons.emplace_back(kNothingCompared);
  return reasons;
}

std::string RunConclusion::to_text() const {
  const VerdictText& own = text_of(verdict);
  // Of a run whose steps are all done nothing "was not done".
  const bool is_all_done = undone.empty() && has_compared_nothing;
  std::string text = fmt::format(
      "Outcome: {}: {}.\n", own.word,
      is_all_done ? fmt::format("every step was done, and {}", kNothingCompared)
                  : std::string(own.sentence));
  if (verdict == RunVerdict::cleared_files_only) {
    for (const std::string& reserve : reserves) {
      if (!reserve.empty()) text += "  " + printable(reserve) + "\n";
    }
  }
  if (undone.empty()) return text;
  if (has_compared_nothing) {
    text += fmt::format("Besides, {}.\n", kNothingCompared);
  }
  text += verdict == RunVerdict::findings
              ? "It is incomplete besides; not done:\n"
              : "Not done:\n";
  for (const std::string& reason : undone) {
    text += "  " + printable(reason) + "\n";
  }
  return text;
}

RunConclusion conclude(const RunOutcome& outcome,
                       std::span<const FindingSaid> findings) {
  RunConclusion conclusion;
  for (const FindingSaid& finding : findings) {
    // A word of a newer program is no reason to be calm.
    const auto known = finding_verdict_from(finding.verdict);
    if (!known || !is_cleared(*known)) {
      ++conclusion.suspicions;
    } else if (*known == FindingVerdict::cleared_files_only) {
      conclusion.reserves.push_back(finding.detail);
    }
  }
  for (const StepOutcome& step : outcome.steps) {
    const std::string what = "step " + step.step.id + ": ";
    if (step.result == StepResult::incomplete ||
        step.result == StepResult::failed) {
      conclusion.undone.push_back(what + step.message);
    } else if (!step.blocked_by.empty()) {
      conclusion.undone.push_back(what + "skipped, " + step.message);
    } else if (!step.has_ended) {
      conclusion.undone.push_back(
          what + (step.message.empty() ? "not reached" : step.message));
    }
  }
  conclusion.has_compared_nothing = outcome.state == RunState::done &&
                                    !outcome.has_compared && findings.empty();
  switch (outcome.state) {
    case RunState::done:
      conclusion.verdict = verdict_of_ended(conclusion, !findings.empty());
      break;
    case RunState::failed:
      conclusion.verdict = RunVerdict::failed;
      break;
    case RunState::waiting:
      conclusion.verdict = RunVerdict::waiting;
      break;
    case RunState::interrupted:
      conclusion.verdict = RunVerdict::interrupted;
      break;
  }
  return conclusion;
}

}  // namespace impound::lua
