// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "collectors/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::MemorySink;
using impound::test::TempDir;

namespace {

const Collector& model_files() {
  for (const Collector* const one : all_collectors()) {
    if (one->name == "model-files") return *one;
  }
  throw std::runtime_error("no collector is called model-files");
}

struct Setting {
  explicit Setting(const fs::path& model) { deployment.model_path = model; }
  [[nodiscard]] Target target() const {
    return {.deployment = deployment,
            .arguments = arguments_for(model_files(), arguments,
                                       Spelling::values, clock.now()),
            .clock = clock,
            .cancellation = cancellation};
  }
  void collect() { model_files().collect(target(), sink); }
  [[nodiscard]] const FileRequest& file(const std::string& name) const {
    const auto found = std::ranges::find(sink.files, name, &FileRequest::name);
    if (found == sink.files.end()) throw std::runtime_error("no " + name);
    return *found;
  }
  [[nodiscard]] bool has_gap(const std::string& words) const {
    return std::ranges::any_of(sink.gaps, [&](const auto& gap) {
      return (gap.subject + ": " + gap.reason).find(words) != std::string::npos;
    });
  }

  Deployment deployment;
  Json arguments = Json::object();
  FixedClock clock;
  Cancellation cancellation;
  MemorySink sink;
};

/// A Hugging Face cache with two snapshots; returns models--acme--toy.
fs::path make_cache(const TempDir& folder) {
  const fs::path repository = folder.path() / "models--acme--toy";
  folder.write("models--acme--toy/refs/main", "c0ffee");
  folder.write("models--acme--toy/refs/pr/1", "bad1dea");
  folder.write("models--acme--toy/blobs/aaaa", "weights");
  folder.write("models--acme--toy/blobs/bbbb", "config");
  folder.write("models--acme--toy/blobs/cccc.incomplete", "we");
  for (const std::string commit : {"c0ffee", "bad1dea"}) {
    const fs::path snapshot = repository / "snapshots" / commit;
    fs::create_directories(snapshot / "deep");
    fs::create_symlink("../../blobs/aaaa", snapshot / "model.safetensors");
    fs::create_symlink("../../../blobs/bbbb", snapshot / "deep/config.json");
  }
  return repository;
}

}  // namespace

TEST_CASE("a folder is taken whole, sorted, whatever the extensions") {
  const TempDir folder;
  folder.write("b.safetensors", "1");
  folder.write("a/notes.xyz", "22");
  folder.write(".hidden", "333");
  Setting setting(folder.path());
  setting.collect();
  CHECK(setting.sink.file_names() ==
        std::vector<std::string>{"model/.hidden", "model/a/notes.xyz",
                                 "model/b.safetensors"});
  CHECK(setting.sink.entries == std::vector<std::string>{"model/a"});
  CHECK(setting.sink.gaps.empty());
  const Json source =
      Json::parse(setting.sink.contents.at("model-source/source.json"));
  CHECK(source.at("layout") == "folder");
  CHECK(model_files().describe(setting.target()).find("3 files") !=
        std::string::npos);
  CHECK(model_files().estimate(setting.target()) > 6);
}

TEST_CASE("the snapshot that refs/main names is taken from a cache") {
  const TempDir folder;
  const fs::path repository = make_cache(folder);
  const auto as_asked = GENERATE(as<std::string>{}, "", "snapshots/c0ffee");
  Setting setting(repository / as_asked);
  setting.collect();
  CHECK(setting.sink.gaps.empty());
  const FileRequest& weights = setting.file("model/model.safetensors");
  CHECK(weights.path == fs::canonical(repository) / "blobs/aaaa");
  CHECK(weights.found_as.ends_with("model.safetensors -> ../../blobs/aaaa"));
  CHECK(weights.notes.at("hf_blob") == "aaaa");
  CHECK(setting.file("model/deep/config.json").path.filename() == "bbbb");
  static_cast<void>(setting.file("model-source/refs/main"));
  static_cast<void>(setting.file("model-source/refs/pr/1"));
  const Json source =
      Json::parse(setting.sink.contents.at("model-source/source.json"));
  CHECK(source.at("layout") == "hf-snapshot");
  CHECK(source.at("repository_id") == "acme/toy");
  CHECK(source.at("commit") == "c0ffee");
  CHECK(source.at("refs").at("pr/1") == "bad1dea");
  CHECK(source.at("incomplete_blobs") == Json::array({"cccc.incomplete"}));
}

TEST_CASE("a cache whose refs/main is hostile or absent is not guessed at") {
  const TempDir folder;
  const fs::path repository = make_cache(folder);
  folder.write("models--acme--toy/refs/main", "../../..");
  Setting setting(repository);
  CHECK_THROWS_AS(setting.collect(), Error);
  fs::remove_all(repository / "snapshots/bad1dea");
  setting.collect();  // only one is left
  static_cast<void>(setting.file("model/model.safetensors"));
}

TEST_CASE("links are followed inside the repository folder only") {
  const TempDir folder;
  folder.write("outside.bin", "secret");
  folder.write("model/inside.bin", "1");
  const fs::path model = folder.path() / "model";
  fs::create_symlink("../outside.bin", model / "leaves");
  fs::create_symlink("/etc/passwd", model / "absolute");
  fs::create_symlink("inside.bin", model / "stays");
  fs::create_symlink("nowhere", model / "dangling");
  fs::create_symlink("loop", model / "loop");
  fs::create_symlink(".", model / "self");
  Setting setting(model);
  setting.collect();
  CHECK(setting.sink.file_names() ==
        std::vector<std::string>{"model/inside.bin", "model/stays"});
  CHECK(setting.file("model/stays").found_as.ends_with("stays -> inside.bin"));
  auto entries = setting.sink.entries;
  CHECK(entries == std::vector<std::string>{"model/absolute", "model/dangling",
                                            "model/leaves", "model/loop",
                                            "model/self"});
  CHECK(setting.has_gap("link to /etc/passwd leaves"));
  CHECK(setting.has_gap("outside.bin leaves"));
  CHECK(setting.has_gap("nowhere"));
  CHECK(setting.sink.gaps.size() == 4);
}

TEST_CASE("one file is taken under its own name, also through a link") {
  const TempDir folder;
  const fs::path real = folder.write("store/v3.gguf", "GGUF");
  fs::create_symlink(real, folder.path() / "current.gguf");
  Setting setting(folder.path() / "current.gguf");
  setting.collect();
  CHECK(setting.sink.file_names() ==
        std::vector<std::string>{"model/current.gguf"});
  CHECK(setting.sink.files.front().path == fs::canonical(real));
  CHECK_FALSE(setting.sink.files.front().found_as.empty());
}

TEST_CASE("a model that is not there is an error, and stopping is a gap") {
  const TempDir folder;
  Setting missing(folder.path() / "nowhere");
  CHECK_THROWS_WITH(missing.collect(), Catch::Contains("nowhere"));
  folder.write("a", "1");
  folder.write("b", "1");
  Setting stopped(folder.path());
  stopped.sink.stop = true;
  stopped.collect();
  CHECK(stopped.sink.files.empty());
  CHECK(stopped.has_gap("stopped"));
  Setting elsewhere("/nowhere");
  elsewhere.arguments = {{"root", folder.path().string()}};
  elsewhere.collect();
  CHECK(elsewhere.sink.files.size() == 2);
}
