// SPDX-License-Identifier: Apache-2.0
/// The requests that no containment sends.
#include "containment/forbidden.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "tests/support/catch.hpp"

using namespace impound;

namespace {

OutgoingRequest http(std::string_view verb, std::string_view target,
                     std::string_view body = "") {
  return {.protocol = ControlProtocol::http,
          .verb = verb,
          .what = target,
          .body = body};
}

bool is_refused(const OutgoingRequest& request, bool may_destroy = false) {
  try {
    require_allowed(request, may_destroy);
    return false;
  } catch (const Error& error) {
    return error.code() == Errc::unsupported;
  }
}

/// "POST /x?y" LF body, as a row's example has it.
OutgoingRequest example_of(const ForbiddenRow& row) {
  std::string_view line = row.example.substr(0, row.example.find('\n'));
  const std::string_view body = line.size() < row.example.size()
                                    ? row.example.substr(line.size() + 1)
                                    : std::string_view();
  std::string_view verb;
  if (row.protocol == ControlProtocol::http) {
    verb = line.substr(0, line.find(' '));
    line.remove_prefix(verb.size() + 1);
  }
  return {.protocol = row.protocol, .verb = verb, .what = line, .body = body};
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the example of every forbidden row is refused for its own reason") {
  for (const ForbiddenRow& row : forbidden_rows()) {
    INFO(row.example);
    const OutgoingRequest request = example_of(row);
    const ForbiddenRow* const found = find_forbidden(request);
    REQUIRE(found != nullptr);
    CHECK(found->harm == row.harm);
    CHECK(is_refused(request));
    CHECK(is_refused(request, true) == (row.harm == RequestHarm::forbidden));
  }
}

TEST_CASE(
    "no spelling of a forbidden request gets past: case, slashes, dots, "
    "percent signs, depth of the key") {
  CHECK(is_refused(http("delete", "/anything/at/all"), true));
  CHECK(is_refused(http("DELETE", "/"), true));
  CHECK(is_refused(http("GET", "//flush_cache/"), true));
  CHECK(is_refused(http("POST", "/v1/../flush%5Fcache?x=1"), true));
  CHECK(is_refused(http("POST", "/FLUSH_CACHE#x"), true));
  CHECK(is_refused(http("POST", "/%66lush_cache"), true));
  CHECK(is_refused(http("POST", "/%2566lush_cache"), true));
  CHECK(is_refused(http("POST", "/slots/3?a=1&action=ERASE"), true));
  CHECK(is_refused(http("POST", "/slots/3", R"({"action":"erase"})"), true));
  CHECK(is_refused(
      http("POST", "/weight_checker", R"({"x":[{"Action":" Reset "}]})"),
      true));
  CHECK(is_refused(http("POST", "/weight_checker", "action=reset"), true));
  CHECK(is_refused(http("POST", "/pause"), true));
  CHECK(is_refused(http("POST", "/pause?mode=keep&clear_cache=true"), true));
  CHECK(is_refused({.protocol = ControlProtocol::haproxy,
                    .what = "show stat;  DEL server a/b"},
                   true));
  CHECK(is_refused({.protocol = ControlProtocol::program,
                    .what = "/usr/sbin/nft -f -",
                    .body = "add table inet x\nflush  ruleset\n"},
                   true));
  CHECK(is_refused({.protocol = ControlProtocol::program,
                    .what = "/usr/sbin/nft -j -f -",
                    .body = R"({"nftables":[{"flush":{"ruleset":null}}]})"},
                   true));
  CHECK(is_refused({.protocol = ControlProtocol::program,
                    .what = "kubectl -n prod delete pod x"},
                   true));
}

TEST_CASE("what takes out of service and destroys nothing is sent") {
  CHECK_FALSE(is_refused(http("POST", "/pause?mode=keep&clear_cache=false")));
  CHECK_FALSE(is_refused(http("POST", "/resume")));
  CHECK_FALSE(
      is_refused(http("POST", "/weight_checker", R"({"action":"checksum"})")));
  CHECK_FALSE(is_refused(http("POST", "/slots/0?action=save")));
  CHECK_FALSE(is_refused(http("POST", "/v1.40/containers/web/pause")));
  CHECK_FALSE(
      is_refused(http("POST", "/pause_generation", R"({"mode":"in_place"})")));
  CHECK_FALSE(is_refused({.protocol = ControlProtocol::haproxy,
                          .what = "set server models/gpu1 state maint"}));
  CHECK_FALSE(is_refused({.protocol = ControlProtocol::haproxy,
                          .what = "shutdown sessions server models/gpu1"}));
  CHECK_FALSE(is_refused({.protocol = ControlProtocol::program,
                          .what = "/usr/sbin/nft -f -",
                          .body = "add table inet impound_x"}));
}

TEST_CASE(
    "no method but the table itself spells a forbidden word in its source") {
  const std::set<std::string> kTable{"forbidden.cpp", "forbidden.hpp",
                                     "README.md"};
  std::size_t looked_at = 0;
  for (const auto& entry : fs::directory_iterator(
           fs::path(test::source_folder()) / "containment")) {
    if (kTable.contains(entry.path().filename().string())) continue;
    ++looked_at;
    const std::string text = to_lower_ascii(text_of(entry.path()));
    INFO(entry.path());
    for (const std::string_view word :
         {"verb = \"delete\"", "\"delete /", "flush_cache",
          "reset_prefix_cache", "action=erase", "\"erase\"", "reset_tensors",
          "/unload_lora_adapter", "/api/delete", "/model/delete",
          "clear_cache=true", "mode=abort", "level=2", "flush ruleset",
          "/prune", "quitquitquit", "abort_request", "update_weights"}) {
      CHECK(text.find(word) == std::string::npos);
    }
    // The door that every request goes through: nobody opens another.
    const std::string name = entry.path().filename().string();
    const bool is_door = name == "control_plane.cpp" || name == "probe.cpp" ||
                         name == "curl_handle.cpp" || name == "curl_handle.hpp";
    if (!is_door) {
      CHECK(text.find("curl_easy_perform") == std::string::npos);
      CHECK(text.find("sendto(") == std::string::npos);
    }
    if (name != "program.cpp") {
      CHECK(text.find("execve") == std::string::npos);
      CHECK(text.find("popen(") == std::string::npos);
      CHECK(text.find("system(") == std::string::npos);
    }
  }
  CHECK(looked_at > 5);
}

TEST_CASE(
    "every method declares what it keeps, how it is undone, and what it was "
    "tried against") {
  std::string last;
  for (const Containment* one : all_containments()) {
    INFO(one->name);
    CHECK(std::string(one->name) > last);
    last = one->name;
    const Keeps& keeps = one->effects.keeps;
    for (const Kept kept :
         {keeps.weights, keeps.kv, keeps.inflight, keeps.process}) {
      CHECK(kept != Kept::undeclared);
    }
    CHECK(one->effects.undo != UndoPromise::undeclared);
    CHECK(one->tried != Tried::undeclared);
    CHECK_FALSE(one->tried_with.empty());
    // Whoever destroys says so.
    if (keeps.weights == Kept::lost || keeps.process == Kept::lost) {
      CHECK(one->effects.is_destructive);
    }
  }
}
