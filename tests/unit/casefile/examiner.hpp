// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Examiners, cases and drafts for the tests of this room.

#include <string>

#include "core/casefile/case_file.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {

inline Examiner make_examiner(const std::string& name = "Eve Example") {
  Actor actor;
  actor.name = name;
  actor.org = "Example Org";
  actor.role = "examiner";
  actor.auth = "os uid 1000 (eve)";
  return {actor, SigningKey::generate()};
}

inline CaseOpening opening(const std::string& id = "IR-2026-001") {
  return {.case_id = id,
          .title = "Poisoned weights",
          .lead = "",
          .org = "Example Org",
          .hold_reference = "HOLD-7",
          .approvals = 1};
}

inline EntryDraft note_draft(const std::string& text) {
  EntryDraft draft;
  draft.action = "note";
  draft.detail = {{"text", text}};
  return draft;
}

/// A new case in a folder of its own.
struct Scene {
  TempDir temp;
  FixedClock clock;
  Examiner eve = make_examiner();
  std::filesystem::path folder = temp.path() / "case";
  CaseFile file = CaseFile::create(folder, opening(), eve, clock);
};

}  // namespace impound::test
