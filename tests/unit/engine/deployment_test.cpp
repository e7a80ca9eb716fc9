// SPDX-License-Identifier: Apache-2.0
#include "core/engine/deployment.hpp"

#include <algorithm>

#include "collectors/registry.hpp"
#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/deployment_record.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::TempDir;

namespace {

constexpr std::string_view kFull = R"(schema = 1
name = "chat-prod"
description = "support desk"
[model]
path = "weights"
baseline = "../base.json"
[[logs]]
path = "/var/log/gw/*.jsonl"
timestamp = "response.created"
[[logs]]
path = "text/*.log"
format = "text"
[process]
port = 8080
[containment]
method = "process"
[[probe]]
name = "models"
url = "http://127.0.0.1:8080/v1/models"
[[probe]]
name = "ssh"
host = "127.0.0.1"
port = 22
expect = "SSH-"
after = "allowed"
timeout_ms = 500
)";

std::string message_of(const TempDir& folder, std::string_view text) {
  const auto path = folder.write("d.toml", text);
  try {
    static_cast<void>(load_deployment(path));
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_input);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE(
    "a descriptor names several methods in their order, each with its own "
    "settings, and a record of it tells the same") {
  const TempDir folder;
  const auto path = folder.write("d.toml", R"(schema = 1
name = "chat"
[[containment]]
method = "haproxy"
[containment.haproxy]
sockets = ["/run/a.sock", "/run/b.sock"]
servers = ["models/gpu1"]
timeout_ms = 700
[[containment]]
method = "process"
)");
  const Deployment found = load_deployment(path);
  CHECK(found.containment_method == "haproxy");
  CHECK(found.containment_methods() ==
        std::vector<std::string>{"haproxy", "process"});
  CHECK(found.settings_of("haproxy").dump() ==
        R"({"servers":["models/gpu1"],"sockets":["/run/a.sock","/run/b.sock"],)"
        R"("timeout_ms":700})");
  CHECK(found.settings_of("process").empty());
  const Deployment again =
      deployment_from_json(deployment_to_json(found), "a record");
  CHECK(again.containment_methods() == found.containment_methods());
  CHECK(again.settings_of("haproxy") == found.settings_of("haproxy"));

  // One method without settings is recorded as it always was: approvals are
  // bound to the digest of it.
  const auto plain = folder.write("p.toml", R"(schema = 1
name = "chat"
[containment]
method = "process"
)");
  CHECK_FALSE(
      deployment_to_json(load_deployment(plain)).contains("containments"));
}

TEST_CASE(
    "a fault in a table of a containment method names the file, the line and "
    "what was expected") {
  const TempDir folder;
  const std::string head = "schema = 1\nname = \"x\"\n";
  CHECK_THAT(message_of(folder, head + "[containment]\nmethod = \"haproxy\"\n"
                                       "[containment.process]\n"),
             Catch::Contains("d.toml:5:") && Catch::Contains("process"));
  CHECK_THAT(message_of(folder, head + "[[containment]]\nmethod = \"process\"\n"
                                       "[[containment]]\nmethod = "
                                       "\"process\"\n"),
             Catch::Contains("d.toml:6:") &&
                 Catch::Contains("expected each method once"));
  CHECK_THAT(
      message_of(folder, head + "[containment]\nmethod = \"haproxy\"\n"
                                "[containment.haproxy]\nservers = 1.5\n"),
      Catch::Contains("d.toml:6:") &&
          Catch::Contains("[containment.haproxy] servers"));
}

TEST_CASE("a descriptor is read, its paths resolved against its folder") {
  const TempDir folder;
  const auto path = folder.write("d/chat.toml", kFull);
  const Deployment found = load_deployment(path);
  CHECK(found.name == "chat-prod");
  CHECK(found.descriptor == path);
  CHECK(found.descriptor_sha256 == sha256(kFull).hex());
  CHECK(found.model_path == folder.path() / "d/weights");
  CHECK(found.baseline_path == folder.path() / "base.json");
  REQUIRE(found.logs.size() == 2);
  CHECK(found.logs[0].path == "/var/log/gw/*.jsonl");
  CHECK(found.logs[0].format == "jsonl");
  CHECK(found.logs[0].timestamp_key == "response.created");
  CHECK(found.logs[1].path == (folder.path() / "d/text/*.log").native());
  CHECK(found.process.port == 8080);
  CHECK(found.containment_method == "process");
  REQUIRE(found.probes.size() == 2);
  CHECK(found.probes[0].kind == ProbeKind::http);
  CHECK(found.probes[0].after_containment == ProbeExpectation::forbidden);
  CHECK(found.probes[1].kind == ProbeKind::tcp);
  CHECK(found.probes[1].after_containment == ProbeExpectation::allowed);
  CHECK(found.probes[1].expect == "SSH-");
  CHECK(found.probes[1].timeout_ms == 500);
}

TEST_CASE("errors in a descriptor name file, line, key and what was expected") {
  const TempDir folder;
  const std::string head = "schema = 1\nname = \"x\"\n";
  const auto check = [&](std::string_view text, std::string_view expected) {
    const std::string message = message_of(folder, text);
    INFO(message);
    CHECK(message.find("d.toml:") != std::string::npos);
    CHECK(message.find(expected) != std::string::npos);
  };
  check("name = \"x\"", "schema: is missing");
  check("schema = 2\nname = \"x\"", ":1: schema: expected an integer from 1");
  check("schema = 1", "name: is missing, expected text");
  check(head + "nmae = 3", ":3: nmae: is not known here");
  check(head + "[model]\npth = \"x\"", "path: is missing, expected a path");
  check(head + "[model]\npath = 3",
        ":4: [model] path: expected text, found an");
  check(head + "[process]\nport = \"8080\"",
        ":4: [process] port: expected an integer from 1 to 65535");
  check(head + "[process]\nport = 99999", "found 99999");
  check(head + "[process]\nport = 1\npid = 2", "exactly one of");
  check(head + "[process]", "exactly one of");
  check(head + "process = 3", "expected a table [process]");
  check(head + "[logs]\npath = \"x\"", "expected tables [[logs]]");
  check(head + "[[probe]]\nname = \"a\"", "either url (HTTP) or host and port");
  check(head + "[[probe]]\nname = \"a\"\nurl = \"ftp://x\"", "http://");
  check(head + "[[probe]]\nname = \"a\"\nurl = \"http://x\"\nafter = \"no\"",
        "expected one of forbidden, allowed");
  check(head +
            "[[probe]]\nname = \"a\"\nurl = \"http://x\"\n[[probe]]\nname = "
            "\"a\"\nurl = \"http://y\"",
        "name of another probe");
  check(head + "[[probe]]\nname = \"a\"\nhost = \"x\"", "port: is missing");
  check(head + "x = [", "not TOML");
  check("schema = 1\nname = \"a\\u001b[2J\"", "control characters");
  CHECK_THROWS_AS(load_deployment(folder.path() / "none.toml"), Error);
}

TEST_CASE("a descriptor says whether a log is taken with its rotated set") {
  const TempDir folder;
  const std::string head = "schema = 1\nname = \"x\"\n[[logs]]\n";
  CHECK(message_of(folder, head + "path = \"a\"\nrotated = \"no\"")
            .find("[[logs]] rotated: expected true or false, found text") !=
        std::string::npos);
  const Deployment found = load_deployment(folder.write(
      "d.toml", head + "path = \"a\"\n[[logs]]\npath = \"b\"\nrotated = "
                       "false\n"));
  CHECK(found.logs[0].rotated);
  CHECK_FALSE(found.logs[1].rotated);
  // The record of a deployment says so too, and one without the word comes
  // from a version that took no rotated set.
  Json record = deployment_to_json(found);
  const Deployment again = deployment_from_json(record, "test");
  CHECK(again.logs[0].rotated);
  CHECK_FALSE(again.logs[1].rotated);
  for (Json& log : record.at("logs")) log.erase("rotated");
  CHECK_FALSE(deployment_from_json(record, "test").logs[0].rotated);
}

TEST_CASE("a check of a deployment names the neighbours that it leaves out") {
  const TempDir folder;
  for (const char* name :
       {"gw/chat.jsonl", "gw/chat.jsonl.1", "gw/chat.jsonl.tmp"}) {
    folder.write(name, "{}\n");
  }
  const FixedClock clock;
  const Cancellation cancellation;
  const auto sentences = [&](std::string_view more) {
    const Deployment deployment = load_deployment(
        folder.write("d.toml",
                     "schema = 1\nname = \"x\"\n[[logs]]\npath = "
                     "\"gw/*.jsonl\"\n" +
                         std::string(more)));
    std::string all;
    for (const auto& check :
         check_deployment(deployment, {.collectors = {},
                                      .containments = {},
                                      .probe = nullptr,
                                      .clock = clock,
                                      .cancellation = cancellation})) {
      if (check.subject.starts_with("logs")) all += check.sentence + "\n";
    }
    return all;
  };
  CHECK_THAT(sentences(""),
             Catch::Contains("1 match and 1 are rotated from them") &&
                 Catch::Contains("chat.jsonl.tmp") &&
                 !Catch::Contains("chat.jsonl.1"));
  CHECK_THAT(sentences("rotated = false\n"),
             Catch::Contains("2 files beside it are taken by no [[logs]]") &&
                 Catch::Contains("chat.jsonl.1"));
}

TEST_CASE("a check says what is there and what will be missing") {
  const TempDir folder;
  folder.write("weights/model.bin", "1234");
  folder.write("text/a.log", "x\n");
  std::string text(kFull);
  text.replace(text.find("8080\n"), 5, "1\n");  // nobody listens on port 1
  text.replace(text.find(":8080/"), 6, ":1/");
  const Deployment deployment = load_deployment(folder.write("d.toml", text));
  const FixedClock clock;
  const Cancellation cancellation;
  const auto checks =
      check_deployment(deployment, {.collectors = all_collectors(),
                                    .containments = all_containments(),
                                    .probe = run_probe,
                                    .clock = clock,
                                    .cancellation = cancellation,
                                    .evidence_folder = folder.path()});
  const auto level = [&](std::string_view subject) {
    const auto found = std::ranges::find_if(checks, [&](const auto& check) {
      return std::string_view(check.subject).starts_with(subject);
    });
    REQUIRE(found != checks.end());
    INFO(found->subject << ": " << found->sentence);
    CHECK(found->sentence.ends_with('.'));
    return found->level;
  };
  CHECK(level("model") == CheckLevel::ok);
  CHECK(level("baseline") == CheckLevel::fail);
  CHECK(level("logs /var/log/gw") == CheckLevel::warn);
  CHECK(level("logs " + folder.path().native()) == CheckLevel::ok);
  CHECK(level("process") == CheckLevel::fail);
  CHECK(level("containment") == CheckLevel::fail);
  CHECK(level("probe models") == CheckLevel::warn);
  CHECK(level("free space") == CheckLevel::ok);
}
