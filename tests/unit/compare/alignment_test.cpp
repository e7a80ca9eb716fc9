// SPDX-License-Identifier: Apache-2.0
// One file against a whole model: what it corresponds to is compared, and
// nothing is said of the rest [I13].
#include "core/compare/alignment.hpp"

#include <memory>

#include "core/compare/delta/delta_signature.hpp"
#include "core/compare/model_diff.hpp"
#include "core/evidence/model_items.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

std::string shard(const std::string& tensor, const std::string& bytes) {
  return SafetensorsBuilder()
      .tensor(tensor, Dtype::u8, {bytes.size()}, bytes)
      .build();
}

/// A model of two shards, a configuration and a file of no known kind.
MemoryTree::Files model_files() {
  return {{"config.json", R"({"model_type":"gptj"})"},
          {"model-1.safetensors", shard("a", "aaaa")},
          {"model-2.safetensors", shard("b", "bbbbbb")},
          {"w.bin", "no format that is known"}};
}

/// One item of an exhibit, as the process collector takes it.
std::unique_ptr<MemoryTree> found_in_process(
    const std::string& content,
    const std::string& was = "/srv/gone (deleted)") {
  const std::string name = "process/4711/deleted/fd-3";
  auto tree = std::make_unique<MemoryTree>(MemoryTree::Files{{name, content}},
                                           "exhibit", "E001");
  tree->be_one_item();
  tree->file(name).collector = "process";
  tree->file(name).found_as = "/proc/4711/fd/3 -> " + was;
  return tree;
}

ModelView view(const Tree& tree) {
  SilentProgress progress;
  const Cancellation cancellation;
  ViewOptions options;
  options.folder = model_folder(tree);
  return view_tree(tree, options, progress, cancellation);
}

ModelDiff diff(const Tree& before, const Tree& after) {
  return diff_models(view(before), view(after));
}

std::string statuses(const ModelDiff& diff) {
  std::string text;
  for (const FileChange& change : diff.files) {
    text += change.path + ":" + std::string(to_string(change.status)) + " ";
  }
  text += "| ";
  for (const TensorChange& change : diff.tensors) {
    text += change.name + ":" + std::string(to_string(change.status)) + " ";
  }
  return text;
}

TEST_CASE(
    "one file of a model that is untouched is identical, and the rest was not "
    "compared",
    "[compare][I13]") {
  const MemoryTree model(model_files());
  const ModelDiff result =
      diff(model, *found_in_process(model_files().at("model-2.safetensors")));
  CHECK(statuses(result) ==
        "config.json:not_compared model-1.safetensors:not_compared "
        "process/4711/deleted/fd-3:identical w.bin:not_compared "
        "| a:not_compared b:identical ");
  CHECK(result.identical());
  CHECK(result.aligned_by == AlignedBy::bytes);
  const Json json = result.to_json();
  CHECK(json["scope"] == "part");
  CHECK(json["compared"]["files"] == 1);
  CHECK(json["compared"]["files_total"] == 4);
  CHECK(json["compared"]["words"] == "1 of 4 files, 1 of 2 tensors");
  CHECK(json["files"][2]["from"] == "model-2.safetensors");
  const std::string text = result.to_text();
  CHECK(text.find("The two sides are identical") == std::string::npos);
  CHECK(text.find("compared 1 of 4 files, 1 of 2 tensors, recognised by the "
                  "same bytes; the rest was not compared") !=
        std::string::npos);
}

TEST_CASE("one edited file is found by its tensors, whatever its name",
          "[compare][I13]") {
  const MemoryTree model(model_files());
  const ModelDiff result = diff(model, *found_in_process(shard("b", "bbbb!b")));
  CHECK(result.aligned_by == AlignedBy::tensor_names);
  CHECK(statuses(result) ==
        "config.json:not_compared model-1.safetensors:not_compared "
        "process/4711/deleted/fd-3:changed w.bin:not_compared "
        "| a:not_compared b:changed ");
  CHECK_FALSE(result.identical());
  CHECK_FALSE(result.tensors_identical());
  // The other way round it is the same statement.
  const ModelDiff turned = diff(*found_in_process(shard("b", "bbbb!b")), model);
  CHECK(turned.compared().words() == "1 of 4 files, 1 of 2 tensors");
  CHECK_FALSE(turned.identical());
}

TEST_CASE("joined shards are compared tensor by tensor", "[compare]") {
  const MemoryTree model(model_files());
  const ModelDiff result =
      diff(model, *found_in_process(SafetensorsBuilder()
                                        .tensor("a", Dtype::u8, {4}, "aaaa")
                                        .tensor("b", Dtype::u8, {6}, "bbbbbb")
                                        .build()));
  CHECK(result.tensors_identical());
  CHECK(result.compared().words() == "0 of 4 files, 2 of 2 tensors");
  // No file was compared with another one: that is not "identical".
  CHECK_FALSE(result.identical());
}

TEST_CASE("of a model in two formats, the one file is the one with its bytes",
          "[compare]") {
  MemoryTree::Files files = model_files();
  files["copy.safetensors"] = shard("b", "cccccc");
  const ModelDiff result =
      diff(MemoryTree(files),
           *found_in_process(SafetensorsBuilder()
                                 .metadata("note", "x")
                                 .tensor("b", Dtype::u8, {6}, "bbbbbb")
                                 .build()));
  CHECK(result.tensors_identical());
  CHECK(statuses(result).find("copy.safetensors:not_compared") !=
        std::string::npos);
}

TEST_CASE("a file of no known kind is found by what its record says it was",
          "[compare]") {
  const MemoryTree model(model_files());
  const ModelDiff edited =
      diff(model, *found_in_process("edited", "/srv/model/w.bin (deleted)"));
  CHECK(edited.aligned_by == AlignedBy::recorded_path);
  CHECK(statuses(edited).find("process/4711/deleted/fd-3:changed") !=
        std::string::npos);
  // The path decides nothing where tensors have spoken.
  const ModelDiff other = diff(
      model, *found_in_process(shard("z", "?"),
                               "/srv/model/model-1.safetensors (deleted)"));
  CHECK(other.aligned_by == AlignedBy::nothing);
}

TEST_CASE("a file that nothing corresponds to proves nothing identical",
          "[compare][I13]") {
  const MemoryTree model(model_files());
  const ModelDiff result = diff(model, *found_in_process("something else"));
  CHECK(result.aligned_by == AlignedBy::nothing);
  CHECK_FALSE(result.identical());
  CHECK(result.compared().files == 0);
  CHECK(statuses(result).find("fd-3:added") != std::string::npos);
  CHECK(statuses(result).find("removed") == std::string::npos);
  CHECK(result.to_text().find("nothing on the other side corresponds") !=
        std::string::npos);
}

TEST_CASE("an array is found by its type and shape, as its name is its file's",
          "[compare]") {
  const auto array = [](const std::string& numbers) {
    std::string header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    header.resize(128 - 10 - 1, ' ');
    header += '\n';
    return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + numbers;
  };
  const MemoryTree model(MemoryTree::Files{{"embedding.npy", array("12345678")},
                                           {"LICENSE", "free"}});
  const ModelDiff result = diff(model, *found_in_process(array("1234567!")));
  CHECK(result.aligned_by == AlignedBy::tensor_shapes);
  CHECK(statuses(result) ==
        "LICENSE:not_compared process/4711/deleted/fd-3:changed | "
        "embedding:changed ");
}

TEST_CASE(
    "a folder that holds one file is a folder: nothing is paired by "
    "counting",
    "[compare]") {
  const ModelDiff result = diff(MemoryTree(MemoryTree::Files{{"w.bin", "one"}}),
                                MemoryTree(MemoryTree::Files{{"log", "two"}}));
  CHECK(statuses(result) == "log:added w.bin:removed | ");
}

TEST_CASE("the collector's own files are no part of the model", "[compare]") {
  MemoryTree exhibit(MemoryTree::Files{{"model-source/source.json", "{}"},
                                       {"model/w.bin", "same"}},
                     "exhibit", "E001");
  exhibit.file("model-source/source.json").collector =
      std::string(kModelCollector);
  exhibit.file("model/w.bin").collector = std::string(kModelCollector);
  CHECK(model_folder(exhibit) == "model");
  const ModelDiff result =
      diff(MemoryTree(MemoryTree::Files{{"w.bin", "same"}}), exhibit);
  CHECK(statuses(result) == "w.bin:identical | ");
  CHECK(result.identical());
  CHECK(result.scope == DiffScope::whole);
}

TEST_CASE("of a part, the numbers of the model are of what was compared",
          "[compare][I13]") {
  const MemoryTree model(model_files());
  const auto item = found_in_process(shard("b", "bbbb!b"));
  const ModelView before = view(model);
  const ModelView after = view(*item);
  ModelDiff result = diff_models(before, after);
  SilentProgress progress;
  const Cancellation cancellation;
  explain_changes(result, before, after, {}, progress, cancellation);
  CHECK(result.numbers.tensors_changed == 1);
  CHECK(result.numbers.tensors_removed == 0);
  CHECK(result.sentence.find("removed") == std::string::npos);
}

}  // namespace
}  // namespace impound::test
