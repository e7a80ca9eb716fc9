// SPDX-License-Identifier: Apache-2.0
#include "core/engine/findings.hpp"

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "tests/support/acting.hpp"
#include "tests/support/catch.hpp"

using namespace impound;
using impound::test::Acting;
using impound::test::collector_named;

namespace {

std::string say(Acting& acting, std::vector<std::string> items) {
  Finding finding;
  finding.title = "t";
  finding.items = std::move(items);
  return add_finding(acting.session, finding);
}

TEST_CASE("a finding rests on sealed evidence of this case and on nothing else",
          "[engine]") {
  Acting scene;
  CHECK_THROWS_WITH(say(scene, {}), Catch::Contains("must name the evidence"));
  CHECK_THROWS_WITH(say(scene, {"E001"}),
                    Catch::Contains("the case has no exhibit E001"));
  static_cast<void>(scene.take());
  const std::size_t before = scene.count("note");
  for (const char* const wrong :
       {"E002", "E001/3", "E001/4000", "F001", "/etc/passwd", "", "E001/a"}) {
    INFO(wrong);
    CHECK_THROWS_AS(say(scene, {wrong}), Error);
    // Not beside one that is right, either.
    CHECK_THROWS_AS(say(scene, {"E001", wrong}), Error);
  }
  CHECK(scene.count("note") == before);
  CHECK(say(scene, {"E001"}) == "F001");
  CHECK(say(scene, {"E001/1", "E001/2"}) == "F002");
}

Acting* acting = nullptr;
std::string said_while_taking;

constexpr Collector kSpeaking =
    collector_named("speaking", [](const Target&, EvidenceSink& sink) {
      sink.bytes({.name = "a", .content = as_bytes(std::string_view("alpha"))});
      try {
        static_cast<void>(say(*acting, {"E001"}));
      } catch (const Error& error) {
        said_while_taking = error.what();
      }
    });

TEST_CASE("an exhibit that is not sealed yet carries no finding", "[engine]") {
  Acting scene;
  acting = &scene;
  static_cast<void>(scene.take(kSpeaking));
  CHECK(said_while_taking ==
        "a finding cannot rest on \"E001\": exhibit E001 is begun, not sealed");
  CHECK(say(scene, {"E001"}) == "F001");
}

TEST_CASE("a gap says what could not be had, and never that it was",
          "[engine]") {
  Acting scene;
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
