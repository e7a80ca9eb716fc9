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

/// What was allowed beyond taking out of service.
struct AcceptedLoss {
  std::string reason;          ///< --accept-loss; goes into the chain
  bool is_destroying = false;  ///< --destroys-evidence
};

/// One containment of several that a descriptor names.
struct ContainPart {
  std::size_t number = 1;
  std::size_t of = 1;
  /// As they were before the first; null for the first, which asks them.
  const std::vector<ProbeResult>* probes_before = nullptr;

  [[nodiscard]] bool is_one_of_several() const { return of > 1; }
  /// The whole is judged by its probes once the last part is applied.
  [[nodiscard]] bool is_last() const { return number == of; }
};

struct ContainRequest {
  const Deployment& deployment;
  const Containment& method;
  Arguments arguments = {};
  std::string purpose;
  Json authority;  ///< who allowed it; null if nobody was asked
  ProbeFunction probe = nullptr;
  AcceptedLoss loss = {};
  ContainPart part = {};
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

/// Whether one thing that "contained" rests on was shown.
enum class Shown : std::uint8_t {
  yes,
  no,
  unknown,  ///< nobody measured it; the sentence beside it says why
};
[[nodiscard]] std::string_view to_string(Shown shown) noexcept;

/// One of the four things: the state, the probes, the connections that are
/// left, and that a later request does not bring it back.
struct ProofPart {
  std::string_view what = {};
  Shown shown = Shown::unknown;
  std::string why = {};
  std::string from = {};  ///< where it was measured from
};

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

  /// Measured again after the probes, whose requests might have brought it
  /// back; nothing where no probe was asked.
  std::optional<MeasuredState> later;
  std::vector<ProbeResult> probes_before;

  /// Measured, and no probe speaks against it.
  [[nodiscard]] bool is_contained() const;
  [[nodiscard]] std::vector<ProofPart> proofs() const;
  [[nodiscard]] bool is_rolled_back() const {
    return end == ContainEnd::rolled_back;
  }
  [[nodiscard]] ProofStrength proof() const;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// @throws Error{bad_input} if a method loses what is in memory and nobody said
///         why it may, or destroys evidence and nobody allowed it.
void require_leave(const Containment& method, const Arguments& arguments,
                   const AcceptedLoss& loss);

/// Records, applies, probes; keeps it if the method measures the state it
/// wanted and no probe speaks against it, else rolls back, measures, and says
/// what is. What is contained already is measured and not contained twice. The
/// last entry carries the journal row of a playbook's call.
/// @throws Error{bad_input} for arguments, Error{io} if it cannot be recorded.
[[nodiscard]] ContainResult contain(Session& session,
                                    const ContainRequest& request);

/// By all methods that a descriptor names.
struct ContainAllResult {
  /// In the order in which they were applied; ends with the first that is not
  /// contained. What was applied before that one was undone in reverse.
  std::vector<ContainResult> parts;
  std::size_t of = 0;  ///< how many there were to be
  std::string why;     ///< it is not contained; empty if it is
  /// What undoing the earlier parts came to, in words; empty if none was.
  std::vector<std::string> undone;

  [[nodiscard]] bool is_contained() const;
  /// That of the last part tried, with "contained" of the whole and "parts".
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

struct ContainAllRequest {
  const Deployment& deployment;
  std::span<const Containment* const> methods;
  /// By name of the method: what was said to it beyond the descriptor.
  Json arguments = Json::object();
  Spelling spelling = Spelling::values;
  std::string purpose;
  Json authority;
  ProbeFunction probe = nullptr;
  AcceptedLoss loss = {};
};

/// Applies every method that the descriptor names in its order, each a
/// transaction of its own as contain() is, with the probes asked before the
/// first and after the last; then those before the last are measured again. The
/// first that is not contained ends it: what this call applied is undone in
/// reverse. With one method it is contain().
/// @throws as contain() does, before anything is done where the fault is in the
///         descriptor or an argument.
[[nodiscard]] ContainAllResult contain_all(Session& session,
                                           const ContainAllRequest& request);

/// What a containment would do: everything is looked at and nothing is done.
struct Rehearsal {
  std::string method;
  Effects effects;
  Tried tried = Tried::undeclared;
  std::string tried_with;
  std::string sentence;  ///< describe()
  Json before;           ///< null if it could not be recorded
  std::vector<PlannedAct> acts;
  std::vector<std::string> by_hand;  ///< what undoing would do
  Json exchanges = Json::array();    ///< what was asked to find this out
  std::string problem;               ///< why it could not begin; "" if it can

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Asks what before() asks, which changes nothing, and lists the acts.
[[nodiscard]] Rehearsal rehearse(const Deployment& deployment,
                                 const Containment& method,
                                 const Arguments& arguments, const Clock& clock,
                                 const Cancellation& cancellation);

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
