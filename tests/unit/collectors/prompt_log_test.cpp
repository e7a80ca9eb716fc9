// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "collectors/log_window.hpp"
#include "collectors/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/crypto/digest.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::MemorySink;
using impound::test::TempDir;

namespace {

constexpr TimeNs kSecond = 1'000'000'000;

const Collector& prompt_log() {
  for (const Collector* const one : all_collectors()) {
    if (one->name == "prompt-log") return *one;
  }
  throw std::runtime_error("no collector is called prompt-log");
}

struct Setting {
  [[nodiscard]] Target target() const {
    return {.deployment = deployment,
            .arguments = arguments_for(prompt_log(), arguments,
                                       Spelling::values, clock.now()),
            .clock = clock,
            .cancellation = cancellation};
  }
  void add(const fs::path& path, const std::string& format = "jsonl") {
    deployment.logs.push_back({.path = path.native(), .format = format});
  }
  void collect() { prompt_log().collect(target(), sink); }
  [[nodiscard]] bool has_gap(const std::string& words, Outcome outcome) const {
    return std::ranges::any_of(sink.gaps, [&](const auto& gap) {
      return gap.outcome == outcome &&
             gap.reason.find(words) != std::string::npos;
    });
  }

  Deployment deployment;
  Json arguments = Json::object();
  FixedClock clock;
  Cancellation cancellation;
  MemorySink sink;
};

std::string record(TimeNs time, int number) {
  return fmt::format(
      R"({{"ts":"{}","n":{},"messages":[{{"role":"user","content":"hi {}"}}]}})"
      "\n",
      format_time(time), number, number);
}

/// The bytes that a request asks for.
std::string wanted(const TempDir& folder, std::string_view name,
                   const FileRequest& request) {
  const std::string whole = folder.read(name);
  if (request.ranges.empty()) return whole;
  std::string text;
  for (const ByteRange& range : request.ranges) {
    text += whole.substr(range.offset, range.length);
  }
  return text;
}

}  // namespace

TEST_CASE("logs are taken whole without a window, with what is in them") {
  const TempDir folder;
  folder.write("gw/a.jsonl", record(kSecond * 1'700'000'000, 1) + "junk\n" +
                                 record(kSecond * 1'700'000'060, 2));
  folder.write("gw/b.jsonl", "");
  folder.write("gw/other.txt", "no");
  Setting setting;
  setting.add(folder.path() / "gw/*.jsonl");
  setting.collect();
  REQUIRE(setting.sink.files.size() == 2);
  const FileRequest& first = setting.sink.files[0];
  CHECK(first.name == "logs" + (folder.path() / "gw/a.jsonl").native());
  CHECK(first.ranges.empty());
  CHECK(first.notes.at("record_count") == 3);
  CHECK(first.notes.at("unparsable_count") == 1);
  CHECK(first.notes.at("first_time") == "2023-11-14T22:13:20.000000Z");
  CHECK(first.notes.at("last_time") == "2023-11-14T22:14:20.000000Z");
  CHECK(setting.sink.gaps.empty());
  CHECK(prompt_log().describe(setting.target()).find("2 log files") !=
        std::string::npos);
}

TEST_CASE("a pattern that matches nothing is a gap") {
  const TempDir folder;
  Setting setting;
  setting.add(folder.path() / "nothing-*.jsonl");
  setting.add(folder.path() / "plain.jsonl");
  setting.collect();
  CHECK(setting.has_gap("no file matches", Outcome::missing));
  CHECK(setting.has_gap("no such file", Outcome::missing));
}

TEST_CASE("a window over 100 000 records takes exactly those inside") {
  const TempDir folder;
  const bool is_shuffled = GENERATE(false, true);
  std::vector<int> order(100'000);
  for (int i = 0; i < 100'000; ++i) order[static_cast<std::size_t>(i)] = i;
  if (is_shuffled) {
    std::mt19937 generator(7);
    // Blocks change places: a log written by several workers.
    for (std::size_t at = 0; at + 1000 <= order.size(); at += 1000) {
      std::shuffle(order.begin() + static_cast<std::ptrdiff_t>(at),
                   order.begin() + static_cast<std::ptrdiff_t>(at + 1000),
                   generator);
    }
  }
  const TimeNs begin = FixedClock().now() - 100'000 * kSecond;
  std::string text;
  std::string expected;
  for (const int n : order) {
    const std::string line = record(begin + n * kSecond, n);
    text += line;
    if (n >= 40'000 && n <= 70'000) expected += line;
  }
  folder.write("a.jsonl", text);
  Setting setting;
  setting.add(folder.path() / "a.jsonl");
  setting.arguments = {{"since", format_time(begin + 40'000 * kSecond)},
                       {"until", format_time(begin + 70'000 * kSecond)}};
  setting.collect();
  REQUIRE(setting.sink.files.size() == 1);
  const FileRequest& request = setting.sink.files.front();
  CHECK(wanted(folder, "a.jsonl", request) == expected);
  CHECK(request.notes.at("record_count") == 100'000);
  CHECK(request.notes.at("record_count_inside") == 30'001);
  CHECK(request.notes.contains("unsorted") == is_shuffled);
  for (std::size_t i = 1; i < request.ranges.size(); ++i) {
    const ByteRange& before = request.ranges[i - 1];
    CHECK(before.offset + before.length < request.ranges[i].offset);
  }
}

TEST_CASE("a slice of a log is named as one, with the hash of the whole file") {
  const TempDir folder;
  const TimeNs t = kSecond * 1'700'000'000;
  const std::string text = record(t, 1) + record(t + kSecond, 2);
  folder.write("a.jsonl", text);
  folder.write("all.jsonl", record(t + kSecond, 2));
  Setting setting;
  setting.add(folder.path() / "*.jsonl");
  setting.arguments = {{"since", format_time(t + kSecond)}};
  setting.collect();
  REQUIRE(setting.sink.files.size() == 2);
  const FileRequest& slice = setting.sink.files[0];
  CHECK(slice.name == "log-slices" + (folder.path() / "a.jsonl").native());
  CHECK_FALSE(slice.ranges.empty());
  CHECK(slice.outcome == Outcome::ok);
  CHECK(slice.notes.at("source_size") == text.size());
  CHECK(slice.notes.at("source_sha256") == sha256(text).hex());
  // All of it lies in the window: the file itself.
  const FileRequest& whole = setting.sink.files[1];
  CHECK(whole.name == "logs" + (folder.path() / "all.jsonl").native());
  CHECK(whole.ranges.empty());
  CHECK_FALSE(whole.notes.contains("source_sha256"));
}

TEST_CASE("rotated logs are taken with the log that they were rotated from") {
  const TempDir folder;
  const TimeNs t = kSecond * 1'700'000'000;
  folder.write("a.jsonl", record(t + kSecond, 2));
  folder.write("a.jsonl.1", record(t, 1));
  folder.write("a.jsonl.2.gz", "\x1f\x8b\x08 whatever");
  Setting setting;
  setting.add(folder.path() / "*.jsonl");
  setting.collect();
  REQUIRE(setting.sink.files.size() == 3);
  CHECK(setting.sink.files[0].name.ends_with("/a.jsonl"));
  CHECK_FALSE(setting.sink.files[0].notes.contains("rotated_from"));
  CHECK(setting.sink.files[1].name.ends_with("/a.jsonl.1"));
  CHECK(setting.sink.files[1].notes.at("rotated_from") ==
        (folder.path() / "a.jsonl").native());
  CHECK(setting.sink.files[2].name.ends_with("/a.jsonl.2.gz"));
  CHECK(setting.sink.gaps.empty());

  // A path that was named by hand means that file.
  Setting by_hand;
  by_hand.arguments = {{"path", (folder.path() / "a.jsonl").native()}};
  by_hand.collect();
  CHECK(by_hand.sink.files.size() == 1);

  // The log is gone and its rotated set is there: both are said.
  fs::remove(folder.path() / "a.jsonl");
  Setting gone;
  gone.add(folder.path() / "a.jsonl");
  gone.collect();
  CHECK(gone.sink.files.size() == 2);
  CHECK(gone.has_gap("no such file; what was rotated from it was taken",
                     Outcome::missing));
}

TEST_CASE("records without a time stay with their neighbours") {
  const TempDir folder;
  const TimeNs t = kSecond * 1'700'000'000;
  const std::string early = record(t, 1) + "{\"trace\":\"early\"}\n";
  const std::string inside =
      "{\"trace\":\"before\"}\n" + record(t + kSecond, 2) +
      "{\"trace\":\"after\"}\n" + record(t + 2 * kSecond, 3) + "Traceback\n";
  const std::string torn = R"({"ts":"2023-11-14T22:1)";
  folder.write("a.jsonl",
               record(t - kSecond, 0) + record(t, 1) + inside + torn);
  Setting setting;
  setting.add(folder.path() / "a.jsonl");
  setting.arguments = {{"since", format_time(t + kSecond)}};
  setting.collect();
  REQUIRE(setting.sink.files.size() == 1);
  const FileRequest& request = setting.sink.files.front();
  CHECK(wanted(folder, "a.jsonl", request) == inside + torn);
  CHECK(request.notes.at("torn_last_line") == true);
}

TEST_CASE("a duration counts back from now, and a bad bound is refused") {
  const TempDir folder;
  Setting setting;
  const TimeNs now = setting.clock.now();
  folder.write("a.jsonl", record(now - 7200 * kSecond, 1) +
                              record(now - 1800 * kSecond, 2));
  setting.add(folder.path() / "a.jsonl");
  setting.arguments = {{"since", "1h"}};
  setting.collect();
  REQUIRE(setting.sink.files.size() == 1);
  CHECK(setting.sink.files.front().notes.at("record_count_inside") == 1);

  setting.arguments = {{"since", "yesterday"}};
  CHECK_THROWS_WITH(setting.target(), Catch::Contains("yesterday"));
  setting.arguments = {{"since", "1h"}, {"until", "2h"}};
  CHECK_THROWS_WITH(setting.target(), Catch::Contains("later than until"));
  setting.arguments = {{"timestamp", "at"}};
  CHECK_THROWS_WITH(setting.target(), Catch::Contains("no path was given"));
}

TEST_CASE("what a window cannot be applied to is taken whole, and said") {
  const TempDir folder;
  Setting setting;
  const TimeNs now = setting.clock.now();
  folder.write("old.jsonl", record(now - 7200 * kSecond, 1));
  folder.write("packed.jsonl.gz", "\x1f\x8b\x08 whatever");
  folder.write("access.log", "10.0.0.1 GET /\n");
  folder.write("timeless.jsonl", "{\"a\":1}\n");
  setting.add(folder.path() / "old.jsonl");
  setting.add(folder.path() / "packed.jsonl.gz");
  setting.add(folder.path() / "access.log", "text");
  setting.add(folder.path() / "timeless.jsonl");
  setting.arguments = {{"since", "1h"}};
  setting.collect();
  CHECK(setting.has_gap("none of its 1 records", Outcome::empty));
  REQUIRE(setting.sink.files.size() == 3);
  for (const FileRequest& request : setting.sink.files) {
    CHECK(request.ranges.empty());
    CHECK(request.notes.at("window").get<std::string>().starts_with(
        "not applied"));
    // More than was asked for is not plain ok.
    CHECK(request.outcome == Outcome::incomplete);
    CHECK(request.reason.starts_with("the time window was not applied"));
    CHECK(request.name.starts_with("logs/"));
  }
  CHECK(setting.sink.files[0].notes.at("window") == "not applied: compressed");
  CHECK(setting.sink.files[0].notes.at("compressed") == "gzip");
}

TEST_CASE("a log reached through a link is taken under the name of the link") {
  const TempDir folder;
  folder.write("store/2026.jsonl", "{}\n");
  fs::create_symlink("store/2026.jsonl", folder.path() / "current.jsonl");
  fs::create_symlink("gone", folder.path() / "broken.jsonl");
  Setting setting;
  setting.add(folder.path() / "*.jsonl");
  setting.collect();
  REQUIRE(setting.sink.files.size() == 1);
  CHECK(setting.sink.files[0].name.ends_with("/current.jsonl"));
  CHECK(setting.sink.files[0].path.filename() == "2026.jsonl");
  CHECK_FALSE(setting.sink.files[0].found_as.empty());
  CHECK(setting.sink.entries.size() == 1);
  CHECK(setting.has_gap("link to gone", Outcome::missing));
}

TEST_CASE("ranges stay bounded when a log leaves the window all the time") {
  std::string text;
  for (int i = 0; i < 300'000; ++i) {
    text += i % 2 == 0 ? "{\"ts\":1700000000}\n" : "{\"ts\":1600000000}\n";
  }
  const SpanSource source(as_bytes(text));
  const TimeWindow window{.since = kSecond * 1'650'000'000, .until = {}};
  const LogScan scan = scan_log(source, window, "", [] { return false; });
  CHECK(scan.inside == 150'000);
  CHECK(scan.widened);
  CHECK(scan.ranges.size() <= kMaxLogRanges);
  CHECK(scan.ranges.front().offset == 0);
}

TEST_CASE("a line longer than the bound is one record and costs no memory") {
  std::string text = "{\"ts\":1700000000}\n";
  text.append(kMaxLogRecord + 5'000'000, 'x');
  text += "\n{\"ts\":1700000001}\n";
  const SpanSource source(as_bytes(text));
  const TimeWindow window{.since = kSecond * 1'700'000'001, .until = {}};
  const LogScan scan = scan_log(source, window, "", [] { return false; });
  CHECK(scan.records == 3);
  CHECK(scan.unparsable == 1);
  REQUIRE(scan.ranges.size() == 1);
  CHECK(scan.ranges.front().offset == 18);  // with the record after it
}
