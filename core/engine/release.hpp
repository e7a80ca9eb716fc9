// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Giving back what was taken out of service, and proving that.
///
/// intent → undo → state and probes → end. A release that is not proved stays
/// open and can be tried again. What another case holds is not touched unless
/// that case is named. Where the record has nothing open, the deployments that
/// the case knows are measured all the same: the record is no proof that
/// nothing stands still.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/engine/contain.hpp"

namespace impound {

struct ReleaseRequest {
  std::span<const Containment* const> methods;
  ProbeFunction probe = nullptr;
  std::string purpose;
  Json authority = nullptr;
  /// Only this one; empty for every deployment of the case.
  std::string deployment = {};
  /// Its descriptor, if one was named: measured where the record has nothing.
  const Deployment* descriptor = nullptr;
  /// Another case whose hold is undone as well; empty for none.
  std::string held_by = {};
};

/// What became of one release.
enum class ReleaseEnd : std::uint8_t {
  released,        ///< measured to run, nothing held, probes answer as before
  silent,          ///< measured to run, and a probe that answered is silent
  still_held,      ///< measured: it stands still, or a part of it does
  unknown,         ///< undone, and nothing could be measured
  held_elsewhere,  ///< another case holds it: nothing was done
  nothing_open     ///< nothing to release in the record; measured only
};
[[nodiscard]] std::string_view to_string(ReleaseEnd end) noexcept;

struct ReleaseResult {
  std::string deployment;
  std::string method;
  fs::path case_folder;  ///< of the case that acted; empty if none did
  /// False where no case was at hand to record it in.
  bool is_recorded = true;
  ReleaseEnd end = ReleaseEnd::nothing_open;
  std::string why;  ///< what was measured, what went wrong
  MeasuredState state;
  ProbeJudgements probes;
  std::optional<Hold> holder;  ///< whose it is, where it is another case's
  Json done;

  [[nodiscard]] bool is_released() const { return end == ReleaseEnd::released; }
  /// Nothing is left to do: given back, or never held and not measured to be.
  [[nodiscard]] bool is_settled() const;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Undoes every containment of the case that is open in the record, newest
/// first. Works after a crash between record and act, in any later process, and
/// after the case was closed. One result for each, or for each deployment that
/// was measured because the record has nothing open.
/// @throws Error{bad_input} if `held_by` names a case that holds nothing here.
[[nodiscard]] std::vector<ReleaseResult> release(Session& session,
                                                 const ReleaseRequest& request);

/// A release or rollback whose end was never recorded: measures, and writes the
/// end late. Empty if the process that undoes it is still at it, or was by now.
[[nodiscard]] std::optional<ReleaseResult> finish_undo(
    Session& session, const ContainmentRow& row, const ReleaseRequest& request);

/// Containments that a file tells of, when the case or its key is gone: the
/// mark on the machine (holds.hpp), one entry or the chain as JSON or JSONL
/// (custody.jsonl, `custody log --json`). The newest last.
/// @throws Error{bad_input} if it tells of none, Error{malformed}.
[[nodiscard]] std::vector<Hold> read_states(const fs::path& file);

/// Undoes one of these by what was recorded before it, measures and probes.
/// Needs no case and no key, and so nothing is recorded: `done` and the
/// measured state are all that there is, for a note in some record. The mark of
/// it is removed once nothing is measured to stand still.
[[nodiscard]] ReleaseResult release_from_state(
    const Hold& state, std::span<const Containment* const> methods,
    ProbeFunction probe, const Clock& clock, const Cancellation& cancellation);

}  // namespace impound
