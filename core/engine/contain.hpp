// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Taking a deployment out of service as a transaction that is proved by
/// probes, and measuring what is out of service now.
///
/// before → entry → mark on the machine → apply → entry → probes and state →
/// entry → keep, or undo, measure again and say what is. "Contained" is what
/// Containment::state() measures, never what a command returned; what the
/// record says of an earlier moment is measured again before it is repeated.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/engine/holds.hpp"
#include "core/engine/isolation.hpp"
#include "core/engine/probe_judgement.hpp"
#include "core/engine/session.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

struct ContainRequest {
  const Deployment& deployment;
  const Containment& method;
  Arguments arguments = {};
  std::string purpose;
  Json authority;  ///< who allowed it; null if nobody was asked
  ProbeFunction probe = nullptr;
};

/// What became of a containment that was asked for.
enum class ContainEnd : std::uint8_t {
  applied,          ///< done now, and kept
  held_already,     ///< this case holds it: measured again, nothing done
  held_elsewhere,   ///< something else holds it: measured, nothing done
  not_begun,        ///< it could not begin: nothing was changed
  rolled_back,      ///< undone, and measured to run as before
  rollback_failed,  ///< undone or not, it (or a part of it) stands still
  rollback_unknown  ///< undone, and what holds now was not measured as back
};
[[nodiscard]] std::string_view to_string(ContainEnd end) noexcept;

/// How well "contained" is proved.
enum class ProofStrength : std::uint8_t {
  none,              ///< not contained
  state_alone,       ///< measured by the method; no probe proves it
  state_and_probes,  ///< and a probe that answered before is silent now
};
[[nodiscard]] std::string_view to_string(ProofStrength strength) noexcept;

struct ContainResult {
  std::string deployment;
  std::string method;
  fs::path case_folder;  ///< of the case that acted
  ContainEnd end = ContainEnd::not_begun;
  /// The last measurement: after apply, or after the rollback.
  MeasuredState state;
  ProbeJudgements probes;      ///< after apply; empty if it was not begun
  std::string reason;          ///< why it is not contained; empty if it is
  std::string intent;          ///< id of the isolate.apply entry; may be empty
  std::string since;           ///< held_already: of the intent entry
  std::optional<Hold> holder;  ///< held_elsewhere: whose, if a record tells
  Json before;
  Json after;
  std::string settled;  ///< since when what this case had undone first was held
  std::string hold_problem;  ///< why other cases may not learn of it; or ""

  /// Measured, and no probe speaks against it.
  [[nodiscard]] bool is_contained() const;
  [[nodiscard]] bool is_rolled_back() const {
    return end == ContainEnd::rolled_back;
  }
  [[nodiscard]] ProofStrength proof() const;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Records, applies, probes; keeps it if the method measures the state it
/// wanted and no probe speaks against it, else rolls back, measures, and says
/// what is. What is contained already is measured and not contained twice. The
/// last entry carries the journal row of a playbook's call.
/// @throws Error{bad_input} for arguments, Error{io} if it cannot be recorded.
[[nodiscard]] ContainResult contain(Session& session,
                                    const ContainRequest& request);

/// A containment of the case that is open in the record, and what holds now.
/// The record tells what was done; whether it still holds is asked of the thing
/// itself each time: a reboot, an administrator or another case may have ended
/// it, and no entry says so.
struct ContainmentNow {
  ContainmentRow row;
  Containedness measured = Containedness::unknown;
  std::string why;  ///< what was seen, or why nothing could be measured
  /// A part of it stands still, whatever `measured` says of the whole.
  bool holds_something = false;
  Json state;  ///< MeasuredState::to_json(); null if it could not be asked

  /// Measured to run, and nothing of it held: over, whatever the record says.
  [[nodiscard]] bool is_over() const {
    return measured == Containedness::not_contained && !holds_something;
  }
  /// {"id","deployment","method","since","recorded","measured","why"}
  [[nodiscard]] Json to_json() const;
  /// "small by process since …: recorded as contained; measured now as
  /// contained: process 7 (python3) stands still".
  [[nodiscard]] std::string to_text() const;
};

/// What a release of it comes to, by what is measured: "gives it back".
[[nodiscard]] std::string_view release_does(const ContainmentNow& now);

/// Measures one containment of the record. Changes nothing, throws nothing that
/// is no defect: what cannot be measured is unknown, with the reason.
[[nodiscard]] ContainmentNow measure_containment(
    const ContainmentRow& row, std::span<const Containment* const> methods,
    const Clock& clock, const Cancellation& cancellation);

/// The same for every containment of the case that is_open(), oldest first.
[[nodiscard]] std::vector<ContainmentNow> measure_containments(
    const CaseFile& case_file, std::span<const Containment* const> methods,
    const Clock& clock, const Cancellation& cancellation);

/// The containments of the record that is_open(), oldest first.
[[nodiscard]] std::vector<ContainmentRow> open_containments(
    const CaseFile& case_file);

/// @throws Error{bad_input} naming the methods there are.
[[nodiscard]] const Containment& find_containment(
    std::span<const Containment* const> methods, std::string_view name);

}  // namespace impound
