// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What probes prove, and what they do not.
///
/// A probe is asked before and after. Only one that answered before and is
/// silent now proves that something was taken out of service; one that was
/// silent all along, or only connects, proves nothing and is not counted.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// What a pair of answers means.
enum class ProbeMeaning : std::uint8_t {
  // after containment
  fell_silent,       ///< answered before, is silent now: proves it
  still_answers,     ///< must be silent, and is not: disproves it
  silent_all_along,  ///< silent before and after: proves nothing
  goes_on,           ///< must go on answering, and does
  must_go_on,        ///< must go on answering, and is silent: not as wanted
  // after release or rollback
  answers_again,   ///< proves it
  stays_silent,    ///< disproves it
  never_answered,  ///< was silent before the containment too: proves nothing
  // either
  only_connects,  ///< the kernel does that for a frozen process: nothing
  not_asked,      ///< wrong on our own side, which must not pass for silence
};

struct ProbeJudgement {
  ProbeResult before;
  ProbeResult after;
  ProbeExpectation expectation = ProbeExpectation::forbidden;
  ProbeMeaning meaning = ProbeMeaning::only_connects;

  [[nodiscard]] bool is_met() const;    ///< does not speak against it
  [[nodiscard]] bool is_proof() const;  ///< speaks for it
  [[nodiscard]] std::string why() const;
};

/// All probes of one act.
struct ProbeJudgements {
  std::vector<ProbeJudgement> all;
  /// Why none was asked, though there may be some; "" if they were.
  std::string why_none = {};

  [[nodiscard]] bool are_met() const;
  [[nodiscard]] std::size_t proofs() const;
  /// "probe models still answers: HTTP 200; probe …"; "" if all are met.
  [[nodiscard]] std::string unmet() const;
  /// "1 of 2 probes answered before and is silent now" and its like; says so
  /// where no probe proves anything.
  [[nodiscard]] std::string proof() const;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;  ///< a table, one line a probe
};

[[nodiscard]] std::vector<ProbeResult> run_probes(const Deployment& deployment,
                                                  ProbeFunction probe);

[[nodiscard]] Json probes_json(const std::vector<ProbeResult>& results);
/// What probes_json() wrote, for the probes that `deployment` has; one that is
/// not in it counts as silent.
[[nodiscard]] std::vector<ProbeResult> probes_from_json(
    const Json& json, const Deployment& deployment);

/// Asks again and judges: a forbidden probe must have fallen silent, an allowed
/// one must go on answering. `before` is in the order of the deployment.
[[nodiscard]] ProbeJudgements judge_containment(
    const Deployment& deployment, const std::vector<ProbeResult>& before,
    ProbeFunction probe);

/// Asks again, with some patience: what queued up is worked off first. Each
/// probe that answered before the containment must answer again.
[[nodiscard]] ProbeJudgements judge_return(
    const Deployment& deployment, const std::vector<ProbeResult>& before,
    ProbeFunction probe, const Cancellation& cancellation);

}  // namespace impound
