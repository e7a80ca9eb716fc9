// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Taking a deployment out of service, and giving it back, as a transaction
/// that is proved by probes (design.md section 7).

#include <string>
#include <vector>

#include "core/engine/session.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

struct ContainRequest {
  const Deployment& deployment;
  const Containment& method;
  Json arguments = Json::object();
  std::string purpose;
  Json authority;  ///< who allowed it; null if nobody was asked
  ProbeFunction probe = nullptr;
};

/// One probe before and after, and what was to be expected.
struct ProbeJudgement {
  ProbeResult before;
  ProbeResult after;
  ProbeExpectation expectation = ProbeExpectation::forbidden;
  bool is_met = false;
  std::string why;
};

struct ContainResult {
  std::string method;
  bool is_contained = false;  ///< measured, never assumed
  bool is_rolled_back = false;
  std::string reason;  ///< why it is not contained; empty if it is
  std::vector<ProbeJudgement> probes;
  Json before;
  Json after;
  Json state;

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Records, applies, probes; keeps it if every probe is as expected and the
/// method measures the state it wanted, else rolls back and says why.
/// @throws Error if the method itself could not act; it is rolled back then.
[[nodiscard]] ContainResult contain(Session& session,
                                    const ContainRequest& request);

struct ReleaseResult {
  std::string deployment;
  std::string method;
  bool is_released = false;  ///< state restored and the probes answer again
  std::string reason;
  std::vector<ProbeJudgement> probes;
  Json done;

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Undoes every containment of the case that is not released yet (of one
/// deployment if `deployment_name` is not empty), newest first. Works after a
/// crash between record and act, in any later process.
[[nodiscard]] std::vector<ReleaseResult> release(
    Session& session, const std::string& deployment_name,
    std::span<const Containment* const> methods, ProbeFunction probe,
    const std::string& purpose);

/// @throws Error{bad_input} naming the methods there are.
[[nodiscard]] const Containment& find_containment(
    std::span<const Containment* const> methods, std::string_view name);

}  // namespace impound
