// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a run came to, in one place: the word of the record, the sentence for a
/// person and the exit code are all made from this enum.
///
/// A run that found nothing says so only if something was compared and nothing
/// that it set out to do is missing. "Nothing found" and "nothing looked at"
/// are different enumerators, and a finding never hides what is incomplete:
/// both are said.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lua/host/playbook_run.hpp"

namespace impound::lua {

enum class RunVerdict : std::uint8_t {
  findings,            ///< something to look at; it may be incomplete besides
  incomplete,          ///< nothing suspicious, and not all was done or compared
  cleared_files_only,  ///< the files are clean; what runs could not be tied to
                       ///< them
  cleared,             ///< compared, and recorded as clean
  nothing_found,       ///< compared, and nothing was recorded
  failed,              ///< a step failed, or the run was ended
  waiting,             ///< for an answer or an approval
  interrupted,         ///< cancelled; can be resumed
};

/// The word in JSON, in the record and in tests: "findings", "incomplete",
/// "cleared (files only)", "cleared", "nothing found", "failed" …
[[nodiscard]] std::string_view to_string(RunVerdict verdict) noexcept;

/// What conclude() needs of a finding.
struct FindingSaid {
  std::string verdict;  ///< a word of finding_words.hpp
  std::string detail;
};

struct RunConclusion {
  RunVerdict verdict = RunVerdict::failed;
  /// Everything that was not done, "step contain: …", whatever the verdict is.
  /// Empty if all of it was done.
  std::vector<std::string> undone;
  /// The run ended without a comparison and without a finding. That is no
  /// step's fault: a playbook that only preserves did all that it set out to,
  /// and still nobody knows whether anything was tampered with.
  bool has_compared_nothing = false;
  std::size_t suspicions = 0;  ///< findings that clear nothing
  /// Why the files were cleared and no more: details of those findings.
  std::vector<std::string> reserves;

  /// Why it is incomplete, for the record and for JSON: what was not done, and
  /// "nothing was compared …". Empty if neither holds.
  [[nodiscard]] std::vector<std::string> incomplete() const;

  /// The last words on a run: the verdict, why it is no better, and what is
  /// incomplete, line by line, ending with a line feed.
  [[nodiscard]] std::string to_text() const;
};

/// The only place where a run is judged. `findings` are all of the run.
[[nodiscard]] RunConclusion conclude(const RunOutcome& outcome,
                                     std::span<const FindingSaid> findings);

}  // namespace impound::lua
