// SPDX-License-Identifier: Apache-2.0
/// Stores that name files by their digest: the Hugging Face cache and Ollama.

#include <filesystem>

#include "core/crypto/digest.hpp"
#include "core/crypto/git_blob.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scan_bytes.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using namespace impound::test;

namespace {

std::string git_name(const std::string& content) {
  return git_blob_name(SpanSource(as_bytes(content)));
}

std::string manifest(const std::string& digest, std::size_t size) {
  return R"({"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:)" +
         sha256("{}").hex() +
         R"(","size":2},"layers":[{"mediaType":)"
         R"("application/vnd.ollama.image.model","digest":")" +
         digest + R"(","size":)" + std::to_string(size) + "}]}";
}

const std::string kManifest = "models/manifests/registry/library/m/latest";

FileReport scan_store(const std::string& digest, std::size_t size,
                      const std::string& blob, const std::string& content) {
  const ScanReport report =
      scan_files({{kManifest, manifest(digest, size)},
                  {"models/blobs/sha256-" + sha256("{}").hex(), "{}"},
                  {"models/blobs/" + blob, content}});
  for (const FileReport& file : report.files) {
    if (file.path == kManifest) return file;
  }
  FAIL("the manifest was not scanned");
  return {};
}

}  // namespace

TEST_CASE("git's names of contents") {
  // As `git hash-object` prints them.
  CHECK(git_name("") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  CHECK(git_name("hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST_CASE("files of a Hugging Face cache are held against their names") {
  const TempDir folder;
  const std::string base = "models--o--m/";
  const std::string text = "{\"a\": 1}";
  const std::string weights(1000, 'w');
  const bool is_changed = GENERATE(false, true);
  const std::string small = base + "blobs/" + git_name(text);
  const std::string large = base + "blobs/" + sha256(weights).hex();
  folder.write(small, is_changed ? "{\"a\": 2}" : text);
  folder.write(large, is_changed ? weights + "x" : weights);
  folder.write(base + "refs/main", "abc");
  const auto snapshot = folder.path() / (base + "snapshots/abc");
  std::filesystem::create_directories(snapshot);
  std::filesystem::create_symlink("../../blobs/" + git_name(text),
                                  snapshot / "config.json");
  std::filesystem::create_symlink("../../blobs/" + sha256(weights).hex(),
                                  snapshot / "weights");
  SilentProgress progress;
  const Cancellation cancellation;
  // As the repository of the cache, and as any folder.
  for (const auto& path : {folder.path() / "models--o--m", folder.path()}) {
    const auto tree = open_path_tree(path);
    const ScanReport report = scan_tree(*tree, {}, progress, cancellation);
    std::size_t wrong = 0;
    for (const FileReport& file : report.files) {
      wrong += has(file, "file-blob-name") ? 1U : 0U;
    }
    INFO(path);
    CHECK(wrong == (is_changed ? 2U : 0U));
  }
}

TEST_CASE("manifests of Ollama are held against the blobs") {
  const std::string content(100, 'g');
  const std::string hex = sha256(content).hex();
  SECTION("as it should be") {
    const FileReport report =
        scan_store("sha256:" + hex, 100, "sha256-" + hex, content);
    CHECK(report.format == "ollama-manifest");
    CHECK(report.findings.empty());
  }
  SECTION("another size") {
    CHECK(has(scan_store("sha256:" + hex, 99, "sha256-" + hex, content),
              "ollama-blob-size"));
  }
  SECTION("no blob") {
    CHECK(has(
        scan_store("sha256:" + sha256("x").hex(), 1, "sha256-" + hex, content),
        "ollama-blob-missing"));
  }
  SECTION("a path for a digest") {
    CHECK(has(scan_store("../../../etc/passwd", 1, "sha256-" + hex, content),
              "ollama-digest"));
  }
  SECTION("a blob that was changed") {
    const ScanReport report =
        scan_files({{"blobs/sha256-" + hex, content + "x"}});
    CHECK(has(report.files.at(0), "file-blob-name"));
  }
}
