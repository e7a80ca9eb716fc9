// SPDX-License-Identifier: Apache-2.0
/// Files that change, fail or are forbidden while they are taken, and a disk
/// that fills up: evidence is sealed, and says what is missing.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#include "core/base/limits.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "core/evidence/source_file.hpp"
#include "core/evidence/verify.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

std::string noise(std::size_t size) {
  std::mt19937_64 random(7);
  std::string text(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(text.data() + i, &word, 8);
  }
  return text;
}

void append(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

/// A file that is opened as the writer does, and read when the test says so.
struct Opened {
  fs::path path;
  SourceFile source;

  explicit Opened(
      const fs::path& where, std::vector<ByteRange> ranges = {},
      std::function<bool()> stop = [] { return false; })
      : path(where),
        source(std::move(*open_read(where)), *stat_path(where, Links::refuse),
               std::move(ranges), std::move(stop)) {}

  /// The stored bytes; `item` says what came of it.
  std::string take(Item& item) {
    std::string content(static_cast<std::size_t>(source.size()), '?');
    source.load(0, std::as_writable_bytes(std::span(content)));
    source.finish(item);
    return content;
  }
};

TEST_CASE("a file that grows is cut where it ended, and that is said",
          "[evidence][live]") {
  const TempDir folder;
  Opened file(folder.write("log", "12345"));
  append(file.path, "678");
  Item item;
  CHECK(file.take(item) == "12345");
  CHECK(item.outcome == Outcome::partial);
  CHECK(item.reason.find("grew") != std::string::npos);
  CHECK(item.size_read == 5);
}

TEST_CASE("a file that becomes shorter is filled with zeros, and that is said",
          "[evidence][live]") {
  const TempDir folder;
  Opened file(folder.write("log", "1234567890"));
  fs::resize_file(file.path, 4);
  Item item;
  CHECK(file.take(item) == "1234" + std::string(6, '\0'));
  CHECK(item.outcome == Outcome::short_read);
  CHECK(item.size_stored == 10);
  CHECK(item.size_read == 4);
  CHECK(item.notes["zeros_for_unread"] == Json::parse("[[4,6]]"));
}

TEST_CASE("a file that is removed or rewritten while it is open",
          "[evidence][live]") {
  const TempDir folder;
  Opened removed(folder.write("a", "12345"));
  fs::remove(removed.path);
  Item item;
  CHECK(removed.take(item) == "12345");
  CHECK(item.outcome == Outcome::ok);

  Opened rewritten(folder.write("b", "12345"));
  std::ofstream(rewritten.path, std::ios::binary) << "abcde";
  Item changed;
  CHECK(rewritten.take(changed) == "abcde");
  CHECK(changed.outcome == Outcome::incomplete);
  CHECK(changed.reason ==
        "it changed while it was read: its bytes may be of two states");
  CHECK(changed.notes["changed_while_read"] == true);
}

TEST_CASE("parts that were asked for are all of it; one behind the end is not",
          "[evidence][live]") {
  const TempDir folder;
  const fs::path path = folder.write("log", "0123456789");
  Item item;
  CHECK(Opened(path, {{2, 3}, {7, 2}}).take(item) == "23478");
  CHECK(item.outcome == Outcome::ok);
  CHECK(item.reason.empty());

  Item clipped;
  CHECK(Opened(path, {{2, 3}, {7, 20}}).take(clipped) == "234789");
  CHECK(clipped.outcome == Outcome::partial);

  Opened grows(path, {{0, 2}});  // a log does, behind the window
  append(path, "more");
  Item window;
  CHECK(grows.take(window) == "01");
  CHECK(window.outcome == Outcome::ok);
}

TEST_CASE("a request to stop leaves the rest of a file as zeros",
          "[evidence][live]") {
  const TempDir folder;
  int asked = 0;
  Opened file(folder.write("a", "1234567890"), {{0, 3}, {5, 5}},
              [&asked] { return ++asked > 1; });
  Item item;
  CHECK(file.take(item) == "123" + std::string(5, '\0'));
  CHECK(item.outcome == Outcome::partial);
  CHECK(item.size_read == 3);
}

TEST_CASE("a block that cannot be read costs that block", "[evidence][live]") {
  // Our own memory: a page that is not mapped gives EIO, as a bad sector does.
  constexpr std::size_t kPage = 4096;
  void* const map = ::mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(map != MAP_FAILED);
  std::memset(map, 'x', 3 * kPage);
  auto* const middle = static_cast<std::byte*>(map) + kPage;
  REQUIRE(::munmap(middle, kPage) == 0);
  const auto begin = reinterpret_cast<std::uintptr_t>(map);
  FileStat stat;
  stat.kind = FileKind::regular;
  stat.size = stat.allocated = begin + 3 * kPage;
  SourceFile source(std::move(*open_read("/proc/self/mem")), stat,
                    {{begin, 3 * kPage}}, [] { return false; });
  std::string content(3 * kPage, '?');
  source.load(0, std::as_writable_bytes(std::span(content)));
  Item item;
  source.finish(item);
  const bool is_as_expected = content == std::string(kPage, 'x') +
                                             std::string(kPage, '\0') +
                                             std::string(kPage, 'x');
  CHECK(is_as_expected);
  CHECK(item.outcome == Outcome::partial);
  CHECK(item.size_read == 2 * kPage);
  CHECK(item.reason.find("Input/output error") != std::string::npos);
  CHECK(item.notes["zeros_for_unread"][0][1] == kPage);
  ::munmap(map, kPage);
  ::munmap(middle + kPage, kPage);
}

/// Does something once, when the first frame of a bundle is full.
class AtFirstFrame final : public Progress {
 public:
  explicit AtFirstFrame(std::function<void()> act) : act_(std::move(act)) {}
  void begin(std::string_view, std::optional<std::uint64_t>) override {}
  void advance(std::uint64_t, std::string_view) override {
    if (act_) std::exchange(act_, nullptr)();
  }
  void end(std::string_view) override {}
  void event(const Json&) override {}

 private:
  std::function<void()> act_;
};

struct Bench {
  TempDir source;
  TempDir evidence;
  FixedClock clock;
  Cancellation cancellation;
  SilentProgress silent;

  std::unique_ptr<BundleWriter> writer(Progress& progress,
                                       const fs::path& folder) {
    BundleOptions options;
    options.case_id = "IR-1";
    options.exhibit_id = "E001";
    options.threads = 1;
    auto made = std::make_unique<BundleWriter>(folder, options, clock,
                                               cancellation, progress);
    made->begin_collector("model-files");
    return made;
  }

  VerifyReport verify(const SealedBundle& sealed) {
    return verify_bundle(sealed.path, {}, cancellation, silent);
  }
};

TEST_CASE("a large file truncated under the writer is sealed, short",
          "[evidence][live]") {
  Bench bench;
  // More frames than the ring has places: the last are read after the cut.
  const std::string content = noise(40 * kMiB);
  const fs::path path = bench.source.write("weights", content);
  AtFirstFrame cut([&] { fs::resize_file(path, kMiB); });
  const auto writer = bench.writer(cut, bench.evidence.path());
  writer->file({.name = "weights", .path = path});
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  CHECK(bench.verify(sealed).ok());
  const BundleReader reader(sealed.path);
  const Item& item = reader.items().front();
  CHECK(item.outcome == Outcome::short_read);
  CHECK(item.size_stored == content.size());
  CHECK(item.size_read >= kMiB);
  CHECK(item.size_read < content.size());
  const auto stored = reader.open(item);
  const bool begins_as_it_was =
      as_text(stored->head(0, kMiB)) == content.substr(0, kMiB);
  CHECK(begins_as_it_was);
  CHECK(as_text(stored->head(content.size() - 100, 100)) ==
        std::string(100, '\0'));
}

TEST_CASE("a large file that grows under the writer is cut",
          "[evidence][live]") {
  Bench bench;
  const fs::path path = bench.source.write("weights", noise(9 * kMiB));
  AtFirstFrame grow([&] { append(path, "more"); });
  const auto writer = bench.writer(grow, bench.evidence.path());
  writer->file({.name = "weights", .path = path});
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  CHECK(bench.verify(sealed).ok());
  const BundleReader reader(sealed.path);
  CHECK(reader.items().front().outcome == Outcome::partial);
  CHECK(reader.items().front().size_stored == 9 * kMiB);
}

/// Without the rights of root while it lives.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) {
    if (was_root_ && ::seteuid(65534) != 0) FAIL("cannot give up root");
  }
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_;
};

TEST_CASE("a file that may not be read is a gap: denied", "[evidence][live]") {
  Bench bench;
  const fs::path path = bench.source.write("secret", "1");
  ::chmod(bench.source.path().c_str(), 0755);
  ::chmod(path.c_str(), 0);
  const auto writer = bench.writer(bench.silent, bench.evidence.path());
  {
    const AsNobody nobody;
    writer->file({.name = "secret", .path = path});
  }
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  CHECK(bench.verify(sealed).ok());
  const BundleReader reader(sealed.path);
  CHECK(reader.items().empty());
  REQUIRE(reader.gaps().size() == 1);
  CHECK(reader.gaps()[0].outcome == Outcome::denied);
  CHECK(reader.gaps()[0].subject == path.native());
}

TEST_CASE("extended attributes travel with a file", "[evidence][live]") {
  Bench bench;
  const fs::path path = bench.source.write("a", "1");
  const std::string value("any\n\0bytes", 10);
  if (::setxattr(path.c_str(), "user.origin=50%", value.data(), value.size(),
                 0) != 0) {
    WARN("the file system keeps no extended attributes: not tested");
    return;
  }
  const auto writer = bench.writer(bench.silent, bench.evidence.path());
  writer->file({.name = "a", .path = path});
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  const auto file = open_source(sealed.path);
  const FrameIndex index = read_frame_index(*file, "E001");
  const TarSource tar(*file, index, "E001");
  const TarMember member = read_tar_headers(tar, 0, "E001").member;
  CHECK(std::ranges::count(member.xattrs,
                           std::pair(std::string("user.origin=50%"), value)) ==
        1);
}

/// A small disk of its own, as long as it lives.
class SmallDisk {
 public:
  explicit SmallDisk(std::size_t bytes) {
    const std::string options = fmt::format("size={}", bytes);
    is_mounted_ = ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0,
                          options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool is_mounted() const { return is_mounted_; }
  [[nodiscard]] const fs::path& path() const { return folder_.path(); }

 private:
  TempDir folder_;
  bool is_mounted_ = false;
};

/// Takes 60 MiB in files of `size` bytes onto a disk with room for half of it.
void fill_disk(std::size_t size) {
  const SmallDisk disk(96 * kMiB);
  if (!disk.is_mounted()) {
    WARN("no small disk without root: not tested");
    return;
  }
  Bench bench;
  const std::string content = noise(60 * kMiB);
  const auto writer = bench.writer(bench.silent, disk.path());
  for (std::size_t at = 0; at < content.size(); at += size) {
    const std::string name = fmt::format("{}", at / size);
    writer->file({.name = name,
                  .path = bench.source.write(name, content.substr(at, size))});
  }
  static_cast<void>(writer->drain());
  CHECK(writer->must_stop());
  writer->file({.name = "late", .path = bench.source.write("late", "1")});
  const SealedBundle sealed = writer->finish(std::string(64, '0'));

  CHECK(bench.verify(sealed).ok());
  CHECK(free_bytes(disk.path()) >= limits::kReservedFreeBytes);
  const BundleReader reader(sealed.path);
  REQUIRE_FALSE(reader.gaps().empty());
  CHECK(reader.gaps().back().outcome == Outcome::partial);
  CHECK(reader.gaps().back().reason.find("disk is full") != std::string::npos);
  REQUIRE_FALSE(reader.items().empty());
  CHECK(reader.items().size() + reader.gaps().size() ==
        content.size() / size + 1);
  std::uint64_t read = 0;
  for (const Item& item : reader.items()) read += item.size_read;
  CHECK(read > 0);
  CHECK(read < content.size());
}

TEST_CASE("a disk that fills up between files ends the exhibit, sealed",
          "[evidence][live]") {
  fill_disk(kMiB);
}

TEST_CASE("a disk that fills up within a file ends the exhibit, sealed",
          "[evidence][live]") {
  fill_disk(60 * kMiB);
}

}  // namespace
}  // namespace impound::test
