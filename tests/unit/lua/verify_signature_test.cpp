// SPDX-License-Identifier: Apache-2.0
/// ctx:verify_signature: which arguments make sense together.

#include "core/base/error.hpp"
#include "lua/host/call_check.hpp"
#include "lua/host/playbook_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/recording_host.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

Json check(const Json& arguments) {
  return check_arguments(*find_call_rule("verify_signature"), arguments);
}

TEST_CASE("a signature is verified in exactly one way", "[lua]") {
  const Json key = {{"subject", "E001"}, {"key", "k"}, {"signature", "s"}};
  CHECK(check(key) == key);
  const Json chain = {{"subject", "E001"},
                      {"signature", "s"},
                      {"certificate_chain", {"a", "b"}}};
  CHECK(check(chain) == chain);
  Json keyless = chain;
  keyless["sigstore"] = true;
  keyless["identity"] = "me";
  CHECK_NOTHROW(check(keyless));
  CHECK_NOTHROW(check({{"subject", "E001"},
                       {"signature", "s"},
                       {"unsigned_compare", true},
                       {"ignore_unsigned_files", true}}));
  CHECK_THROWS_WITH(check({{"subject", "E001"}, {"signature", "s"}}),
                    Catch::Contains("one of key, certificate_chain"));
  CHECK_THROWS_AS(check({{"subject", "E001"},
                         {"signature", "s"},
                         {"unsigned_compare", false}}),
                  Error);
  Json two = key;
  two["unsigned_compare"] = true;
  CHECK_THROWS_WITH(check(two), Catch::Contains("several of them"));
  two["unsigned_compare"] = "yes";
  CHECK_THROWS_WITH(check(two), Catch::Contains("true or false"));
}

TEST_CASE("the signature inside a baseline takes a key at most", "[lua]") {
  CHECK_NOTHROW(check({{"subject", "/b.json"}}));
  CHECK_NOTHROW(check({{"subject", "/b.json"}, {"key", "k.pem"}}));
  CHECK_THROWS_WITH(check({{"subject", "/b.json"}, {"sigstore", true}}),
                    Catch::Contains("signature file that sigstore is about"));
}

TEST_CASE("a playbook may name an item and one certificate", "[lua]") {
  test::RecordingHost host;
  const test::ScratchPlaybook scratch;
  RunOptions options;
  options.child = test::child_options();
  options.instruments = test::instruments();
  const RunOutcome outcome = run_playbook(
      scratch.load(test::playbook_with(
          R"lua(  local report = ctx:verify_signature({ id = "E001" },
    { signature = { ref = "E001/3" }, certificate_chain = "/srv/ca.pem" })
  ctx:note(report.verdict))lua")),
      options, host);
  INFO(outcome.message);
  REQUIRE(host.performed.size() == 2);
  CHECK(host.performed[0].arguments["subject"] == "E001");
  CHECK(host.performed[0].arguments["signature"] == "E001/3");
  CHECK(host.performed[0].arguments["certificate_chain"] ==
        Json{"/srv/ca.pem"});
  CHECK(host.performed[1].arguments["text"] == "verified");
}

}  // namespace
}  // namespace impound::lua
