// SPDX-License-Identifier: Apache-2.0
/// Taking evidence of a real server, and of the machine this runs on.

#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "collectors/registry.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/crypto/digest.hpp"
#include "tests/real/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::MemorySink;
using impound::test::Scene;
using impound::test::TempDir;

namespace {

const Collector& collector(std::string_view name) {
  for (const Collector* const one : all_collectors()) {
    if (one->name == name) return *one;
  }
  throw std::runtime_error("no such collector");
}

struct Setting {
  [[nodiscard]] Target target() const {
    return {.deployment = deployment,
            .arguments = arguments_for(collector("process"), given,
                                       Spelling::command_line, clock.now()),
            .clock = clock,
            .cancellation = cancellation};
  }
  void collect(std::string_view name) {
    collector(name).collect(target(), sink);
  }
  [[nodiscard]] Json json(const std::string& name) const {
    return Json::parse(sink.contents.at(name));
  }
  [[nodiscard]] const FileRequest* file(const std::string& name) const {
    const auto found = std::ranges::find(sink.files, name, &FileRequest::name);
    return found == sink.files.end() ? nullptr : &*found;
  }

  Deployment deployment;
  Json given = Json::object();  ///< to the collector "process"
  FixedClock clock;
  Cancellation cancellation;
  MemorySink sink;
};

/// What a sink would copy for this request.
std::string content_of(const FileRequest& request) {
  const auto fd = open_read(request.path, Links::follow);
  REQUIRE(fd);
  Bytes bytes(4 * limits::kMiB);
  const auto got = read_at(*fd, 0, bytes);
  REQUIRE(got);
  return std::string(as_text(ByteView(bytes).first(*got)));
}

}  // namespace

TEST_CASE("a serving process is taken with its children, secrets replaced") {
  const TempDir folder;
  const std::string deleted = (folder.path() / "loot.bin").native();
  const std::string mapped = (folder.path() / "mapped.bin").native();
  Scene scene({"--children", "2", "--deleted", deleted, "--map-deleted", mapped,
               "--api-key", "hunter2"},
              {"PATH=/usr/bin", "HF_TOKEN=hunter2", "MODEL=toy"});
  Setting setting;
  setting.deployment.process.port = scene.port();
  CHECK(collector("process").describe(setting.target()).find("3 processes") !=
        std::string::npos);
  CHECK(collector("process").estimate(setting.target()) > 0);
  setting.collect("process");

  const std::string own = "process/" + std::to_string(scene.pid()) + "/";
  const Json tree = setting.json("process/tree.json");
  REQUIRE(tree.at("processes").size() == 3);
  CHECK(tree.at("roots") == Json::array({scene.pid()}));
  const auto at = std::ranges::find_if(
      tree.at("processes"),
      [&](const Json& one) { return one.at("pid") == scene.pid(); });
  REQUIRE(at != tree.at("processes").end());
  const Json& root = *at;
  CHECK(root.at("exe") == fs::canonical(IMPOUND_SCENE_SERVER).native());
  CHECK(root.at("listening") ==
        Json::array({"127.0.0.1:" + std::to_string(scene.port())}));
  CHECK(root.at("namespaces").at("net").get<std::string>().starts_with("net:"));

  SECTION("no secret is left, and each can be proved") {
    for (const auto& [name, text] : setting.sink.contents) {
      INFO(name);
      CHECK(text.find("hunter2") == std::string::npos);
    }
    CHECK(setting.sink.contents.at(own + "environ").find("MODEL=toy") !=
          std::string::npos);
    const Json redaction = setting.json("process/redaction.json");
    REQUIRE(redaction.at("replaced").size() >= 2);
    const Bytes salt = from_hex(redaction.at("salt").get<std::string>());
    Sha256 hash;
    hash.update(salt);
    hash.update(as_bytes("hunter2"));
    CHECK(redaction.at("replaced").at(0).at("sha256") == hash.finish().hex());
  }

  SECTION("deleted files are recovered through the process") {
    const Json& recovered = root.at("deleted_files");
    REQUIRE(recovered.size() == 2);
    std::size_t from_map = 0;
    for (const Json& one : recovered) {
      const FileRequest* const request =
          setting.file(one.at("item").get<std::string>());
      REQUIRE(request != nullptr);
      CHECK(request->follow_link);
      CHECK(request->found_as.ends_with(" (deleted)"));
      CHECK(content_of(*request).starts_with("still here after unlink\n"));
      if (request->name.find("/map-") != std::string::npos) ++from_map;
    }
    CHECK(from_map == 1);
  }

  SECTION("the program and the tables are taken") {
    const FileRequest* const exe = setting.file(own + "exe");
    REQUIRE(exe != nullptr);
    CHECK(
        content_of(*exe).starts_with("\x7f"
                                     "ELF"));
    for (const char* const file :
         {"status", "stat", "limits", "cgroup", "maps", "cmdline", "environ",
          "descriptors.jsonl", "sockets.json"}) {
      INFO(file);
      CHECK(setting.sink.contents.contains(own + file));
    }
    const Json sockets = setting.json(own + "sockets.json");
    CHECK(std::ranges::any_of(sockets, [](const Json& socket) {
      return socket.value("state", "") == "LISTEN";
    }));
  }
}

TEST_CASE("the process that is asked for is the one that is taken [I13]") {
  Scene named;
  Scene asked({"--children", "1"});
  Setting setting;
  setting.deployment.process.pid = named.pid();
  setting.given = {{"pid", std::to_string(asked.pid())}};
  setting.collect("process");
  const Json tree = setting.json("process/tree.json");
  CHECK(tree.at("roots") == Json::array({asked.pid()}));
  CHECK(tree.at("located_by") == "is process " + std::to_string(asked.pid()));
  CHECK(tree.at("processes").size() == 2);
  for (const Json& one : tree.at("processes")) {
    CHECK(one.at("pid") != named.pid());
  }
}

TEST_CASE("a process that is asked for and gone is a gap, not another one") {
  Scene named;
  Scene asked;
  Setting setting;
  setting.deployment.process.pid = named.pid();
  const std::string pid = std::to_string(asked.pid());
  setting.given = {{"pid", pid}};
  asked.end();
  setting.collect("process");
  REQUIRE(setting.sink.gaps.size() == 1);
  CHECK(setting.sink.gaps[0].subject == "process (pid " + pid + ")");
  CHECK(setting.sink.contents.empty());
}

TEST_CASE("what is no process number never reaches the collector") {
  Setting setting;
  for (const char* const wrong : {"banana", "B", "0", "-1", "7x", "", "1e3"}) {
    INFO(wrong);
    setting.given = {{"pid", wrong}};
    CHECK_THROWS_WITH(
        setting.target(),
        Catch::Contains("collector process: pid: expected a whole number from "
                        "1 to 4194304, found \"" +
                        std::string(wrong) + "\""));
  }
}

TEST_CASE("a process that is not there is a gap") {
  Setting setting;
  Scene scene;
  setting.deployment.process.pid = scene.pid();
  scene.end();
  setting.collect("process");
  REQUIRE(setting.sink.gaps.size() == 1);
  CHECK(setting.sink.gaps[0].outcome == Outcome::missing);
  CHECK(setting.sink.contents.empty());
}

TEST_CASE("processes that come and go while they are listed do no harm") {
  Scene scene({"--storm"});
  for (int i = 0; i < 10; ++i) {
    Setting setting;
    setting.deployment.process.pid = scene.pid();
    setting.collect("process");
    CHECK(setting.json("process/tree.json").at("processes").size() >= 2);
  }
}

TEST_CASE("a model in service is frozen and still gives its evidence") {
  Scene scene;
  REQUIRE(::kill(scene.pid(), SIGSTOP) == 0);
  Setting setting;
  setting.deployment.process.port = scene.port();
  setting.collect("process");
  const Json tree = setting.json("process/tree.json");
  REQUIRE(tree.at("processes").size() == 1);
  CHECK(tree.at("processes").at(0).at("state") == "T");
  REQUIRE(::kill(scene.pid(), SIGCONT) == 0);
}

TEST_CASE("this machine is described") {
  Scene scene({"--api-key", "hunter2"});
  Setting setting;
  setting.collect("host");
  for (const char* const name :
       {"host/clock.json", "host/processes.jsonl", "host/uptime",
        "host/mountinfo", "host/listening.json", "host/interfaces.json",
        "host/kernel.json", "host/containers.json", "host/os-release"}) {
    INFO(name);
    CHECK(setting.sink.contents.contains(name));
  }
  const Json listening = setting.json("host/listening.json");
  CHECK(std::ranges::any_of(listening, [&](const Json& socket) {
    return socket.at("local") == "127.0.0.1:" + std::to_string(scene.port()) &&
           !socket.at("processes").empty() &&
           socket.at("processes").at(0).at("pid") == scene.pid();
  }));
  const std::string& processes =
      setting.sink.contents.at("host/processes.jsonl");
  CHECK(processes.find("\"name\":\"scene_server\"") != std::string::npos);
  CHECK(processes.find("hunter2") == std::string::npos);
  CHECK(setting.json("host/interfaces.json").contains("lo"));
}
