// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What contain and release share: the entries of the record, measuring with
/// patience, and undoing so that the record says what came of it.
///
/// An undo is two entries, as an apply is: the intent, durable before anything
/// is touched, and the end, which holds what was measured afterwards. A crash
/// between the two leaves an intent without an end; 'case check' finds it,
/// measures, and writes the end late.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/holds.hpp"
#include "core/engine/probe_judgement.hpp"
#include "core/engine/session.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// Held in evidence/ by the process that contains or releases in a case: an
/// intent without its end is half done only if nobody holds it.
inline constexpr char kContainmentLock[] = "containment";

/// What the isolate.* entries of one act have in common.
struct Isolation {
  const Deployment& deployment;
  const Containment& method;
  Json arguments = Json::object();
  std::string purpose;
  Json authority = nullptr;
};

/// What is said to `method`: `given`, else the descriptor's table of it, else
/// its defaults. Relative paths of the descriptor start at its folder.
/// @throws Error{bad_input} as check_parameters() does.
[[nodiscard]] Arguments arguments_for(const Deployment& deployment,
                                      const Containment& method,
                                      const Json& given, Spelling spelling,
                                      TimeNs now);

/// The same of the descriptor alone; none where it does not say enough, for
/// measuring by a record that does.
[[nodiscard]] Arguments settings_or_none(const Deployment& deployment,
                                         const Containment& method, TimeNs now);

/// The methods by which a deployment could be held: those that it names, else
/// those that ask for no settings.
[[nodiscard]] std::vector<const Containment*> methods_of(
    const Deployment& deployment, std::span<const Containment* const> methods);

[[nodiscard]] EntryDraft isolation_draft(const Session& session,
                                         std::string_view action,
                                         const Isolation& isolation);

/// Containment::state(), with an error of it as unknown and its reason; what
/// was said to a control plane for it stands in `facts` under "exchanges".
[[nodiscard]] MeasuredState measure(const Containment& method,
                                    const Target& target, const Json& before);

/// The same, asked again for up to two seconds until it is contained, or until
/// nothing is held any more: signals and freezers take a moment.
[[nodiscard]] MeasuredState measure_until_contained(const Containment& method,
                                                    const Target& target,
                                                    const Json& before);
[[nodiscard]] MeasuredState measure_until_back(const Containment& method,
                                               const Target& target,
                                               const Json& before);

/// Measured to run, and nothing of it held: the only state that is "back".
[[nodiscard]] bool is_back(const MeasuredState& state);

/// Something of it stands still, or nobody could look: its mark stays on the
/// machine (holds.hpp). What was looked for and is not there, a service that is
/// down, is held by nobody.
[[nodiscard]] bool may_be_held(const MeasuredState& state);

/// Why a containment is undone, in the words of the record.
enum class UndoKind : std::uint8_t { release, rollback };
[[nodiscard]] std::string_view to_string(UndoKind kind) noexcept;

/// What an undo came to.
enum class UndoEnd : std::uint8_t {
  back,        ///< measured to run, nothing held, probes answer as before
  silent,      ///< measured to run, and a probe that answered is silent
  still_held,  ///< measured: it stands still, or a part of it does
  unknown,     ///< nothing could be measured, as with a service that is down
};
[[nodiscard]] std::string_view to_string(UndoEnd end) noexcept;

/// An undo that happened, and the entry that says so, not appended yet: what
/// must become durable with it (a journal row) depends on it.
struct Undone {
  UndoEnd end = UndoEnd::unknown;
  std::string why;  ///< one clause: what was measured, what went wrong
  MeasuredState state;
  ProbeJudgements probes;
  Json done;  ///< what undo() says it did; null if it threw
  EntryDraft entry;
};

struct UndoRequest {
  UndoKind kind = UndoKind::release;
  const Isolation& isolation;
  const Target& target;
  std::string intent;  ///< id of the isolate.apply entry
  /// Whether `intent` is an entry of this case, which `refs` may name.
  bool is_own = true;
  const Json& before;
  const std::vector<ProbeResult>& probes_before;  ///< before the containment
  ProbeFunction probe = nullptr;
  /// Why the probes are not asked, where something else of the same deployment
  /// is still held and silences them; "" if they are.
  std::string why_no_probes = {};
  std::string reason;      ///< of a rollback
  Json held_by = nullptr;  ///< Hold::summary() of another case
};

/// Appends the intent, undoes, measures, probes. The caller appends
/// Undone::entry.
/// @throws Error if the intent cannot be recorded: nothing was done then.
[[nodiscard]] Undone undo_and_measure(Session& session,
                                      const UndoRequest& request);

/// The same without undoing, for an undo whose end was never recorded.
[[nodiscard]] Undone measure_undone(const Session& session,
                                    const UndoRequest& request,
                                    const std::string& late_reason);

}  // namespace impound
