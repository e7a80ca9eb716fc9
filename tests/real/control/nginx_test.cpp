// SPDX-License-Identifier: Apache-2.0
/// What only nginx is asked: old workers with a long answer, and a file that is
/// back to the byte.

#include <sys/socket.h>

#include <fstream>
#include <sstream>

#include "containment/registry.hpp"
#include "core/engine/isolation.hpp"
#include "tests/real/control/network.hpp"
#include "tests/real/control/stage.hpp"
#include "tests/support/catch.hpp"

using namespace impound;
using namespace impound::test;

namespace {

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Reads what comes within a moment; 0 once the connection is closed.
ssize_t take(const UniqueFd& connection) {
  char block[4096];
  return ::recv(connection.get(), block, sizeof block, 0);
}

UniqueFd long_answer(std::uint16_t port) {
  UniqueFd connection = connect_from("", "127.0.0.1", port);
  const std::string request = "GET /stream HTTP/1.1\r\nHost: model\r\n\r\n";
  REQUIRE(::send(connection.get(), request.data(), request.size(),
                 MSG_NOSIGNAL) > 0);
  REQUIRE(take(connection) > 0);
  return connection;
}

}  // namespace

TEST_CASE(
    "an old worker of nginx that still gives a long answer is found, and ended "
    "with the containment") {
  const auto stage = make_stage("nginx");
  if (stage == nullptr) return;
  const std::string config =
      stage->deployment.containments.front().settings.at("config");
  const std::string before = text_of(config);
  CaseOnStage one(*stage, "IR-1");

  SECTION("waited for, it keeps the model from being called contained") {
    stage->deployment.containments.front().settings["old_workers"] = "wait";
    const UniqueFd open = long_answer(stage->port());
    const ContainAllResult result = one.contain_it();
    INFO(result.to_text());
    CHECK_FALSE(result.is_contained());
    CHECK_THAT(result.parts.front().reason,
               Catch::Contains("workers of process") &&
                   Catch::Contains("are of before that, with"));
    CHECK(text_of(config) == before);
    note("nginx", "old worker, waited for", "not contained, rolled back");
  }
  SECTION("ended, the answer breaks off and none is left") {
    const UniqueFd open = long_answer(stage->port());
    const ContainAllResult result = one.contain_it();
    INFO(result.to_text());
    REQUIRE(result.is_contained());
    CHECK(result.parts.front().state.connections_left == 0U);
    while (take(open) > 0) {
    }
    CHECK(take(open) <= 0);
    CHECK(text_of(config) != before);
    CHECK(one.releases());
    CHECK(text_of(config) == before);
    note("nginx", "old worker, ended",
         "contained, 0 connections left; the file is back to the byte");
  }
}

TEST_CASE(
    "settings that an administrator changed during a containment keep the "
    "change when it is released") {
  const auto stage = make_stage("nginx");
  if (stage == nullptr) return;
  const std::string config =
      stage->deployment.containments.front().settings.at("config");
  CaseOnStage one(*stage, "IR-1");
  REQUIRE(one.contain_it().is_contained());
  std::ofstream(config, std::ios::app) << "# a note of the administrator\n";
  const auto back = one.release_it();
  REQUIRE(back.size() == 1);
  INFO(back.front().to_text());
  CHECK(back.front().is_released());
  CHECK(back.front().done.at("is_as_before") == false);
  CHECK_THAT(text_of(config), Catch::Contains("a note of the administrator"));
  CHECK(text_of(config).find("impound") == std::string::npos);
  note("nginx", "file changed meanwhile", "our line removed, theirs kept");
}
