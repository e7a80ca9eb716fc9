// SPDX-License-Identifier: Apache-2.0
#include "core/compare/model_diff.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

ModelView view(const Tree& tree, const std::string& folder = "") {
  SilentProgress progress;
  const Cancellation cancellation;
  ViewOptions options;
  options.folder = folder;
  return view_tree(tree, options, progress, cancellation);
}

ModelDiff diff(const Tree& before, const Tree& after) {
  return diff_models(view(before), view(after));
}

std::string file_statuses(const ModelDiff& diff) {
  std::string text;
  for (const FileChange& change : diff.files) {
    text += change.path + ":" + std::string(to_string(change.status)) + " ";
  }
  return text;
}

std::string tensor_statuses(const ModelDiff& diff) {
  std::string text;
  for (const TensorChange& change : diff.tensors) {
    text += change.name + ":" + std::string(to_string(change.status)) + " ";
  }
  return text;
}

TEST_CASE("files: added, removed, changed, renamed, identical", "[compare]") {
  const MemoryTree before(MemoryTree::Files{{"a", "same"},
                                            {"b", "old"},
                                            {"c", "gone"},
                                            {"d", "moved content"},
                                            {"z", ""}});
  const MemoryTree after(MemoryTree::Files{{"a", "same"},
                                           {"b", "new"},
                                           {"e", "came"},
                                           {"f", "moved content"},
                                           {"y", ""}});
  const ModelDiff result = diff(before, after);
  CHECK(file_statuses(result) ==
        "a:identical b:changed c:removed e:added f:renamed y:added z:removed ");
  CHECK_FALSE(result.identical());
  const Json json = result.to_json();
  CHECK(json["identical"] == false);
  CHECK(json["files"][4]["from"] == "d");
  CHECK(result.to_text().find("renamed") != std::string::npos);
}

TEST_CASE(
    "[I13] what could not be read is not called removed, added or identical",
    "[compare]") {
  const auto weights = [](const char* name) {
    return SafetensorsBuilder().tensor(name, Dtype::u8, {4}, "aaaa").build();
  };
  const MemoryTree before(MemoryTree::Files{{"a", "same"},
                                            {"m/1.safetensors", weights("one")},
                                            {"m/2.safetensors", weights("two")},
                                            {"z", "gone"}});
  MemoryTree after(MemoryTree::Files{{"a", "same"}});
  after.add_lack("/srv/model/m/1.safetensors", "denied: Permission denied");
  ModelDiff result = diff(before, after);
  CHECK(file_statuses(result) ==
        "a:identical m/1.safetensors:unreadable m/2.safetensors:removed "
        "z:removed ");
  CHECK(tensor_statuses(result) == "one:unreadable two:removed ");
  CHECK(result.to_json()["files"][1]["why"] == "denied: Permission denied");
  CHECK_FALSE(result.identical());

  // The folder above it, or all of it.
  after.add_lack("/srv/model/m", "denied: Permission denied");
  CHECK(file_statuses(diff(before, after)) ==
        "a:identical m/1.safetensors:unreadable m/2.safetensors:unreadable "
        "z:removed ");
  after.add_lack("", "failed: cannot read /srv/model");
  CHECK(file_statuses(diff(before, after)) ==
        "a:identical m/1.safetensors:unreadable m/2.safetensors:unreadable "
        "z:unreadable ");
  // Nor is it new on the other side.
  CHECK(file_statuses(diff(after, before)) ==
        "a:identical m/1.safetensors:unreadable m/2.safetensors:unreadable "
        "z:unreadable ");
  // A name that only ends alike is another file.
  MemoryTree other(MemoryTree::Files{{"a", "same"}});
  other.add_lack("/srv/model/buzz", "denied: Permission denied");
  CHECK(file_statuses(diff(before, other)) ==
        "a:identical m/1.safetensors:removed m/2.safetensors:removed "
        "z:removed ");
}

TEST_CASE("links and modes", "[compare]") {
  MemoryTree before(MemoryTree::Files{{"a", "x"}, {"b", "y"}});
  MemoryTree after(MemoryTree::Files{{"a", "x"}, {"b", "y"}});
  before.add_link("l", "a");
  after.add_link("l", "a");
  CHECK(diff(before, after).identical());
  after.file("a").mode = 0755;
  const ModelDiff modes = diff(before, after);
  CHECK(modes.identical());
  CHECK(modes.files[0].mode_changed());
  after.file("l").link_target = "/etc/passwd";
  CHECK(file_statuses(diff(before, after)) ==
        "a:identical b:identical l:changed ");
}

TEST_CASE("two single files are compared whatever their names", "[compare]") {
  const MemoryTree before(MemoryTree::Files{{"a.safetensors", "x"}}, "file");
  const MemoryTree after(MemoryTree::Files{{"b.safetensors", "x"}}, "file");
  CHECK(diff(before, after).identical());
}

TEST_CASE("tensors: added, removed, reshaped, retyped, changed", "[compare]") {
  const MemoryTree before(MemoryTree::Files{
      {"m.safetensors", SafetensorsBuilder()
                            .tensor("changed", Dtype::u8, {4}, "aaaa")
                            .tensor("gone", Dtype::u8, {1}, "g")
                            .tensor("reshaped", Dtype::u8, {4}, "rrrr")
                            .tensor("retyped", Dtype::f32, {1}, "tttt")
                            .tensor("same", Dtype::u8, {4}, "ssss")
                            .build()}});
  const MemoryTree after(MemoryTree::Files{
      {"m.safetensors", SafetensorsBuilder()
                            .tensor("changed", Dtype::u8, {4}, "aaab")
                            .tensor("new", Dtype::u8, {1}, "g")
                            .tensor("reshaped", Dtype::u8, {2, 2}, "rrrr")
                            .tensor("retyped", Dtype::i32, {1}, "tttt")
                            .tensor("same", Dtype::u8, {4}, "ssss")
                            .build()}});
  const ModelDiff result = diff(before, after);
  CHECK(tensor_statuses(result) ==
        "changed:changed gone:removed new:added reshaped:reshaped "
        "retyped:retyped same:identical ");
  const Json tensor = result.to_json()["tensors"][3];
  CHECK(tensor["shape_before"] == Json({4}));
  CHECK(tensor["shape"] == Json({2, 2}));
  CHECK(result.to_text().find("U8 [4] → U8 [2, 2]") != std::string::npos);
}

TEST_CASE("one whole file against shards: identical tensors", "[compare]") {
  const MemoryTree whole(MemoryTree::Files{
      {"model.safetensors", SafetensorsBuilder()
                                .tensor("a", Dtype::u8, {1}, "a")
                                .tensor("b", Dtype::u8, {1}, "b")
                                .build()}});
  const MemoryTree shards(MemoryTree::Files{
      {"model-1.safetensors",
       SafetensorsBuilder().tensor("a", Dtype::u8, {1}, "a").build()},
      {"model-2.safetensors",
       SafetensorsBuilder().tensor("b", Dtype::u8, {1}, "b").build()},
      {"model.safetensors.index.json",
       R"({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})"}});
  const ModelDiff result = diff(whole, shards);
  CHECK(result.tensors_identical());
  CHECK_FALSE(result.identical());
  CHECK(result.after.problems.empty());
}

TEST_CASE("a tensor that hides in a second shard is seen",
          "[compare][hostile]") {
  const std::string good =
      SafetensorsBuilder().tensor("a", Dtype::u8, {1}, "a").build();
  const std::string evil =
      SafetensorsBuilder().tensor("a", Dtype::u8, {1}, "!").build();
  const MemoryTree before(
      MemoryTree::Files{{"1.safetensors", good}, {"x", ""}});
  const MemoryTree after(
      MemoryTree::Files{{"1.safetensors", good}, {"2.safetensors", evil}});
  const ModelDiff result = diff(before, after);
  CHECK(tensor_statuses(result) == "a:identical a:added ");
  REQUIRE(result.after.problems.size() == 1);
  CHECK(result.after.problems[0].problem.rule == "tensor-in-two-files");
}

TEST_CASE("metadata texts are compared", "[compare]") {
  const auto with = [](const std::string& value, const std::string& key) {
    return MemoryTree(
        MemoryTree::Files{{"m.safetensors", SafetensorsBuilder()
                                                .metadata("format", "pt")
                                                .metadata(key, value)
                                                .build()}});
  };
  const ModelDiff result = diff(with("old", "note"), with("new", "note"));
  REQUIRE(result.metadata.size() == 1);
  CHECK(result.metadata[0].to_json()["status"] == "changed");
  CHECK(diff(with("x", "a"), with("x", "b")).metadata.size() == 2);
  CHECK_FALSE(result.identical());
}

TEST_CASE("[I13] tensors without a digest are not called identical",
          "[compare]") {
  const auto with = [](std::optional<Digest> sha256) {
    ViewTensor tensor;
    tensor.name = "one";
    tensor.file = "m.safetensors";
    tensor.dtype = Dtype::u8;
    tensor.shape = {4};
    tensor.size = 4;
    tensor.sha256 = sha256;
    ModelView view;
    view.tensors.push_back(std::move(tensor));
    return view;
  };
  const auto status = [](const ModelView& before, const ModelView& after) {
    return diff_tensors(before, after).at(0).status;
  };
  const Digest digest = sha256("aaaa");
  CHECK(status(with(digest), with(digest)) == TensorStatus::identical);
  CHECK(status(with(digest), with({})) == TensorStatus::unreadable);
  CHECK(status(with({}), with(digest)) == TensorStatus::unreadable);
  CHECK(status(with({}), with({})) == TensorStatus::unreadable);
}

TEST_CASE("an unreadable file is never called identical", "[compare]") {
  MemoryTree before(MemoryTree::Files{{"a", "x"}, {"b", "x"}});
  MemoryTree after(MemoryTree::Files{{"a", "x"}, {"b", "x"}});
  after.break_file("b");
  const ModelDiff result = diff(before, after);
  CHECK(file_statuses(result) == "a:identical b:unreadable ");
  CHECK_FALSE(result.identical());
  CHECK(result.compared().words() == "1 of 2 files, 0 of 0 tensors");
}

TEST_CASE("an exhibit whose bytes contradict its manifest is said",
          "[compare][hostile]") {
  MemoryTree tree(MemoryTree::Files{{"a", "x"}}, "exhibit", "E001");
  tree.file("a").sha256 = sha256(std::string_view("y"));
  const ModelView seen = view(tree);
  REQUIRE(seen.problems.size() == 1);
  CHECK(seen.problems[0].problem.rule == "exhibit-digest");
}

TEST_CASE("the model's folder inside an exhibit is what its record says",
          "[compare]") {
  MemoryTree exhibit(MemoryTree::Files{{"model/config.json", "{}"},
                                       {"model/sub/adapter_config.json", "{}"},
                                       {"process/environ", ""}},
                     "exhibit");
  // Names alone say nothing.
  CHECK(model_folder(exhibit).empty());
  exhibit.file("model/config.json").collector = "model-files";
  exhibit.file("model/sub/adapter_config.json").collector = "model-files";
  exhibit.file("process/environ").collector = "process";
  CHECK(model_folder(exhibit) == "model");
  const ModelView inside = view(exhibit, "model");
  REQUIRE(inside.files.size() == 2);
  CHECK(inside.files[0].path == "config.json");
  CHECK(model_folder(MemoryTree(MemoryTree::Files{{"config.json", "{}"}}))
            .empty());
}

TEST_CASE("text output escapes hostile names", "[compare][hostile]") {
  const ModelDiff result =
      diff(MemoryTree(MemoryTree::Files{{"a", "x"}, {"b", "x"}}),
           MemoryTree(MemoryTree::Files{{"a", "x"}, {"\x1b[2J", "y"}}));
  CHECK(result.to_text().find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace impound::test
