// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a crash left in a case, and its repair. Deletes nothing.

#include <span>
#include <string>
#include <vector>

#include "core/casefile/case_file.hpp"
#include "core/casefile/run_journal.hpp"
#include "core/engine/session.hpp"
#include "core/engine/snapshot.hpp"
#include "core/evidence/containment.hpp"

namespace impound {

/// One thing found, and what became of it.
struct CaseCheckItem {
  /// "orphan" (sealed, no entry), "partial" (no seal), "lost" (an entry, and a
  /// file of its exhibit is not there), "damaged" (a bundle of another size
  /// than recorded), "leftover" (a file of an acquisition that failed), "stray"
  /// (a file nobody mentions), "containment" (open in the record, with
  /// what was measured), "run" (not ended), "journal" (not the one that the
  /// chain names),
  /// "busy" (being written or run now).
  std::string kind;
  std::string subject;  ///< "E003", a file name, a run
  std::string what;     ///< one sentence
  bool is_repaired = false;
};

struct CaseCheck {
  CustodyReport custody;
  std::vector<CaseCheckItem> items;

  /// Found and not repaired, other than things that are merely busy.
  [[nodiscard]] std::size_t open_problems() const;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

enum class Repair : bool { no, yes };

struct CheckRequest {
  Repair repair = Repair::yes;
  /// To measure what is contained.
  std::span<const Containment* const> methods = {};
  ProbeFunction probe = nullptr;
};

/// Verifies the chain, then holds every file of evidence/ against the record,
/// then measures what the record calls contained. With `repair`, orphans that
/// verify are adopted (acquire.end, bundle.seal, marked late) under the lock of
/// the exhibit; partial bundles and what failed acquisitions left are moved to
/// evidence/aside/ and recorded; a release whose end was never recorded gets
/// its end, as it is measured.
[[nodiscard]] CaseCheck check_case(Session& session,
                                   const CheckRequest& request);

/// What is wrong with the journals of the runs that nobody works on now.
[[nodiscard]] std::vector<JournalProblem> check_resting_journals(
    const CaseFile& case_file);

/// Finishes or sets aside what an interrupted call of this run left: the
/// snapshot if it could be adopted, empty if the call must be made again.
[[nodiscard]] std::optional<Snapshot> recover_snapshot(Session& session);

}  // namespace impound
