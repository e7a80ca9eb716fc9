// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one header a containment method includes.

#include <span>
#include <string>
#include <string_view>

#include "core/evidence/collector.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// One way of taking a deployment out of service and of giving it back.
///
/// The engine runs the transaction of design.md section 7: before → (custody
/// entry) → apply → (custody entry) → probes → keep or undo. Because `before`
/// is durable first, undo() works from it alone, in a later process, whether
/// apply() ran, ran half, or never ran. All functions are idempotent.
///
/// All throw Error{io} with the operating system's words where the act itself
/// is impossible.
struct Containment {
  std::string_view name;     ///< [a-z0-9-]+
  std::string_view summary;  ///< one sentence, with a full stop
  std::span<const Parameter> parameters;

  /// Records the exact state that undo() restores; changes nothing.
  Json (*before)(const Target& target);
  /// Takes the deployment out of service. Returns what was done.
  Json (*apply)(const Target& target, const Json& before);
  /// Restores the state recorded in `before`. Returns what was done.
  Json (*undo)(const Target& target, const Json& before);
  /// Measures the present state: {"contained": bool, …}; changes nothing.
  Json (*state)(const Target& target, const Json& before);
  /// One sentence a dry run shows.
  std::string (*describe)(const Target& target);
};

/// What a probe saw.
struct ProbeResult {
  std::string name;
  std::string what;       ///< "GET http://127.0.0.1:8080/v1/models"
  bool answered = false;  ///< a complete answer arrived in time
  /// tcp without send and expect: a connection was completed, which the kernel
  /// does even for a frozen process, so it proves neither service nor silence.
  bool connected_only = false;
  std::string detail;  ///< "HTTP 200, 312 bytes" or the reason of silence
  double elapsed_ms = 0;
};

/// Asks one probe; containment/probe.hpp has the real one.
using ProbeFunction = ProbeResult (*)(const Probe&);

}  // namespace impound
