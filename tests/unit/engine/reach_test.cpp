// SPDX-License-Identifier: Apache-2.0
/// The door of playbooks: what the deployment names, what a person gave, and
/// nothing else.
#include "core/engine/reach.hpp"

#include <unistd.h>

#include <array>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

const std::array kPath{Parameter{
    .name = "path", .type = ParameterType::path, .touches = Touches::path}};
const std::array kPattern{Parameter{
    .name = "path", .type = ParameterType::path, .touches = Touches::pattern}};
const std::array kPlace{Parameter{.name = "path", .touches = Touches::place}};

/// A deployment on the disk, with a case, settings and secrets beside it.
struct Scene {
  Scene() {
    deployment.name = "small";
    model = folder.write("d/model/config.json", "{}").parent_path();
    secret = folder.write("home/secret.txt", "the secret\n");
    key = folder.write("home/.config/impound/examiner.key", "the key\n");
    case_folder = folder.write("cases/IR-1/case.db", "").parent_path();
    log = folder.write("d/logs/a.jsonl", "{}\n");
    deployment.model_path = model;
    deployment.logs = {{.path = (folder.path() / "d/logs/*.jsonl").native()}};
    own = {{"the case", case_folder}, {"the signing key", key}};
  }

  [[nodiscard]] PlaybookReach reach(ReachGiven given = {},
                                    std::vector<fs::path> reads = {}) const {
    return {deployment,
            {.given = std::move(given), .reads = std::move(reads), .own = own},
            PlaybookReach::Disk::real};
  }
  [[nodiscard]] static PlaybookReach::Admitted ask(
      const PlaybookReach& reach, std::span<const Parameter> parameters,
      const fs::path& path) {
    const Json arguments{{"path", path.native()}};
    return reach.admit({.owner = "diff",
                        .parameters = parameters,
                        .arguments = arguments,
                        .takes = {}});
  }
  [[nodiscard]] bool admits(const fs::path& path,
                            std::span<const Parameter> parameters = kPath,
                            ReachGiven given = {}) const {
    try {
      static_cast<void>(ask(reach(std::move(given)), parameters, path));
      return true;
    } catch (const Error& error) {
      CHECK(error.code() == Errc::bad_input);
      return false;
    }
  }
  [[nodiscard]] static ReachGiven given(const std::string& text,
                                        const fs::path& absolute) {
    ReachGiven given;
    given.paths.push_back({.text = text, .absolute = absolute});
    return given;
  }

  TempDir folder;
  Deployment deployment;
  fs::path model, secret, key, case_folder, log;
  std::vector<OwnPlace> own;
};

TEST_CASE("a playbook reaches the model and the logs of the deployment",
          "[reach]") {
  const Scene scene;
  CHECK(scene.admits(scene.model));
  CHECK(scene.admits(scene.model / "config.json"));
  CHECK(scene.admits(scene.model / "not-there.json"));
  CHECK(scene.admits(scene.log));
  const auto admitted =
      Scene::ask(scene.reach(), kPath, scene.model / "./config.json");
  CHECK(admitted.arguments["path"] ==
        (fs::canonical(scene.model) / "config.json").native());
  REQUIRE(admitted.touches.size() == 1);
  CHECK(admitted.touches[0].ground == TouchGround::deployment);
}

TEST_CASE("a playbook reaches no path that nobody named", "[reach]") {
  const Scene scene;
  CHECK_FALSE(scene.admits(scene.secret));
  CHECK_FALSE(scene.admits("/etc/passwd"));
  CHECK_FALSE(scene.admits("/"));
  CHECK_FALSE(scene.admits(scene.folder.path()));
  CHECK_FALSE(scene.admits(scene.log.parent_path()));
  CHECK_FALSE(scene.admits("config.json"));
  CHECK_FALSE(scene.admits(""));
  // Not the folder's name with something behind it.
  static_cast<void>(scene.folder.write("d/model2/x", "x"));
  CHECK_FALSE(scene.admits(scene.model.native() + "2/x"));
}

TEST_CASE("dots, links and trees of the kernel lead no playbook out",
          "[reach]") {
  const Scene scene;
  CHECK_FALSE(scene.admits(scene.model / "../../home/secret.txt"));
  CHECK_FALSE(scene.admits(scene.model / "no/../../../home/secret.txt"));
  make_symlink(scene.secret.native(), scene.model / "link");
  make_symlink((scene.folder.path() / "home").native(), scene.model / "folder");
  CHECK_FALSE(scene.admits(scene.model / "link"));
  CHECK_FALSE(scene.admits(scene.model / "folder/secret.txt"));
  CHECK_FALSE(scene.admits("/proc/self/root" + scene.secret.native()));
  // The right file by a way that cannot be followed by name.
  CHECK_FALSE(scene.admits("/proc/self/root" + scene.model.native()));
  CHECK_FALSE(scene.admits("/proc/" + std::to_string(::getpid()) + "/environ"));
  CHECK_FALSE(scene.admits("/dev/stdin"));
  CHECK_FALSE(scene.admits("/sys/kernel/notes"));
  make_symlink("config.json", scene.model / "inside");
  CHECK(scene.admits(scene.model / "inside"));
}

TEST_CASE("a second name of a file that lies in the model is the model's",
          "[reach]") {
  const Scene scene;
  fs::create_hard_link(scene.secret, scene.model / "second");
  CHECK(scene.admits(scene.model / "second"));
}

TEST_CASE("no pattern of a playbook leaves the folders it may reach",
          "[reach]") {
  const Scene scene;
  CHECK(scene.admits(scene.model / "*.json", kPattern));
  CHECK(scene.admits(scene.deployment.logs[0].path, kPattern));
  CHECK_FALSE(scene.admits(scene.folder.path() / "home/*", kPattern));
  CHECK_FALSE(scene.admits("/**/secret.txt", kPattern));
  CHECK_FALSE(scene.admits("/*", kPattern));
  CHECK_FALSE(scene.admits(scene.log.parent_path() / "*", kPattern));
  make_symlink(scene.secret.native(), scene.model / "link.json");
  CHECK_FALSE(scene.admits(scene.model / "*.json", kPattern));
}

TEST_CASE("what a person gave is reached, and what stands below it",
          "[reach]") {
  const Scene scene;
  const fs::path home =
      scene.folder.write("given/secret.txt", "x").parent_path();
  CHECK(scene.admits(scene.secret, kPath,
                     Scene::given(scene.secret.native(), scene.secret)));
  CHECK(scene.admits("h", kPath, Scene::given("h", home)));
  const auto below =
      Scene::ask(scene.reach(Scene::given("h", home)), kPath, "h/secret.txt");
  CHECK(below.arguments["path"] ==
        (fs::canonical(home) / "secret.txt").native());
  CHECK(below.touches[0].ground == TouchGround::command_line);
  CHECK_FALSE(scene.admits("hh", kPath, Scene::given("h", home / "no")));
  CHECK_FALSE(scene.admits("h/../../d/model/../x", kPath,
                           Scene::given("h", home / "no")));
}

TEST_CASE("what impound keeps for itself is reached on nobody's word",
          "[reach]") {
  Scene scene;
  for (const fs::path& path :
       {scene.key, scene.case_folder, scene.case_folder / "case.db"}) {
    INFO(path);
    CHECK_FALSE(scene.admits(path));
    CHECK_FALSE(scene.admits(path, kPath, Scene::given(path.native(), path)));
  }
  // A folder that holds it is read to its bottom.
  const fs::path home = scene.folder.path() / "home";
  CHECK_FALSE(scene.admits(home, kPath, Scene::given(home.native(), home)));
  // A log that is a link to it, too, even by its own descriptor.
  make_symlink(scene.key.native(), scene.log.parent_path() / "k.jsonl");
  CHECK_FALSE(scene.admits(scene.deployment.logs[0].path, kPattern));
  const std::array logs{DeploymentPart::logs};
  const Json nothing = Json::object();
  CHECK_THROWS_WITH(scene.reach().admit({.owner = "collector prompt-log",
                                         .parameters = {},
                                         .arguments = nothing,
                                         .takes = logs}),
                    Catch::Contains("is the signing key"));
}

TEST_CASE("the default of a parameter was given by nobody", "[reach]") {
  const Scene scene;
  const std::array parameters{Parameter{.name = "reference",
                                        .type = ParameterType::path,
                                        .otherwise = "/etc/passwd"}};
  const Arguments defaults = check_parameters("p", parameters, Json::object(),
                                              Spelling::command_line, 0);
  const ReachGiven silent = reach_given(parameters, Json::object(), defaults);
  CHECK(silent.paths.empty());
  CHECK_THROWS_WITH(
      Scene::ask(scene.reach(silent), kPath, "/etc/passwd"),
      Catch::Contains("default of parameter reference, which nobody gave"));
  const Json typed{{"reference", "/etc/passwd"}};
  const Arguments said =
      check_parameters("p", parameters, typed, Spelling::command_line, 0);
  CHECK(
      scene.admits("/etc/passwd", kPath, reach_given(parameters, typed, said)));
}

TEST_CASE("declared reads are reached only once they are approved", "[reach]") {
  const Scene scene;
  PlaybookReach reach = scene.reach({}, {scene.secret});
  CHECK_THROWS_WITH(Scene::ask(reach, kPath, scene.secret),
                    Catch::Contains("nobody approved it"));
  reach.approve_reads();
  CHECK(Scene::ask(reach, kPath, scene.secret).touches[0].ground ==
        TouchGround::reads);
  CHECK_THROWS_AS(Scene::ask(reach, kPath, scene.key), Error);
}

TEST_CASE("an exhibit is named as such, and never as a file", "[reach]") {
  const Scene scene;
  CHECK(Scene::ask(scene.reach(), kPlace, "E001/17").arguments["path"] ==
        "E001/17");
  CHECK(Scene::ask(scene.reach(), kPlace, "E001").touches.empty());
  CHECK_FALSE(scene.admits("E001", kPath));
  const std::array evidence{
      Parameter{.name = "path", .touches = Touches::evidence}};
  CHECK(scene.admits("E001", evidence));
  CHECK_FALSE(scene.admits(scene.model, evidence));
  CHECK_FALSE(scene.admits("../E001", evidence));
}

TEST_CASE("a process is one of the deployment or was given by a person",
          "[reach]") {
  Scene scene;
  scene.deployment.process.pid = ::getpid();
  const std::array parameter{Parameter{.name = "pid",
                                       .type = ParameterType::integer,
                                       .touches = Touches::process}};
  const auto ask = [&](std::int64_t pid, const ReachGiven& given) {
    const Json arguments{{"pid", pid}};
    return scene.reach(given).admit({.owner = "collector process",
                                     .parameters = parameter,
                                     .arguments = arguments,
                                     .takes = {}});
  };
  CHECK(ask(::getpid(), {}).touches[0].kind == TouchKind::process);
  CHECK_THROWS_WITH(ask(1, {}),
                    Catch::Contains("no process of the deployment"));
  ReachGiven given;
  given.processes = {1};
  CHECK_NOTHROW(ask(1, given));
}

TEST_CASE("a parameter that does not say what it names is refused", "[reach]") {
  const Scene scene;
  const std::array forgotten{Parameter{.name = "path"}};
  const Json arguments{{"path", scene.model.native()}};
  CHECK_THROWS_WITH(scene.reach().admit({.owner = "new",
                                         .parameters = forgotten,
                                         .arguments = arguments,
                                         .takes = {}}),
                    Catch::Contains("does not say what it names"));
}

TEST_CASE("what a call takes by itself is named, path, process and host",
          "[reach]") {
  Scene scene;
  scene.deployment.process.pid = ::getpid();
  Probe probe;
  probe.name = "p";
  probe.url = "http://127.0.0.1:1/";
  scene.deployment.probes.push_back(probe);
  const std::array parts{DeploymentPart::model, DeploymentPart::logs,
                         DeploymentPart::process, DeploymentPart::probes};
  const Json nothing = Json::object();
  const auto touches = scene.reach()
                           .admit({.owner = "x",
                                   .parameters = {},
                                   .arguments = nothing,
                                   .takes = parts})
                           .touches;
  REQUIRE(touches.size() == 4);
  CHECK(touches[0].what == scene.model.native());
  CHECK(touches[1].what == scene.deployment.logs[0].path);
  CHECK(touches[2].what.find(std::to_string(::getpid())) == 0);
  CHECK(touches[3].kind == TouchKind::host);
  CHECK(touches[3].what == "http://127.0.0.1:1/");
}

TEST_CASE("what was given for a run is read back from its record", "[reach]") {
  ReachGiven given = Scene::given("b.json", "/x/b.json");
  given.processes = {7};
  const ReachGiven again = ReachGiven::from_json(given.to_json(), "record");
  REQUIRE(again.paths.size() == 1);
  CHECK(again.paths[0].text == "b.json");
  CHECK(again.paths[0].absolute == "/x/b.json");
  CHECK(again.processes == std::vector<std::int64_t>{7});
  CHECK_THROWS_AS(ReachGiven::from_json(Json::object(), "record"), Error);
}

}  // namespace
}  // namespace impound::test
