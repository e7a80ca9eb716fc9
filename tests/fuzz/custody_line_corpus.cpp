// SPDX-License-Identifier: Apache-2.0
// rooms: casefile
/// Seeds for the line fuzzer: every line of a small case.

#include <cstdio>
#include <fstream>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/casefile/case_file.hpp"

void write_custody_line_seeds(const std::filesystem::path& seeds) {
  using namespace impound;
  const fs::path folder = seeds.parent_path() / "custody_line_case";
  fs::remove_all(folder);
  const SystemClock clock;
  Actor actor;
  actor.name = "Eve Example";
  const Examiner eve{actor, SigningKey::generate()};
  CaseFile file = CaseFile::create(folder,
                                   {.case_id = "FUZZ-1",
                                    .title = "Seeds",
                                    .lead = "",
                                    .org = "Example Org",
                                    .hold_reference = "",
                                    .approvals = 0},
                                   eve, clock);
  EntryDraft note;
  note.action = "note";
  note.detail = {{"text", "a \"quoted\" word\n"}};
  (void)file.append({note}, eve);
  (void)file.sign_head(eve);
  for (const Entry& entry : file.entries()) {
    std::ofstream(seeds / ("line" + std::to_string(entry.seq)),
                  std::ios::binary)
        << entry.line;
  }
  fs::remove_all(folder);
}
