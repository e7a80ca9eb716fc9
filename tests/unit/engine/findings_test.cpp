// SPDX-License-Identifier: Apache-2.0
#include "core/engine/findings.hpp"

#include "core/base/error.hpp"
#include "core/base/progress.hpp"
#include "core/base/text.hpp"
#include "core/engine/snapshot.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

using namespace impound;
using impound::test::Scene;

namespace {

/// A case with a session, and what is said in it.
struct Saying : Scene {
  Saying() { deployment.name = "small"; }

  Session session{.case_file = file,
                  .examiner = eve,
                  .clock = clock,
                  .cancellation = cancellation,
                  .progress = silent};
  Deployment deployment;
  Cancellation cancellation;
  SilentProgress silent;

  std::string say(std::vector<std::string> items) {
    Finding finding;
    finding.title = "t";
    finding.items = std::move(items);
    return add_finding(session, finding);
  }
  void take(void (*collect)(const Target&, EvidenceSink&)) {
    const Collector collector{
        .name = "two-items",
        .summary = "For a test.",
        .reach = Reach::files,
        .volatility = 1,
        .parameters = {},
        .collect = collect,
        .describe = [](const Target&) { return std::string("Reads."); },
        .estimate = [](const Target&) { return std::uint64_t{0}; }};
    static_cast<void>(
        take_snapshot(session, {.deployment = deployment,
                                .collectors = {{.collector = &collector}},
                                .title = "a test"}));
  }
  [[nodiscard]] std::size_t notes() const {
    std::size_t count = 0;
    for (const Entry& entry : file.entries()) {
      count += text_or(entry.json, "action", "") == "note" ? 1 : 0;
    }
    return count;
  }
};

void two_items(const Target&, EvidenceSink& sink) {
  sink.bytes({.name = "a", .content = as_bytes(std::string_view("alpha"))});
  sink.bytes({.name = "b", .content = as_bytes(std::string_view("beta"))});
}

TEST_CASE("a finding rests on sealed evidence of this case and on nothing else",
          "[engine]") {
  Saying scene;
  CHECK_THROWS_WITH(scene.say({}), Catch::Contains("must name the evidence"));
  CHECK_THROWS_WITH(scene.say({"E001"}),
                    Catch::Contains("the case has no exhibit E001"));
  scene.take(two_items);
  const std::size_t before = scene.notes();
  for (const char* const wrong :
       {"E002", "E001/3", "E001/4000", "F001", "/etc/passwd", "", "E001/a"}) {
    INFO(wrong);
    CHECK_THROWS_AS(scene.say({wrong}), Error);
    // Not beside one that is right, either.
    CHECK_THROWS_AS(scene.say({"E001", wrong}), Error);
  }
  CHECK(scene.notes() == before);
  CHECK(scene.say({"E001"}) == "F001");
  CHECK(scene.say({"E001/1", "E001/2"}) == "F002");
}

Saying* acting = nullptr;
std::string said_while_taking;

TEST_CASE("an exhibit that is not sealed yet carries no finding", "[engine]") {
  Saying scene;
  acting = &scene;
  scene.take([](const Target&, EvidenceSink& sink) {
    sink.bytes({.name = "a", .content = as_bytes(std::string_view("alpha"))});
    try {
      static_cast<void>(acting->say({"E001"}));
    } catch (const Error& error) {
      said_while_taking = error.what();
    }
  });
  CHECK(said_while_taking ==
        "a finding cannot rest on \"E001\": exhibit E001 is begun, not sealed");
  CHECK(scene.say({"E001"}) == "F001");
}

TEST_CASE("a gap says what could not be had, and never that it was",
          "[engine]") {
  Saying scene;
  for (const char* const wrong :
       {"ok", "released", "contained", "", "Missing"}) {
    INFO(wrong);
    CHECK_THROWS_AS(add_gap(scene.session, "logs", "none", wrong), Error);
  }
  for (const char* const right :
       {"missing", "denied", "failed", "partial", "empty"}) {
    add_gap(scene.session, "logs", "none", right);
    CHECK(text_or(scene.file.entries().back().json, "outcome", "") == right);
  }
}

}  // namespace
