// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is open in a case: what is out of service now, what waits for whom,
/// what was not done, and the command that goes on.
///
/// The custody chain says what was done; only the machine says what is. So the
/// chain is folded into the questions that are open, and each containment among
/// them is measured again by its method before a word is said about it [I13].
/// "Contained", "not contained" and "not known" come from that measurement
/// alone, a process that "still works" from the lock it holds, everything else
/// from entries that are named. Reading takes no key, appends nothing, and is
/// of one moment even while another process appends.
///
/// The same value makes the text of `status`, of `case show` and of the last
/// lines of a run, so that the three cannot disagree.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/casefile/case_file.hpp"
#include "core/engine/contain.hpp"
#include "core/evidence/containment.hpp"

namespace impound {

/// A containment that the chain does not say is over, and what was measured.
struct OpenContainment {
  ContainmentNow now;
  std::string by;          ///< who began it, as the entry names them
  std::string run;         ///< "R001"; empty = by hand
  std::string cleared_by;  ///< the run that cleared the deployment, or empty
  std::string cleared_as;  ///< the verdict of that run: "cleared", …
  std::string next;        ///< the command that gives it back
};

enum class WaitsFor : std::uint8_t {
  answer,    ///< a person's answer to a question
  approval,  ///< approvals of other examiners
  resume,    ///< all that was asked for is there; nobody went on yet
  abort,     ///< an approval was denied; nobody ended the run yet
};
[[nodiscard]] std::string_view to_string(WaitsFor waits_for) noexcept;

/// A run that goes on only when a person does something.
struct WaitingRun {
  WaitsFor waits_for = WaitsFor::answer;
  std::string run;
  std::string playbook;
  std::string deployment;
  std::string since;
  std::string question;  ///< id of the question; "approval" for approvals
  std::string text;      ///< of the question, or who denied and why
  std::vector<std::string> choices;  ///< empty = free text
  std::string default_choice;        ///< empty if the question has none
  int approvals_missing = 0;
  std::string starter;  ///< whose own approval does not count
  /// The command for each choice, in their order; one for the other kinds.
  std::vector<std::string> commands;
  std::string then;  ///< what goes on afterwards; empty if nothing does
  std::string next;  ///< one line for a shell: the default choice, then `then`
};

enum class IncompleteKind : std::uint8_t {
  run,      ///< ended and did not do everything, or its process is gone
  exhibit,  ///< begun and never sealed, failed, or sealed short of whole
  gaps,     ///< things asked for and not obtained
  release,  ///< was tried and failed
  stray,    ///< a file in evidence/ that no entry mentions
};
[[nodiscard]] std::string_view to_string(IncompleteKind kind) noexcept;

/// A step of a run that was not done.
struct StepNotDone {
  std::string step;
  std::string result;  ///< word of its entry: "failed", "incomplete", …
  std::string reason;
};

/// Something asked for and not done.
struct IncompleteThing {
  IncompleteKind kind = IncompleteKind::run;
  std::string subject;  ///< "R001", "E003", a file name; empty = by hand
  std::string what;     ///< a statement without a full stop
  std::vector<StepNotDone> steps;
  std::string next_does;  ///< what `next` does: "goes on where it stopped"
  std::string next;       ///< empty if no command mends it
};

/// A run or an exhibit whose process holds its lock now.
struct RunningNow {
  std::string subject;  ///< "R001", "E003"
  std::string what;
};

/// A key whose entries make every check of the case fail, because nobody said
/// whose it is.
struct UnvouchedKey {
  std::string fingerprint;
  std::string name;        ///< as its holder says
  std::int64_t since = 0;  ///< entry that introduced it
  std::string next;        ///< for somebody who may introduce signers
};

struct CaseStatus {
  std::string case_id;
  std::filesystem::path folder;
  std::string title;
  std::string closed_at;
  TimeNs measured_at = 0;
  std::string problem;  ///< why nothing else is known of this folder
  std::vector<OpenContainment> contained;
  std::vector<WaitingRun> waiting;
  std::vector<IncompleteThing> incomplete;
  std::vector<RunningNow> running;
  std::vector<UnvouchedKey> unvouched;
  /// Containments that the chain says were begun; 0 with `contained` empty
  /// means there never was one.
  std::size_t containments_begun = 0;

  /// Something is or may be out of service, waits, is incomplete, was signed
  /// with a key that nobody vouched for, or cannot be read. What is incomplete
  /// in a closed case was said when it was closed.
  [[nodiscard]] bool is_open() const;
  /// {"case","contained":[…],"waiting":[…],"incomplete":[…],"running":[…],
  ///  "unvouched":[…], …}
  [[nodiscard]] Json to_json() const;
  /// Every line of it under a heading each; empty if there is nothing to say.
  [[nodiscard]] std::string to_text() const;
  /// The last words of a run: what is out of service now, or on what it rests
  /// that nothing is. One line a containment, that of a cleared model last.
  [[nodiscard]] std::string closing_text() const;
  /// The same after what the run itself waits for, or how it goes on.
  [[nodiscard]] std::string closing_text(std::string_view run) const;
};

/// "2026-11-27T22:16:30Z" of an entry's time: nobody reads microseconds.
[[nodiscard]] std::string to_the_second(std::string_view time);

/// Folds the chain and measures. `methods` are those that cli knows.
/// @throws Error where the case cannot be read.
[[nodiscard]] CaseStatus status_of(const CaseFile& case_file,
                                   std::span<const Containment* const> methods,
                                   const Clock& clock,
                                   const Cancellation& cancellation);

/// The same for a folder; what cannot be read becomes `problem`, so that one
/// damaged case does not hide the others.
[[nodiscard]] CaseStatus status_of_folder(
    const std::filesystem::path& folder,
    std::span<const Containment* const> methods, const Clock& clock,
    const Cancellation& cancellation);

}  // namespace impound
