// SPDX-License-Identifier: Apache-2.0
/// Events a second of the custody chain, one by one and in groups, beside a
/// bare file that is appended to and synced. Also how long a chain takes to
/// verify.
///
///   ledger_bench <folder on the disk that counts> [<events>]

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/casefile/case_file.hpp"

namespace impound {
namespace {

constexpr int kGroup = 100;

double seconds_of(const std::function<void()>& act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

EntryDraft event(int number) {
  EntryDraft draft;
  draft.action = "note";
  draft.detail = {{"text", fmt::format("event {}", number)}};
  return draft;
}

/// What a log costs that proves nothing: one write and one fdatasync an event.
void append_bare(const fs::path& path, const std::string& line, int events) {
  const UniqueFd file = create_file(path, 0640);
  for (int i = 0; i < events; ++i) {
    write_all(file, as_bytes(line), path);
    if (::fdatasync(file.get()) != 0) {
      throw Error(Errc::io, "fdatasync failed on " + path.native());
    }
  }
}

void report(const char* what, int events, double seconds, double base) {
  fmt::print("{:<34} {:>8.0f} events/s   {:>6.2f} x bare\n", what,
             events / seconds, base * events / seconds);
}

void measure(const fs::path& folder, int events) {
  const SystemClock clock;
  Actor actor;
  actor.name = "Bench";
  const Examiner examiner{actor, SigningKey::generate()};
  CaseFile file = CaseFile::create(folder / "case",
                                   {.case_id = "BENCH-1",
                                    .title = "Ledger",
                                    .lead = "",
                                    .org = "Example",
                                    .hold_reference = "",
                                    .approvals = 0},
                                   examiner, clock);
  const std::string line =
      file.append({event(0)}, examiner).front().line + "\n";
  fmt::print("a line has {} bytes\n", line.size());

  const double bare =
      seconds_of([&] { append_bare(folder / "bare.jsonl", line, events); });
  report("bare append + fdatasync", events, bare, bare / events);
  const double single = seconds_of([&] {
    for (int i = 0; i < events; ++i) (void)file.append({event(i)}, examiner);
  });
  report("append, one entry a commit", events, single, bare / events);
  const int grouped_events = events * 10;
  const double grouped = seconds_of([&] {
    for (int i = 0; i < grouped_events; i += kGroup) {
      std::vector<EntryDraft> drafts;
      for (int k = 0; k < kGroup; ++k) drafts.push_back(event(i + k));
      (void)file.append(drafts, examiner);
    }
  });
  report("append, 100 entries a commit", grouped_events, grouped,
         bare / events);
  fmt::print("group over single: {:.1f} x\n",
             (grouped_events / grouped) / (events / single));
  CustodyReport checked;
  const double verify =
      seconds_of([&] { checked = verify_custody(folder / "case", ""); });
  fmt::print("verify_custody: {} entries in {:.2f} s, {}\n", checked.entries,
             verify, checked.ok() ? "ok" : "BROKEN");
}

}  // namespace
}  // namespace impound

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ledger_bench <folder> [<events>]\n");
    return 2;
  }
  try {
    const impound::fs::path folder =
        impound::fs::path(argv[1]) / fmt::format("ledger-{}", ::getpid());
    impound::create_folders(folder);
    impound::measure(folder, argc > 2 ? std::stoi(argv[2]) : 1000);
    impound::fs::remove_all(folder);
  } catch (const impound::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
