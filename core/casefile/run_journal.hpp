// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The journal of a run, bound into the chain.
///
/// A journal row decides what a resumed run does and signs, so it is worth as
/// much as what vouches for it. Each answered row has an entry of its own in
/// the chain, a note of kind "call", written in the same transaction: it names
/// the run, the call and the digest of the row, and is signed as every entry.
/// Before the first row is replayed, rows and notes are held against each
/// other, both ways: a row without its note was put there, a note without its
/// row says that the row was taken away. SCHEMA.md has the bytes.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/casefile/case_file.hpp"

namespace impound {

/// What the note of kind "call" says of `row`.
[[nodiscard]] std::string journal_row_sha256(std::string_view case_id,
                                             const JournalRow& row);

/// The note itself; the case file appends it with the row.
[[nodiscard]] EntryDraft journal_note(std::string_view case_id,
                                      const JournalRow& row);

/// Version of the binding that playbook.start states as `journal`.
inline constexpr std::int64_t kBoundJournal = 1;

/// What of the journal is in force, checked.
struct RunJournal {
  std::vector<JournalRow> rows;  ///< by n; without those that are tried again
  /// Highest number of a call that a retry made an attempt; no call of the run
  /// gets one of those again, so that what was said to it allows nothing more.
  std::int64_t retried = 0;
};

/// Holds the rows of a run against the chain. That lines and signatures of the
/// chain are good is verify_custody()'s to say; here a note counts only if the
/// examiner signed it who started the run, or resumed it last before.
/// @throws Error{integrity} that names the row.
[[nodiscard]] RunJournal checked_journal(const CaseFile& case_file,
                                         std::string_view run);

/// A journal that is not the one which the chain names.
struct JournalProblem {
  std::string run;   ///< "R001"
  std::string what;  ///< "row 3 of the journal of R001 has no entry in the …"
};

/// Holds the journals of `runs` against the chain, in one walk of it. Those of
/// runs that were started before journals were bound are passed over: nothing
/// vouches for them. A run that goes on meanwhile may be
/// told of wrongly: leave it out.
[[nodiscard]] std::vector<JournalProblem> check_journals(
    const CaseFile& case_file, std::span<const std::string> runs);

/// A failure is an answer, recorded and replayed, only if it would come out the
/// same again: the later steps of the run, its containment among them, do not
/// wait for a file that is not there. What the machine refused once (no space,
/// a read error, another process, a signal) is an attempt: recorded, and tried
/// again on resume.
[[nodiscard]] bool is_answer(const Error& error) noexcept;

}  // namespace impound
