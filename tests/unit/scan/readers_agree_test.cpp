// SPDX-License-Identifier: Apache-2.0
// Two readers, one answer: what scan and diff take a file for. Asked of every
// sample of this program's tests, whatever they are about (scan_bytes.hpp).
#include "core/base/text.hpp"
#include "core/compare/model_diff.hpp"
#include "core/view/model_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hdf5_writer.hpp"
#include "tests/support/scan_bytes.hpp"

namespace impound::test {
namespace {

std::size_t agreed_samples = 0;

bool has_format(const std::string& list, std::string_view format) {
  const std::vector<std::string> names = split(list, '+');
  return std::find(names.begin(), names.end(), format) != names.end();
}

ModelView view(const Tree& tree) {
  SilentProgress progress;
  const Cancellation cancellation;
  return view_tree(tree, {}, progress, cancellation);
}

Format viewed_format(const std::string& content, const std::string& name) {
  const BytesTree tree(std::map<std::string, std::string>{{name, content}});
  return view(tree).files.at(0).format.value_or(Format::unknown);
}

}  // namespace

void check_readers_agree(const Tree& tree, const ScanReport& report) {
  const ModelView viewed = view(tree);
  for (const FileReport& scanned : report.files) {
    const ViewFile* const file = viewed.find_file(scanned.path);
    REQUIRE(file != nullptr);
    if (!file->failure.empty() || scanned.size == 0) continue;
    REQUIRE(file->format);
    INFO(printable(scanned.path) << ": scan says " << scanned.format
                                 << ", diff says " << to_string(*file->format));
    CHECK(has_format(scanned.format, to_string(*file->format)));
    // No file is passed over: its tensors are compared, or it is said why not.
    const bool has_tensors = std::any_of(
        viewed.tensors.begin(), viewed.tensors.end(),
        [&](const ViewTensor& tensor) { return tensor.file == scanned.path; });
    CHECK(has_tensors == file->not_viewed.empty());
    ++agreed_samples;
  }
}

TEST_CASE("an HDF5 file behind a user block is hdf5 for scan and for diff") {
  for (const std::size_t block : {0U, 512U, 1024U, 8192U}) {
    Hdf5Writer writer;
    writer.user_block = block;
    writer.dimensions = {2, 3};
    const std::string file = writer.build();
    INFO(block);
    CHECK(scan_bytes(file, "weights.dat").format == "hdf5");
    CHECK(viewed_format(file, "weights.dat") == Format::hdf5);
  }
}

TEST_CASE("a pickle of protocol 1 is a pickle for scan and for diff") {
  const std::string pickle(
      "]q\x00(K\x01K\x02"
      "e.",
      10);
  CHECK(scan_bytes(pickle, "data.bin").format == "pickle");
  CHECK(viewed_format(pickle, "data.bin") == Format::pickle);
}

TEST_CASE("a file that is two things is said to be compared as one of them") {
  // A safetensors file with a zip at its end: loaders from the front and from
  // the end see two models.
  std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  file += header + "x";
  file += std::string("PK\x05\x06", 4) + std::string(18, '\0');
  const FileReport report = scan_bytes(file, "model.safetensors");
  CHECK(has_format(report.format, "safetensors"));
  CHECK(has_format(report.format, "zip"));
  const BytesTree tree(
      std::map<std::string, std::string>{{"model.safetensors", file}});
  const ModelView seen = view(tree);
  CHECK(seen.files.at(0).format == Format::safetensors);
  CHECK(std::any_of(
      seen.problems.begin(), seen.problems.end(), [](const ViewProblem& each) {
        return each.problem.message.find("is zip as well") != std::string::npos;
      }));
}

TEST_CASE("every file that is not viewed is listed with the reason") {
  const BytesTree tree({{"README.md", "# A model\n"},
                        {"config.json", "{\"model_type\":\"gpt2\"}"},
                        {"weights.xyz", std::string("\x01\x00\x02\x03", 4)},
                        {"empty", ""}});
  const ModelView seen = view(tree);
  const ModelDiff diff = diff_models(seen, seen);
  const Json side = diff.to_json()["after"];
  std::map<std::string, std::string> listed;
  for (const Json& each : side["not_viewed"]) {
    listed[each["path"]] = each["format"].get<std::string>() + ": " +
                           each["why"].get<std::string>();
  }
  CHECK(listed["README.md"] == "unknown: a text of no known format");
  CHECK(listed["config.json"].starts_with("template-json: a text beside"));
  CHECK(listed["weights.xyz"] == "unknown: no known format");
  CHECK(listed["empty"] == "unknown: empty");
  const std::string text = diff.to_text();
  CHECK(text.find("Compared by digest only") != std::string::npos);
  CHECK(text.find("README.md") != std::string::npos);
  const std::size_t before = agreed_samples;
  static_cast<void>(scan_bytes("GGUF"));
  CHECK(agreed_samples == before + 1);
}

}  // namespace impound::test
