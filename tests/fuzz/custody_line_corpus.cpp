// SPDX-License-Identifier: Apache-2.0
// rooms: casefile
/// Seeds for the line fuzzer: every line of a small case.

#include <cstdio>
#include <fstream>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/casefile/case_file.hpp"

int main(int argc, char** argv) {
  using namespace impound;
  if (argc != 2) return 2;
  const fs::path seeds = argv[1];
  const fs::path folder = seeds.parent_path() / "custody_line_case";
  try {
    fs::remove_all(folder);
    create_folders(seeds);
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
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
