// SPDX-License-Identifier: Apache-2.0
/// What only containers are asked: off the network and back at the same
/// address, and an engine that says yes where nothing happened.

#include "containment/registry.hpp"
#include "tests/real/control/network.hpp"
#include "tests/real/control/stage.hpp"
#include "tests/support/catch.hpp"

using namespace impound;
using namespace impound::test;

TEST_CASE(
    "a container that is taken off its network is cut from open connections, "
    "and comes back at the same address") {
  const auto stage = make_stage("container");
  if (stage == nullptr) return;
  const std::string action = GENERATE(as<std::string>{}, "disconnect", "both");
  INFO(action);
  stage->deployment.containments.front().settings["action"] = action;
  CaseOnStage one(*stage, "IR-1");
  const UniqueFd open = connect_from("", stage->host(), stage->port());
  REQUIRE(is_answered_over(open));
  const ContainAllResult result = one.contain_it();
  INFO(result.to_text());
  REQUIRE(result.is_contained());
  CHECK_FALSE(is_answered_over(open));
  CHECK_THAT(result.parts.front().state.why, Catch::Contains("on 0 networks"));
  CHECK(result.parts.front().before.at("containers")[0].at("networks")[0].at(
            "v4") == stage->host());
  const auto back = one.release_it();
  REQUIRE(back.size() == 1);
  INFO(back.front().to_text());
  CHECK(back.front().is_released());
  CHECK(stage->is_answering());
  note("container", "action " + action,
       "open connection cut; back at the same address");
}

TEST_CASE(
    "a container that is paused already is left so by the release, and is not "
    "taken off its networks by an engine that only says so") {
  const auto stage = make_stage("container");
  if (stage == nullptr) return;
  CaseOnStage a(*stage, "IR-A");
  REQUIRE(a.contain_it().is_contained());
  stage->deployment.containments.front().settings["action"] = "disconnect";
  fs::remove_all(stage->temp.path() / "run");  // nobody tells who paused it
  CaseOnStage b(*stage, "IR-B");
  const ContainAllResult result = b.contain_it();
  INFO(result.to_text());
  CHECK_FALSE(result.is_contained());
  CHECK_THAT(result.parts.front().reason, Catch::Contains("is paused"));
  CHECK(a.releases());
  CHECK(stage->is_answering());
  note("container", "refused: wrong state",
       "a paused one is not taken off its networks");
}
