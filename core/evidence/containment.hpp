// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one header a containment method includes.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/evidence/collector.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// Whether a deployment is out of service now, as it was measured. Nothing else
/// says "contained" of the present [I13].
enum class Containedness : std::uint8_t {
  contained,
  not_contained,
  unknown,  ///< nothing could be measured; the sentence beside it says why
};

/// "contained", "not contained", "unknown".
[[nodiscard]] std::string_view to_string(Containedness measured) noexcept;

/// Whether something outlives a containment.
enum class Kept : std::uint8_t {
  undeclared,
  kept,    ///< as it was
  lost,    ///< gone for good
  partly,  ///< some of it, or it depends on what is found
};
[[nodiscard]] std::string_view to_string(Kept kept) noexcept;

/// What a containment leaves of a served model. What a freeze or a closed door
/// leaves, another control plane destroys: the weights in memory may be the
/// only copy of an edit that was made over HTTP.
struct Keeps {
  Kept weights = Kept::undeclared;   ///< in memory
  Kept kv = Kept::undeclared;        ///< key-value and prompt cache
  Kept inflight = Kept::undeclared;  ///< requests that are being answered
  Kept process = Kept::undeclared;   ///< its memory, open files and threads
};

/// What giving back comes to.
enum class UndoPromise : std::uint8_t {
  undeclared,
  exact,    ///< the recorded state, as it was
  restart,  ///< it serves again, as something started anew
  none,     ///< nothing gives it back
};
[[nodiscard]] std::string_view to_string(UndoPromise undo) noexcept;

/// Against what a method was tried.
enum class Tried : std::uint8_t {
  undeclared,
  real,           ///< the tests talk to the real part
  documentation,  ///< a small server that follows its documentation
  untried,        ///< nothing: no machine of ours could
};
[[nodiscard]] std::string_view to_string(Tried tried) noexcept;

/// What a method does to the evidence, and how it is undone.
struct Effects {
  Keeps keeps;
  UndoPromise undo = UndoPromise::undeclared;
  /// It destroys evidence: asked for by --destroys-evidence alone, and allowed
  /// by two others.
  bool is_destructive = false;

  /// {"keeps":{"weights":…},"undo":…,"destructive":…}
  [[nodiscard]] Json to_json() const;
  /// "keeps weights, kv, process; loses inflight; undo exact".
  [[nodiscard]] std::string in_words() const;
};

/// One act of apply() as a dry run shows it: what is done, and what is said to
/// whom.
struct PlannedAct {
  std::string what;          ///< "sets models/gpu1 to maintenance"
  std::string peer = {};     ///< of a request: as Exchange::peer has it
  std::string request = {};  ///< as Exchange::request has it
  std::string body = {};
};

/// What a method measured of the present.
struct MeasuredState {
  Containedness measured = Containedness::unknown;
  /// False where nobody could look (no right, no answer of the system): then
  /// `unknown` does not mean that nothing was found.
  bool was_looked_at = true;
  std::string why;  ///< what was seen, one clause without a full stop
  /// Something stands still that did not before the containment: a deployment
  /// that partly runs is not contained, and is not given back either.
  bool holds_something = false;
  /// What stands still does so by what `before` records, as far as can be told:
  /// the same boot, the same processes, the group of the record.
  bool is_by_record = false;
  /// Something else of ours that holds it, in words ("the control group …");
  /// empty if nothing is seen. The name tells the case.
  std::string held_by = {};
  /// Who was asked: "the runtime socket /run/haproxy/admin.sock", "/proc".
  std::string from = {};
  /// Established connections through which the model could still be spoken to,
  /// and where they were counted; nothing where nobody counted.
  std::optional<std::uint64_t> connections_left = {};
  std::string connections_from = {};
  Json facts = Json::object();  ///< of the method, for the record

  /// The facts with "contained", "measured", "why" and "holds_something".
  [[nodiscard]] Json to_json() const;
};

/// One way of taking a deployment out of service and of giving it back.
///
/// The engine runs one transaction: before → (custody
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
  /// Measures the present state by asking the thing itself; changes nothing.
  /// `before` tells what the containment is about: what is found to be another
  /// thing now (another boot, another start time) is never taken for it. With
  /// an empty object: of what the descriptor finds, whoever holds it.
  MeasuredState (*state)(const Target& target, const Json& before);
  /// What `before` is about, in names that another containment of the same
  /// thing has as well: "boot … process 7 started …". Empty for an empty
  /// object.
  std::vector<std::string> (*things)(const Json& before);
  /// One sentence a dry run shows.
  std::string (*describe)(const Target& target);
  /// What undo() does, as lines for a shell that has nothing but coreutils: for
  /// whoever must give the deployment back without this program.
  std::vector<std::string> (*by_hand)(const Json& before) = nullptr;

  /// What it does to the evidence with its default arguments; of others,
  /// effects_with() tells where they matter.
  Effects effects = {};
  Effects (*effects_with)(const Arguments& arguments) = nullptr;
  Tried tried = Tried::undeclared;
  std::string_view tried_with = {};  ///< "HAProxy 2.6 (Debian 12)"
  /// What apply() does, act by act and in its order; null where describe()
  /// says it all. apply() must do what it lists and nothing else.
  std::vector<PlannedAct> (*acts)(const Target& target,
                                  const Json& before) = nullptr;

  [[nodiscard]] Effects effects_of(const Arguments& arguments) const {
    return effects_with == nullptr ? effects : effects_with(arguments);
  }
};

/// `given` as the method will see it.
/// @throws Error{bad_input} naming the method, the parameter, the value and
///         what is expected.
[[nodiscard]] inline Arguments arguments_for(const Containment& method,
                                             const Json& given,
                                             Spelling spelling, TimeNs now) {
  return check_parameters("containment " + std::string(method.name),
                          method.parameters, given, spelling, now);
}

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
