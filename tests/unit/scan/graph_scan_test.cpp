// SPDX-License-Identifier: Apache-2.0
/// Models that are graphs of operators, as the scanner judges them: ONNX.

#include <filesystem>

#include "tests/support/catch.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/scan_bytes.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using namespace impound::test;

namespace {

std::string external_model(std::string_view location) {
  ProtoWriter graph;
  graph.message(1, onnx_node("n", "Add"))
      .message(5, onnx_external("w", 4, location, "8", "16"));
  return onnx_model(graph);
}

FileReport scan_onnx_in(const TempDir& folder) {
  SilentProgress progress;
  const Cancellation cancellation;
  const auto tree = open_path_tree(folder.path());
  const ScanReport report = scan_tree(*tree, {}, progress, cancellation);
  for (const FileReport& file : report.files) {
    if (file.path == "m.onnx") return file;
  }
  FAIL("m.onnx was not scanned");
  return {};
}

}  // namespace

TEST_CASE("ONNX with data beside it") {
  SECTION("that fits") {
    const ScanReport report =
        scan_files({{"d/m.onnx", external_model("./m.onnx.data")},
                    {"d/m.onnx.data", std::string(24, 'x')}});
    CHECK(report.files.at(0).format == "onnx");
    CHECK(report.files.at(0).findings.empty());
    CHECK(report.exit_code() == 0);
  }
  SECTION("that is too short") {
    const ScanReport report = scan_files({{"m.onnx", external_model("m.data")},
                                          {"m.data", std::string(23, 'x')}});
    CHECK(has(report.files.at(1), "onnx-external"));
  }
  SECTION("that is missing") {
    CHECK(has(scan_bytes(external_model("m.data")), "onnx-external-missing"));
  }
  SECTION("outside of the folder") {
    for (const char* location : {"../../etc/passwd", "/etc/passwd"}) {
      const FileReport report = scan_bytes(external_model(location));
      CHECK(has(report, "onnx-external-path"));
      CHECK(report.verdict == Verdict::malicious);
      CHECK_FALSE(has(report, "onnx-external-missing"));
    }
  }
}

TEST_CASE("ONNX with data behind links") {
  const TempDir folder;
  folder.write("m.onnx", external_model("m.data"));
  folder.write("real", std::string(24, 'x'));
  SECTION("symbolic") {
    std::filesystem::create_symlink("real", folder.path() / "m.data");
    CHECK(has(scan_onnx_in(folder), "onnx-external-link"));
  }
  SECTION("hard") {
    std::filesystem::create_hard_link(folder.path() / "real",
                                      folder.path() / "m.data");
    CHECK(has(scan_onnx_in(folder), "onnx-external-alias"));
  }
  SECTION("none") {
    folder.write("m.data", std::string(24, 'x'));
    CHECK(scan_onnx_in(folder).findings.empty());
  }
}

TEST_CASE("ONNX operators that need foreign code") {
  ProtoWriter graph;
  graph.message(1, onnx_node("a", "Secret", "com.attacker"))
      .message(1, onnx_node("b", "PythonOp", "com.microsoft"));
  const FileReport report = scan_bytes(onnx_model(graph));
  CHECK(has(report, "onnx-custom-domain"));
  REQUIRE(has(report, "onnx-python-operator"));
  CHECK(find(report, "onnx-python-operator")->severity == Severity::high);
}
