// SPDX-License-Identifier: Apache-2.0
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

TEST_CASE("a valid playbook loads with everything it declares", "[lua]") {
  const test::ScratchPlaybook scratch;
  const LoadedPlaybook playbook =
      scratch.load(test::playbook_with("  ctx:note(\"x\")"));
  CHECK(playbook.id == "probe-me");
  CHECK(playbook.effect == Effect::read);
  CHECK(playbook.steps.size() == 1);
  CHECK(playbook.steps[0].line == 14);
  CHECK(playbook.sha256.size() == 64);
}

}  // namespace
}  // namespace impound::lua
