// SPDX-License-Identifier: Apache-2.0
/// Bundles that are whole in every frame and wrong in what they say.

#include <algorithm>
#include <fstream>

#include "core/base/text.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "core/evidence/frame_recovery.hpp"
#include "core/evidence/verify.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/forged_bundle.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

/// A sealed bundle of two small items and a large one between them.
struct Sealed {
  TempDir folder;
  FixedClock clock;
  Cancellation never;
  SilentProgress silent;
  SealedBundle bundle = seal();

  SealedBundle seal() {
    BundleWriter writer(
        folder.path(),
        {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}, .threads = 1},
        clock, never, silent);
    writer.begin_collector("manual");
    writer.bytes({.name = "a", .content = as_bytes(std::string_view("alpha"))});
    const std::string large(6'000'000, 'l');
    writer.bytes({.name = "large", .content = as_bytes(large)});
    writer.bytes({.name = "b", .content = as_bytes(std::string_view("beta"))});
    writer.meta("acquisition.jsonl", as_bytes(std::string_view("{}\n")));
    return writer.finish(std::string(64, '0'));
  }
  VerifyReport verify(const VerifyOptions& options = {}) {
    return verify_bundle(bundle.path, options, never, silent);
  }
  /// What is wrong of the bundle, but that it is another file than the digest
  /// beside it says.
  std::vector<std::string> told() {
    std::vector<std::string> words;
    for (const VerifyProblem& problem : verify().problems) {
      if (problem.what != "bundle digest") words.push_back(problem.what);
    }
    return words;
  }
  Json seal_json() { return parse_json(folder.read("E001.seal.json"), "seal"); }
};

using Words = std::vector<std::string>;

TEST_CASE("a bundle that is put together again says nothing else",
          "[evidence][forged]") {
  Sealed sealed;
  REQUIRE(sealed.verify().ok());
  ForgedBundle(sealed.bundle.path).write();
  CHECK(sealed.told().empty());
  CHECK(BundleReader(sealed.bundle.path).items().size() == 3);
}

TEST_CASE("every metadata member is what the tag manifest lists",
          "[evidence][forged]") {
  Sealed sealed;
  ForgedBundle forged(sealed.bundle.path);
  const std::string name = GENERATE(
      "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "meta/files.jsonl",
      "meta/skipped.jsonl", "meta/acquisition.jsonl");
  INFO(name);
  if (name.starts_with("meta/")) {
    forged.tag(name) += R"({"subject":"x","collector":"","outcome":"missing",)"
                        R"("reason":"","at":"2026-11-23T00:00:00.000000Z"})"
                        "\n";
    if (name == "meta/files.jsonl") {
      forged.tag(name) = BundleReader(sealed.bundle.path).meta(name);
      forged.tag(name).replace(forged.tag(name).find("manual"), 6, "Manual");
    }
  } else {
    forged.tag(name) += "Another: line\n";
  }
  forged.write();
  const Words told = sealed.told();
  CHECK(std::ranges::count(told, "tag manifest") == 1);
}

TEST_CASE("sizes, declaration and manifest of a bag are those of its files",
          "[evidence][forged]") {
  Sealed sealed;
  ForgedBundle forged(sealed.bundle.path);
  SECTION("sizes") {
    std::string& info = forged.tag("bag-info.txt");
    const std::size_t at = info.find("Payload-Oxum: ") + 14;
    info[at] = info[at] == '9' ? '8' : '9';
    forged.list_tags_anew();
    forged.write();
    CHECK(sealed.told() == Words{"Payload-Oxum"});
  }
  SECTION("declaration") {
    forged.tag("bagit.txt") = "BagIt-Version: 0.97\n";
    forged.list_tags_anew();
    forged.write();
    CHECK(sealed.told() == Words{"BagIt declaration"});
  }
  SECTION("manifest") {
    std::string& manifest = forged.tag("manifest-sha256.txt");
    manifest[0] = manifest[0] == 'a' ? 'b' : 'a';
    forged.list_tags_anew();
    forged.write();
    CHECK(sealed.told() == Words{"manifest"});
  }
  SECTION("a manifest without its last line") {
    std::string& manifest = forged.tag("manifest-sha256.txt");
    manifest.erase(manifest.rfind('\n', manifest.size() - 2) + 1);
    forged.list_tags_anew();
    forged.write();
    CHECK(sealed.told() == Words{"manifest"});
  }
}

TEST_CASE("the manifest is the one that the record names",
          "[evidence][forged]") {
  Sealed sealed;
  const std::string right = sealed.bundle.manifest_sha256.hex();
  CHECK(sealed
            .verify({.threads = 1,
                     .expected_sha256 = sealed.bundle.sha256.hex(),
                     .expected_manifest_sha256 = right})
            .ok());
  const VerifyReport report =
      sealed.verify({.threads = 1,
                     .expected_sha256 = sealed.bundle.sha256.hex(),
                     .expected_manifest_sha256 = sha256("another").hex()});
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems.front().what == "manifest digest");
}

TEST_CASE("metadata that are there twice, or in the payload, are refused",
          "[evidence][forged]") {
  Sealed sealed;
  ForgedBundle forged(sealed.bundle.path);
  SECTION("twice") {
    forged.tags.push_back(forged.tags.front());
    forged.write();
    CHECK_THROWS_WITH(BundleReader(sealed.bundle.path),
                      Catch::Contains("is there twice"));
  }
  SECTION("in the payload") {
    TarMember member = forged.tags.front().first;
    member.name = "./data/more";
    forged.tags.emplace_back(member, "x");
    forged.write();
    CHECK_THROWS_WITH(BundleReader(sealed.bundle.path),
                      Catch::Contains("expected a metadata member"));
  }
  SECTION("one is missing") {
    forged.tags.erase(forged.tags.begin());
    forged.write();
    CHECK_THROWS_WITH(BundleReader(sealed.bundle.path),
                      Catch::Contains("a member \"bagit.txt\""));
  }
  CHECK(sealed.told() == Words{"metadata"});
}

TEST_CASE("a list of items counts from one, and has each name once",
          "[evidence][forged]") {
  Sealed sealed;
  const auto lines =
      split(BundleReader(sealed.bundle.path).meta("meta/files.jsonl"), '\n');
  REQUIRE(lines.size() == 4);  // the last one is empty
  const auto parsed = [](const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& line : list) text += line + "\n";
    return parse_items(text, "list");
  };
  CHECK(parsed({lines[0], lines[1], lines[2]}).size() == 3);
  CHECK_THROWS_WITH(parsed({lines[0], lines[2]}),
                    Catch::Contains("expected item 2, found 3"));
  CHECK_THROWS_WITH(parsed({lines[1]}),
                    Catch::Contains("expected item 1, found 2"));
  std::string again = lines[0];
  again.replace(again.find("\"item\":1"), 8, "\"item\":2");
  CHECK_THROWS_WITH(parsed({lines[0], again}),
                    Catch::Contains("expected each name once"));
  CHECK_THROWS_AS(parse_items(lines[0], "list"), Error);  // no line break
}

TEST_CASE("a line of the list is refused by the field that is wrong",
          "[evidence][forged]") {
  Sealed sealed;
  const auto lines =
      split(BundleReader(sealed.bundle.path).meta("meta/files.jsonl"), '\n');
  const Json line = parse_json(lines[0], "line");
  REQUIRE(Item::from_json(line, "line").name == "a");
  for (const auto& [key, value] : std::vector<std::pair<const char*, Json>>{
           {"name", "../a"},
           {"name", "/a"},
           {"name", "a/../../b"},
           {"name", ""},
           {"kind", "fifo"},
           {"kind", "tensor"},
           {"outcome", "intended"},
           {"outcome", "perfect"},
           {"sha256", "00"},
           {"mode", "8888"},
           {"mode", "17777"},
           {"mode", ""},
           {"size_stored", -1},
           {"mtime_ns", "now"},
           {"ranges", Json::array({1})}}) {
    INFO(key << " " << value.dump());
    Json wrong = line;
    wrong[key] = value;
    CHECK_THROWS_AS(Item::from_json(wrong, "line"), Error);
  }
}

TEST_CASE("a pointer that disagrees with the table is refused, in each field",
          "[evidence][forged]") {
  Sealed sealed;
  ForgedBundle forged(sealed.bundle.path);
  using layout::MetaPointer;
  using Edit = std::function<void(MetaPointer&)>;
  for (const Edit& edit :
       {Edit([](MetaPointer& meta) { ++meta.first_frame; }),
        Edit([](MetaPointer& meta) { --meta.first_frame; }),
        Edit([](MetaPointer& meta) { meta.first_frame += 1000; }),
        Edit([](MetaPointer& meta) { meta.tar_offset += 512; }),
        Edit([](MetaPointer& meta) { meta.tar_offset -= 512; }),
        Edit([](MetaPointer& meta) { meta.tar_size += 512; }),
        Edit([](MetaPointer& meta) { meta.tar_size -= 512; })}) {
    forged.edit_pointer = edit;
    forged.write();
    const auto file = open_source(sealed.bundle.path);
    CHECK_THROWS_WITH(
        read_frame_index(*file, "bundle"),
        Catch::Contains("a metadata pointer that agrees with the seek table"));
  }
  forged.edit_pointer = {};
  forged.write();
  CHECK_NOTHROW(read_frame_index(*open_source(sealed.bundle.path), "bundle"));
}

TEST_CASE("a frame that holds nothing is refused", "[evidence][forged]") {
  Sealed sealed;
  ForgedBundle forged(sealed.bundle.path);
  forged.begins_empty = true;
  forged.write();
  CHECK_THROWS_WITH(BundleReader(sealed.bundle.path),
                    Catch::Contains("a frame of 1 to"));
}

TEST_CASE("a seal whose frames or first items are not in order is not used",
          "[evidence][forged]") {
  Sealed sealed;
  const Json seal = sealed.seal_json();
  REQUIRE(sealed_frames(dump_line(seal)));
  REQUIRE(frames_from_seal(dump_line(seal)));
  // Frames in which items begin.
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < seal["frames"].size(); ++i) {
    if (seal["frames"][i][3] != 0) begins.push_back(i);
  }
  REQUIRE(begins.size() >= 2);
  const auto with = [&](const std::function<void(Json&)>& edit) {
    Json other = seal;
    edit(other);
    return dump_line(other);
  };
  CHECK_FALSE(sealed_frames(with([&](Json& json) {
    json["frames"][begins[1]][3] = json["frames"][begins[0]][3];
  })));
  CHECK_FALSE(sealed_frames(with([&](Json& json) {
    json["frames"][begins[1]][3] = seal["items"].get<int>() + 1;
  })));
  CHECK(sealed_frames(with(
      [&](Json& json) { json["frames"][begins.back()][3] = seal["items"]; })));
  CHECK_FALSE(
      sealed_frames(with([](Json& json) { json["frames"][0][4] = "00"; })));
  CHECK_FALSE(
      sealed_frames(with([](Json& json) { json["frames"][0].push_back(0); })));
  for (const char* key : {"first_frame", "tar_offset", "tar_size"}) {
    INFO(key);
    CHECK_FALSE(frames_from_seal(with([&](Json& json) {
      json["meta"][key] = json["meta"][key].get<std::uint64_t>() + 1;
    })));
  }
  for (const int by : {1, -1}) {
    CHECK_FALSE(frames_from_seal(with([&](Json& json) {
      json["frames"][1][0] = json["frames"][1][0].get<int>() + by;
    })));
  }
}

TEST_CASE(
    "where the metadata are lost, an item is whole only in frames that decode "
    "and are those of the seal",
    "[evidence][forged]") {
  Sealed sealed;
  Json seal = sealed.seal_json();
  std::string bytes = sealed.folder.read("E001.tar.zst");
  const auto flip_in = [&](std::size_t frame) {
    const Json& row = seal["frames"][frame];
    const auto at = row[0].get<std::size_t>() + row[1].get<std::size_t>() / 2;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
  };
  const auto write = [&] {
    for (const auto& [name, content] :
         {std::pair{std::string("E001.tar.zst"), bytes},
          std::pair{std::string("E001.seal.json"), dump_line(seal)}}) {
      fs::permissions(sealed.folder.path() / name, fs::perms::owner_all);
      std::ofstream(sealed.folder.path() / name,
                    std::ios::binary | std::ios::trunc)
          << content;
    }
  };
  flip_in(seal["meta"]["first_frame"].get<std::size_t>());
  using Items = std::vector<std::uint64_t>;
  SECTION("nothing else is wrong") {
    write();
    const VerifyReport report = sealed.verify();
    CHECK_FALSE(report.ok());
    // Whether the last one ends before the metadata, nobody can say.
    CHECK(report.whole == Items{1, 2});
    CHECK(report.damaged == Items{3});
  }
  SECTION("a frame is another one than the seal says") {
    seal["frames"][0][4] = sha256("another").hex();
    write();
    CHECK(sealed.verify().damaged == Items{1, 3});
  }
  SECTION("a frame is the one of the seal, and does not decode") {
    flip_in(0);
    const Json& row = seal["frames"][0];
    seal["frames"][0][4] = sha256(bytes.substr(row[0].get<std::size_t>(),
                                               row[1].get<std::size_t>()))
                               .hex();
    write();
    CHECK(sealed.verify().damaged == Items{1, 3});
  }
}

TEST_CASE("a text of nothing is empty, and no name of ours is free",
          "[evidence]") {
  TempDir folder;
  const FixedClock clock;
  const Cancellation never;
  SilentProgress silent;
  BundleWriter writer(
      folder.path(),
      {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}, .threads = 1},
      clock, never, silent);
  writer.begin_collector("manual");
  writer.bytes({.name = "nothing", .content = {}});
  const std::string text = "{}\n";
  writer.meta("acquisition.jsonl", as_bytes(text));
  for (const char* name : {"files.jsonl", "skipped.jsonl", "acquisition.jsonl",
                           "../bagit.txt", "a\nb", ""}) {
    INFO(name);
    CHECK_THROWS_WITH(writer.meta(name, as_bytes(text)),
                      Catch::Contains("the name is not free"));
  }
  const SealedBundle sealed = writer.finish(std::string(64, '0'));
  CHECK(BundleReader(sealed.path).items().front().outcome == Outcome::empty);
  CHECK(sealed.counts["empty"] == 1);
  CHECK_THROWS_WITH(writer.finish(""), Catch::Contains("is sealed already"));
}

}  // namespace
}  // namespace impound::test
