// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A case with a session in which a test acts, and collectors made for it.

#include "core/base/progress.hpp"
#include "core/base/text.hpp"
#include "core/engine/snapshot.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {

constexpr Collector collector_named(std::string_view name,
                                    void (*collect)(const Target&,
                                                    EvidenceSink&)) {
  return {.name = name,
          .summary = "For a test.",
          .reach = Reach::files,
          .volatility = 1,
          .parameters = {},
          .collect = collect,
          .describe = [](const Target&) { return std::string("Reads."); },
          .estimate = [](const Target&) { return std::uint64_t{0}; }};
}

inline void two_items(const Target&, EvidenceSink& sink) {
  sink.bytes({.name = "a", .content = as_bytes(std::string_view("alpha"))});
  sink.bytes({.name = "b", .content = as_bytes(std::string_view("beta"))});
}
inline constexpr Collector kTwoItems = collector_named("two-items", two_items);

/// A new case, who acts in it, and a deployment to act on.
struct Acting : Scene {
  Acting() { deployment.name = "small"; }

  Session session{.case_file = file,
                  .examiner = eve,
                  .clock = clock,
                  .cancellation = cancellation,
                  .progress = silent};
  Deployment deployment;
  Cancellation cancellation;
  SilentProgress silent;

  Snapshot take(const Collector& collector = kTwoItems) {
    return take_snapshot(session, {.deployment = deployment,
                                   .collectors = {{.collector = &collector}},
                                   .title = "a test"});
  }
  /// What an acquisition that was killed leaves in the record.
  void begin_exhibit() {
    EntryDraft begin = session.draft("acquire.begin");
    begin.detail["title"] = "a test";
    begin.detail["collectors"] = Json::array();
    file.reserve_exhibit(begin, eve, [](const std::string&) {});
  }
  /// How many entries have this action.
  [[nodiscard]] std::size_t count(std::string_view action) const {
    std::size_t number = 0;
    for (const Entry& entry : file.entries()) {
      number += text_or(entry.json, "action", "") == action ? 1 : 0;
    }
    return number;
  }
  [[nodiscard]] fs::path evidence() const { return folder / "evidence"; }
  void put(const std::string& name) const {
    write_file_durably(evidence() / name, as_bytes(std::string_view("?")));
  }
};

}  // namespace impound::test
