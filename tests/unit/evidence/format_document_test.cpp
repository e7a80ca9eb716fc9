// SPDX-License-Identifier: Apache-2.0
/// FORMAT.md and the program say the same: keys, records, and the worked
/// example, byte for byte.

#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

std::string document() {
  return read_text_file(
      fs::path(IMPOUND_SOURCE_DIR) / "core/evidence/FORMAT.md", 1 << 20);
}

/// Words between backticks in the first cell of each row of a section's tables.
std::set<std::string> keys_of(const std::string& section) {
  std::set<std::string> keys;
  bool is_there = false;
  for (const std::string& line : split(document(), '\n')) {
    if (line.starts_with("#")) is_there = line.ends_with(" " + section);
    if (!is_there || !line.starts_with("| ")) continue;
    const std::vector<std::string> parts = split(split(line, '|')[1], '`');
    for (std::size_t i = 1; i < parts.size(); i += 2) keys.insert(parts[i]);
  }
  return keys;
}

void add_keys(std::set<std::string>& keys, const Json& object) {
  for (const auto& [key, value] : object.items()) keys.insert(key);
}

struct Bench {
  TempDir folder;
  FixedClock clock;
  Cancellation cancellation;
  SilentProgress progress;

  std::unique_ptr<BundleWriter> writer() {
    BundleOptions options;
    options.case_id = "IR-1";
    options.exhibit_id = "E001";
    options.threads = 1;
    auto made = std::make_unique<BundleWriter>(folder.path(), options, clock,
                                               cancellation, progress);
    made->begin_collector("manual");
    return made;
  }
};

TEST_CASE("FORMAT.md names every key of a line and of the seal, and no other",
          "[evidence]") {
  Bench bench;
  const TempDir source;
  source.write("a", "12345");
  fs::resize_file(source.path() / "a", 5'000'000);
  fs::create_symlink("a", source.path() / "link");
  const auto writer = bench.writer();
  writer->file({.name = "a",
                .path = source.path() / "a",
                .found_as = "as seen",
                .notes = {{"k", 1}}});
  writer->file({.name = "again", .path = source.path() / "a"});
  // Behind the end: clipped, so that there is a reason.
  writer->file({.name = "part",
                .path = source.path() / "a",
                .ranges = {{0, 9'000'000}}});
  writer->entry("link", source.path() / "link");
  writer->gap("/nowhere", Outcome::missing, "not there");
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  const BundleReader reader(sealed.path);
  std::set<std::string> item_keys;
  for (const Item& item : reader.items()) add_keys(item_keys, item.to_json());
  CHECK(item_keys == keys_of("meta/files.jsonl"));
  std::set<std::string> gap_keys;
  for (const Gap& gap : reader.gaps()) add_keys(gap_keys, gap.to_json());
  CHECK(gap_keys == keys_of("meta/skipped.jsonl"));
  std::set<std::string> seal_keys;
  add_keys(seal_keys, reader.seal());
  CHECK(seal_keys == keys_of("E001.seal.json"));
  const std::string text = document();
  for (const std::string& line : split(reader.meta("bag-info.txt"), '\n')) {
    if (line.empty()) continue;
    const std::string key = line.substr(0, line.find(':'));
    INFO(key);
    CHECK(text.find('`' + key + '`') != text.npos);
  }
}

/// The worked example's rows of hex: "    03e1  5d 2a … ", at `offset`.
void check_rows(const std::string& content, std::string_view heading) {
  const std::string text = document();
  std::size_t rows = 0;
  const std::size_t begin = text.find(heading);
  REQUIRE(begin != text.npos);
  bool has_begun = false;
  for (const std::string& line : split(text.substr(begin), '\n')) {
    if (!line.starts_with("    ")) {
      if (has_begun && !line.empty()) break;
      continue;
    }
    has_begun = true;
    std::size_t at = std::stoul(line.substr(4, 4), nullptr, 16);
    // Bytes stand up to the first gap of more than two blanks, or 16 of them.
    for (std::size_t i = 10, count = 0; i + 2 <= line.size() && count < 16;) {
      if (line[i] == ' ') {
        if (line.substr(i, 2) == "  ") break;
        ++i;
        continue;
      }
      INFO(line);
      CHECK(fmt::format("{:02x}", static_cast<unsigned char>(content.at(at))) ==
            line.substr(i, 2));
      ++at;
      ++count;
      i += 3;
    }
    ++rows;
  }
  CHECK(rows >= 8);
}

TEST_CASE("the worked example of FORMAT.md is a real bundle", "[evidence]") {
  Bench bench;
  const auto writer = bench.writer();
  writer->bytes({.name = "a.txt",
                 .content = as_bytes("hello\n"),
                 .source = "made by hand"});
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  const auto file = open_source(sealed.path);
  const FrameIndex index = read_frame_index(*file, "E001");
  const TarSource tar(*file, index, "E001");
  check_rows(std::string(as_text(tar.head(0, tar.size()))), "The tar\nbegins");
  const BundleReader reader(sealed.path);
  std::string text = document();
  CHECK(text.find("    " + reader.meta("manifest-sha256.txt")) != text.npos);
  std::string line = reader.meta("meta/files.jsonl");
  line.insert(line.find("\"sha256\""), "\n    ");
  CHECK(text.find("    " + line) != text.npos);
  if (sealed.size == 1086) {  // another libzstd may compress otherwise
    check_rows(std::string(as_text(file->head(0, file->size()))),
               "Written with libzstd");
  }
}

}  // namespace
}  // namespace impound::test
