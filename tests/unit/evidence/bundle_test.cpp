// SPDX-License-Identifier: Apache-2.0
/// Bundles, written, read, verified, damaged.

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/base/text.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "core/evidence/tree.hpp"
#include "core/evidence/verify.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// What a bundle of these tests is made from.
struct Scene {
  TempDir source;
  TempDir evidence;
  FixedClock clock;
  Cancellation cancellation;
  SilentProgress progress;

  Scene() {
    source.write("config.json", "{\"model_type\": \"gptj\"}\n");
    source.write("empty", "");
    source.write("large.bin", noise(9 * 1024 * 1024 + 17, 1));
    source.write("log.jsonl", std::string(200'000, 'x') + "\n");
    source.write("sub/small.bin", noise(1000, 2));
    source.write("z.bin", noise(5'000'000, 3));
    ::link((source.path() / "z.bin").c_str(),
           (source.path() / "z-again.bin").c_str());
    ::symlink("config.json", (source.path() / "link.json").c_str());
  }

  SealedBundle write(const std::string& exhibit, unsigned threads) {
    BundleWriter writer(evidence.path(),
                        {.case_id = "IR-1",
                         .exhibit_id = exhibit,
                         .bag_info = {},
                         .threads = threads},
                        clock, cancellation, progress);
    writer.begin_collector("model-files");
    writer.entry("sub", source.path() / "sub");
    for (const char* name : {"config.json", "empty", "large.bin", "log.jsonl",
                             "sub/small.bin", "z.bin", "z-again.bin"}) {
      writer.file({.name = name, .path = source.path() / name});
    }
    writer.entry("link.json", source.path() / "link.json");
    writer.bytes({.name = "made", .content = as_bytes("made here")});
    writer.gap("/nowhere", Outcome::missing, "No such file or directory");
    writer.meta("acquisition.jsonl", as_bytes("{}\n"));
    return writer.finish(std::string(64, '0'));
  }

  VerifyReport verify(const fs::path& bundle, unsigned threads = 0) {
    return verify_bundle(bundle,
                         {.threads = threads,
                          .expected_sha256 = "",
                          .expected_manifest_sha256 = ""},
                         cancellation, progress);
  }
};

std::string read_all(const ByteSource& source) {
  return std::string(as_text(source.head(0, source.size())));
}

void overwrite(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

TEST_CASE("what goes into a bundle comes out of it", "[evidence]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);

  const BundleReader reader(sealed.path);
  CHECK(reader.items().size() == sealed.items);
  CHECK(reader.gaps().size() == 1);
  for (const char* name : {"config.json", "large.bin", "sub/small.bin", "z.bin",
                           "z-again.bin", "empty"}) {
    const Item* item = reader.find(name);
    REQUIRE(item != nullptr);
    INFO(name);
    CHECK(read_all(*reader.open(*item)) == scene.source.read(name));
    CHECK(item->sha256 == sha256(scene.source.read(name)));
  }
  CHECK(reader.find("z-again.bin")->is_hard_link);
  CHECK(reader.find("link.json")->link_target == "config.json");
  CHECK(reader.find("empty")->outcome == Outcome::empty);
}

TEST_CASE("a sealed bundle verifies", "[evidence]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);

  const VerifyReport report = scene.verify(sealed.path);

  INFO(report.to_json().dump(1));
  CHECK(report.ok());
  CHECK(report.whole.size() == sealed.items);
  CHECK(report.damaged.empty());
}

TEST_CASE("a hard link is as damaged as the file that holds its bytes",
          "[evidence]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);
  const BundleReader reader(sealed.path);
  const std::uint64_t target = reader.find("z.bin")->number;
  const std::uint64_t link = reader.find("z-again.bin")->number;
  const std::uint64_t other = reader.find("large.bin")->number;
  // Noise is stored as it is.
  std::string bytes = scene.evidence.read("E001.tar.zst");
  const std::string piece = scene.source.read("z.bin").substr(1'000'000, 64);
  const std::size_t at = bytes.find(piece);
  REQUIRE(at != std::string::npos);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  overwrite(sealed.path, bytes);

  const VerifyReport report = scene.verify(sealed.path);

  CHECK_FALSE(report.ok());
  const auto is_in = [](const auto& list, std::uint64_t number) {
    return std::find(list.begin(), list.end(), number) != list.end();
  };
  for (const std::uint64_t number : {target, link}) {
    INFO(number);
    CHECK(is_in(report.damaged, number));
    CHECK_FALSE(is_in(report.whole, number));
  }
  CHECK(is_in(report.whole, other));
}

TEST_CASE("items are numbered from one to their count, and no others are there",
          "[evidence]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);
  const BundleReader reader(sealed.path);
  CHECK(reader.find(std::uint64_t{0}) == nullptr);
  CHECK(reader.find(std::uint64_t{1}) != nullptr);
  CHECK(reader.find(std::uint64_t{sealed.items}) != nullptr);
  CHECK(reader.find(std::uint64_t{sealed.items} + 1) == nullptr);
}

TEST_CASE("a bundle is the same on any number of cores", "[evidence]") {
  Scene scene;
  // Reading a symbolic link sets its access time, which is part of the input.
  static_cast<void>(scene.write("E000", 1));
  const SealedBundle one = scene.write("E001", 1);
  const std::string first = scene.evidence.read("E001.tar.zst");
  fs::rename(one.path, scene.evidence.path() / "kept");

  const SealedBundle five = scene.write("E001", 5);

  CHECK(one.sha256 == five.sha256);
  const bool is_same = scene.evidence.read("E001.tar.zst") == first;
  CHECK(is_same);
}

TEST_CASE("no flipped bit passes, and only touched items are damaged",
          "[evidence][hostile]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);
  const std::string whole = scene.evidence.read("E001.tar.zst");
  std::mt19937 random(11);

  for (int round = 0; round < 60; ++round) {
    std::string damaged = whole;
    const std::size_t at = round == 0   ? 0
                           : round == 1 ? whole.size() - 1
                                        : random() % whole.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    overwrite(sealed.path, damaged);
    const VerifyReport report = scene.verify(sealed.path);
    INFO("flipped a bit at " << at << " of " << whole.size());
    CHECK_FALSE(report.ok());
    // Every item that is called whole really is.
    CHECK(report.whole.size() + report.damaged.size() == sealed.items);
  }
}

TEST_CASE("a cut bundle is never whole, and says what is",
          "[evidence][hostile]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);
  const std::string whole = scene.evidence.read("E001.tar.zst");

  for (std::size_t keep = 0; keep < whole.size();
       keep += whole.size() / 37 + 1) {
    overwrite(sealed.path, whole.substr(0, keep));
    const VerifyReport report = scene.verify(sealed.path);
    INFO("kept " << keep << " of " << whole.size());
    CHECK_FALSE(report.ok());
    CHECK(report.whole.size() + report.damaged.size() == sealed.items);
  }
  // Almost all of it: the first items are whole, the last are not.
  overwrite(sealed.path, whole.substr(0, whole.size() / 2));
  const VerifyReport half = scene.verify(sealed.path);
  CHECK_FALSE(half.whole.empty());
  CHECK_FALSE(half.damaged.empty());
}

TEST_CASE("a bundle is not whole without what lies beside it",
          "[evidence][hostile]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);
  const std::string seal = scene.evidence.read("E001.seal.json");

  std::string edited = seal;
  edited[seal.find("\"items\"") + 9] ^= 1;
  overwrite(scene.evidence.path() / "E001.seal.json", edited);
  CHECK_FALSE(scene.verify(sealed.path).ok());

  fs::remove(scene.evidence.path() / "E001.seal.json");
  CHECK_FALSE(scene.verify(sealed.path).ok());

  overwrite(scene.evidence.path() / "E001.seal.json", seal);
  CHECK(scene.verify(sealed.path).ok());
}

TEST_CASE("garbage is not a bundle", "[evidence][hostile]") {
  Scene scene;
  for (const std::string& content :
       {std::string(), std::string("PK\x03\x04"), noise(100'000, 9),
        std::string(70'000, '\0')}) {
    const fs::path file = scene.evidence.write("E009.tar.zst", content);
    CHECK_FALSE(scene.verify(file).ok());
    CHECK_THROWS_AS(BundleReader(file), Error);
  }
}

TEST_CASE("hostile names are kept, and never leave the bundle",
          "[evidence][hostile]") {
  Scene scene;
  scene.source.write("plain", "1");
  const std::vector<std::string> names{
      "new\nline", "caf\xe9",   std::string(255, 'n'),
      "../escape", "/absolute", "a/../b",
      "plain",     "plain"};
  BundleWriter writer(scene.evidence.path(),
                      {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}},
                      scene.clock, scene.cancellation, scene.progress);
  writer.begin_collector("model-files");
  for (const std::string& name : names) {
    writer.bytes({.name = name, .content = as_bytes(name)});
  }
  const SealedBundle sealed = writer.finish(std::string(64, '0'));

  CHECK(scene.verify(sealed.path).ok());
  const BundleReader reader(sealed.path);
  CHECK(reader.items().size() == names.size());
  CHECK(reader.find("new\nline") != nullptr);
  CHECK(reader.find("caf\xe9") != nullptr);
  CHECK(reader.gaps().size() == 4);  // three unsafe names, one repeated
  for (const Item& item : reader.items()) {
    CHECK(is_safe_member_name(item.name));
  }
  const TempDir copy;
  std::vector<const Item*> all;
  for (const Item& item : reader.items()) all.push_back(&item);
  CHECK(extract_items(reader, all, copy.path() / "out").empty());
  CHECK_FALSE(fs::exists(copy.path() / "escape"));
}

TEST_CASE("holes of a sparse file are zeros, and are recorded", "[evidence]") {
  Scene scene;
  const fs::path sparse = scene.source.write("sparse", "begin");
  fs::resize_file(sparse, 30'000'000);
  BundleWriter writer(scene.evidence.path(),
                      {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}},
                      scene.clock, scene.cancellation, scene.progress);
  writer.begin_collector("model-files");
  writer.file({.name = "sparse", .path = sparse});
  const SealedBundle sealed = writer.finish(std::string(64, '0'));

  const BundleReader reader(sealed.path);
  CHECK(reader.items().front().sha256 == sha256_of(*open_source(sparse)));
  CHECK_FALSE(reader.items().front().holes.empty());
  CHECK(sealed.size < 1'000'000);
  CHECK(scene.verify(sealed.path).ok());
}

TEST_CASE("byte ranges of a file are taken with their place in it",
          "[evidence]") {
  Scene scene;
  const fs::path log = scene.source.write("a.log", "0123456789");
  BundleWriter writer(scene.evidence.path(),
                      {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}},
                      scene.clock, scene.cancellation, scene.progress);
  writer.begin_collector("prompt-log");
  writer.file({.name = "a.log", .path = log, .ranges = {{2, 3}, {7, 2}}});
  const SealedBundle sealed = writer.finish(std::string(64, '0'));

  const BundleReader reader(sealed.path);
  CHECK(read_all(*reader.open(reader.items().front())) == "23478");
  CHECK(reader.items().front().ranges ==
        std::vector<ByteRange>{{2, 3}, {7, 2}});
}

TEST_CASE("a log that was replaced after it was searched says so",
          "[evidence]") {
  Scene scene;
  const fs::path log = scene.source.path() / "log.jsonl";
  const FileStat searched = *stat_path(log, Links::refuse);
  const auto outcome_of = [&](const std::string& exhibit) {
    BundleWriter writer(scene.evidence.path(),
                        {.case_id = "IR-1",
                         .exhibit_id = exhibit,
                         .bag_info = {},
                         .threads = 1},
                        scene.clock, scene.cancellation, scene.progress);
    writer.begin_collector("prompt-log");
    FileRequest request{.name = "log.jsonl", .path = log};
    request.ranges = {{.offset = 0, .length = 10}};
    request.searched = searched;
    request.notes["source_size"] = searched.size;
    writer.file(std::move(request));
    writer.meta("acquisition.jsonl", as_bytes("{}\n"));
    const SealedBundle sealed = writer.finish(std::string(64, '0'));
    return BundleReader(sealed.path).items().front();
  };
  CHECK(outcome_of("E001").outcome == Outcome::ok);
  std::ofstream(log, std::ios::binary | std::ios::app) << "one more\n";
  const Item grown = outcome_of("E002");
  CHECK(grown.outcome == Outcome::ok);
  CHECK(grown.notes.contains("source_size"));
  overwrite(log, "short\n");
  const Item changed = outcome_of("E003");
  CHECK(changed.outcome != Outcome::ok);
  CHECK(changed.reason.find("changed between being searched") !=
        std::string::npos);
  CHECK_FALSE(changed.notes.contains("source_size"));
  fs::rename(log, log.native() + ".1");
  overwrite(log, std::string(300'000, 'y') + "\n");
  const Item replaced = outcome_of("E004");
  CHECK(replaced.outcome == Outcome::incomplete);
  CHECK(replaced.reason.find("another file had its path") != std::string::npos);
  CHECK_FALSE(replaced.notes.contains("source_size"));
}

TEST_CASE("what cannot be read is a gap with its reason", "[evidence]") {
  Scene scene;
  ::mkfifo((scene.source.path() / "pipe").c_str(), 0600);
  BundleWriter writer(scene.evidence.path(),
                      {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}},
                      scene.clock, scene.cancellation, scene.progress);
  writer.begin_collector("model-files");
  writer.file({.name = "gone", .path = scene.source.path() / "gone"});
  writer.file({.name = "pipe", .path = scene.source.path() / "pipe"});
  writer.file({.name = "link", .path = scene.source.path() / "link.json"});
  const SealedBundle sealed = writer.finish(std::string(64, '0'));

  const BundleReader reader(sealed.path);
  CHECK(reader.items().empty());
  REQUIRE(reader.gaps().size() == 3);
  CHECK(reader.gaps()[0].outcome == Outcome::missing);
  CHECK(scene.verify(sealed.path).ok());
}

TEST_CASE("a request to stop seals what was taken", "[evidence]") {
  Scene scene;
  BundleWriter writer(scene.evidence.path(),
                      {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}},
                      scene.clock, scene.cancellation, scene.progress);
  writer.begin_collector("model-files");
  writer.file(
      {.name = "config.json", .path = scene.source.path() / "config.json"});
  scene.cancellation.request();
  writer.file({.name = "z.bin", .path = scene.source.path() / "z.bin"});
  CHECK(writer.must_stop());
  const SealedBundle sealed = writer.finish(std::string(64, '0'));

  const Cancellation never;
  const VerifyReport report =
      verify_bundle(sealed.path, {}, never, scene.progress);
  CHECK(report.ok());
  CHECK(report.whole.size() == 1);
  CHECK(sealed.gaps == 1);
}

TEST_CASE("a tree of a bundle shows its payload", "[evidence]") {
  Scene scene;
  const SealedBundle sealed = scene.write("E001", 2);

  const auto tree = open_bundle_tree(sealed.path);

  CHECK(tree->kind() == "exhibit");
  bool found = false;
  for (const TreeFile& file : tree->files()) {
    if (file.name != "large.bin") continue;
    found = true;
    const auto source = tree->open(file);
    const Bytes middle = source->head(5'000'000, 100);
    CHECK(as_text(middle) ==
          scene.source.read("large.bin").substr(5'000'000, 100));
  }
  CHECK(found);
}

}  // namespace
}  // namespace impound::test
