// SPDX-License-Identifier: Apache-2.0
/// What a real server holds, against what a descriptor names.

#include "core/evidence/served_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "collectors/registry.hpp"
#include "core/formats/weights_file.hpp"
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

/// The smallest thing that is recognised as weights, told apart by `mark`.
std::string weights(char mark) {
  std::string text =
      R"({"w":{"dtype":"U8","shape":[8192],"data_offsets":[0,8192]}})";
  while (text.size() % 8 != 0) text += ' ';
  std::string file(8, '\0');
  file[0] = static_cast<char>(text.size());
  return file + text + std::string(8192, mark);
}

struct Served {
  explicit Served(const TempDir& folder) {
    fs::create_directory(folder.path() / "model");
    file = folder.write("model/model.safetensors", weights('a'));
    folder.write("model/config.json", "{}");
    deployment.model_path = folder.path() / "model";
  }
  [[nodiscard]] ServedModel look(const Scene& scene) {
    deployment.process.port = scene.port();
    return look_at_served_model(deployment, deployment.process, ProcFs(),
                                holds_weights);
  }

  Deployment deployment;
  fs::path file;
};

std::size_t others(const ServedModel& model) {
  return static_cast<std::size_t>(std::ranges::count_if(
      model.files, [&](const auto& file) { return model.is_other(file); }));
}

}  // namespace

TEST_CASE("a server that maps the file that is named is tied to it") {
  const TempDir folder;
  Served served(folder);
  const Scene scene({"--map", served.file.native(), "--children", "1"});
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  CHECK(model.tie() == ServedTie::tied);
  REQUIRE(model.files.size() == 1);
  CHECK(model.files[0].relation == FileRelation::named);
  CHECK(model.files[0].is_mapped_private);
  CHECK_FALSE(model.files[0].is_open);
  CHECK(model.files[0].changed_bytes == 0);
}

TEST_CASE("a file that was swapped under a running server is another file") {
  const TempDir folder;
  Served served(folder);
  const Scene scene({"--map", served.file.native()});
  const fs::path fresh = folder.write("model/new", weights('b'));
  fs::rename(fresh, served.file);
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  REQUIRE(model.tie() == ServedTie::other_file);
  CHECK(others(model) == 1);
  const ServedFile& file = model.files.at(0);
  CHECK(file.relation == FileRelation::deleted);
  CHECK(file.path == served.file.native());
  // Its bytes are still to be had.
  if (!file.door.empty()) {
    Bytes content(weights('a').size());
    open_source(file.door)->read(0, content);
    CHECK(as_text(content) == weights('a'));
  }
}

TEST_CASE(
    "the same bytes under the same name are another file if the inode is") {
  const TempDir folder;
  Served served(folder);
  const Scene scene({"--map", served.file.native()});
  fs::rename(folder.write("model/new", weights('a')), served.file);
  CHECK(served.look(scene).tie() == ServedTie::other_file);
}

TEST_CASE("a descriptor beside the truth is told by what the server maps") {
  const TempDir folder;
  Served served(folder);
  const fs::path other = folder.write("w.dat", weights('b'));
  const Scene scene({"--map", other.native()});
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  REQUIRE(model.tie() == ServedTie::other_file);
  CHECK(model.files.at(0).relation == FileRelation::elsewhere);
  CHECK(model.files.at(0).path == other.native());
}

TEST_CASE("a link below the model path names the file that it leads to") {
  const TempDir folder;
  Served served(folder);
  fs::remove(served.file);
  const fs::path real = folder.write("store.bin", weights('a'));
  fs::create_symlink(real, served.file);
  const Scene scene({"--map", real.native()});
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  CHECK(model.tie() == ServedTie::tied);
  // It lies elsewhere, so that the model's own collection does not take it.
  CHECK_FALSE(model.files.at(0).lies_in_model);
}

TEST_CASE("a snapshot of a Hugging Face cache names the blobs behind it") {
  const TempDir folder;
  Served served(folder);
  const fs::path blob = folder.write("models--a--b/blobs/77", weights('a'));
  fs::create_directories(folder.path() / "models--a--b/snapshots/r1");
  fs::create_symlink("../../blobs/77", folder.path() /
                                           "models--a--b/snapshots/r1/"
                                           "model.safetensors");
  served.deployment.model_path = folder.path() / "models--a--b";
  const Scene scene({"--map", blob.native()});
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  CHECK(model.tie() == ServedTie::tied);
  CHECK(model.files.at(0).lies_in_model);
}

TEST_CASE(
    "weights of a model path that is gone are still told as another file") {
  const TempDir folder;
  Served served(folder);
  const Scene scene({"--map", served.file.native()});
  fs::remove_all(folder.path() / "model");
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  CHECK(model.tie() == ServedTie::other_file);
  CHECK(model.files.at(0).relation == FileRelation::deleted);
}

TEST_CASE("a server that read the file into memory is not tied to it") {
  const TempDir folder;
  Served served(folder);
  const Scene scene({"--read", served.file.native()});
  const ServedModel model = served.look(scene);
  CHECK(model.tie() == ServedTie::untied);
  CHECK(model.sentence().find("no process maps") != std::string::npos);
}

TEST_CASE("a mapping that was written to in memory is not the file any more") {
  const TempDir folder;
  Served served(folder);
  const Scene scene({"--map-write", served.file.native()});
  const ServedModel model = served.look(scene);
  INFO(model.sentence());
  CHECK(model.tie() == ServedTie::modified_mapping);
  CHECK(model.files.at(0).changed_bytes >= 4096);
}

TEST_CASE("without a process, what is served is unknown, and it says why") {
  const TempDir folder;
  Served served(folder);
  Scene scene;
  scene.end();
  const ServedModel model = served.look(scene);
  CHECK(model.tie() == ServedTie::unknown);
  CHECK(model.sentence().find("nothing listens") != std::string::npos);
}

TEST_CASE("what is served and not named is taken, each file once") {
  if (::geteuid() != 0) {
    WARN("skipped: /proc/PID/map_files needs root");
    return;
  }
  const TempDir folder;
  Served served(folder);
  const fs::path other = folder.write("other.gguf", "GGUF" + weights('b'));
  const Scene scene({"--map", served.file.native(), "--map", other.native(),
                     "--children", "2"});
  fs::rename(folder.write("model/new", weights('c')), served.file);
  served.deployment.process.port = scene.port();
  const FixedClock clock;
  const Cancellation cancellation;
  MemorySink sink;
  for (const Collector* const one : all_collectors()) {
    if (one->name != "process") continue;
    one->collect({.deployment = served.deployment,
                  .clock = clock,
                  .cancellation = cancellation},
                 sink);
  }
  std::vector<std::string> relations;
  for (const FileRequest& request : sink.files) {
    const auto notes = request.notes.find("served");
    if (notes == request.notes.end()) continue;
    relations.push_back(notes->at("relation").get<std::string>());
    CHECK(notes->at("weights") == true);
    CHECK(request.follow_link);
  }
  std::ranges::sort(relations);
  CHECK(relations == std::vector<std::string>{"deleted", "elsewhere"});
  const Json table = Json::parse(sink.contents.at("process/served.json"));
  CHECK(table.at("tie") == "other_file");
}
