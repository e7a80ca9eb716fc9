// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/clock_check.hpp"

#include "core/base/text.hpp"
#include "core/casefile/line_check.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// Calendar, counter and boot, each moved by itself.
class LooseClock final : public Clock {
 public:
  [[nodiscard]] TimeNs now() const override { return calendar; }
  [[nodiscard]] ClockState state() const override {
    return {.source = "unsynchronised",
            .offset_ms = std::nullopt,
            .checked_at = calendar,
            .monotonic_ns = counter,
            .boot_id = boot};
  }

  TimeNs calendar = 1'795'392'000 * kSecond;
  std::int64_t counter = 5'000 * kSecond;
  std::string boot = "first boot";
};

/// A case with one note before the clock moves, and one behind.
struct TwoNotes {
  template <typename Move>
  CustodyReport after(Move move) {
    CaseFile file =
        CaseFile::create(temp.path() / "case", opening(), eve, clock);
    (void)file.append({note_draft("before")}, eve);
    move(clock);
    (void)file.append({note_draft("behind")}, eve);
    return verify_custody(temp.path() / "case", "");
  }

  TempDir temp;
  LooseClock clock;
  Examiner eve = make_examiner();
};

TEST_CASE("A clock that runs is neither problem nor warning", "[casefile]") {
  TwoNotes scene;
  // An hour, and the 1.5 s that NTP may take back in it.
  const CustodyReport report = scene.after([](LooseClock& clock) {
    clock.counter += 3600 * kSecond;
    clock.calendar += 3600 * kSecond - kSecond * 3 / 2;
  });
  CHECK(report.ok());
  CHECK(report.warnings.empty());
}

TEST_CASE("A clock that was set is a warning and names the entry",
          "[casefile]") {
  TwoNotes scene;
  const std::int64_t step = GENERATE(-3600, -3, 3, 86400);
  const CustodyReport report = scene.after([&](LooseClock& clock) {
    clock.counter += kSecond;
    clock.calendar += (1 + step) * kSecond;
  });
  CHECK(report.ok());
  REQUIRE(report.warnings.size() == 1);
  CHECK(report.warnings[0].what == "clock step");
  CHECK(report.warnings[0].seq == 3);
  CHECK(report.to_json()["warnings"][0]["seq"] == 3);
}

TEST_CASE("A clock may part by a second and a two-thousandth of what passed",
          "[casefile]") {
  // After 2000 s by the counter: one second, and one for the slew of NTP.
  const std::int64_t sign = GENERATE(-1, 1);
  const std::int64_t beyond = GENERATE(0, 1);
  TwoNotes scene;
  const CustodyReport report = scene.after([&](LooseClock& clock) {
    clock.counter += 2000 * kSecond;
    clock.calendar +=
        2000 * kSecond + sign * (2 * kSecond + beyond * kSecond / 100);
  });
  CHECK(report.ok());
  CHECK(report.warnings.size() == static_cast<std::size_t>(beyond));
}

/// Times of the one entry, as somebody else's line may state them.
std::vector<std::string> wrong_times(TimeNs ts, TimeNs recorded_at) {
  Scene scene;
  const Entry entry =
      scene.file.append({note_draft("a note")}, scene.eve).front();
  std::string line = entry.line;
  for (const auto& [key, value] :
       {std::pair{"ts", ts}, std::pair{"recorded_at", recorded_at}}) {
    const std::string old = entry.json.at(key).get<std::string>();
    const std::size_t at = line.find("\"" + std::string(key) + "\":\"");
    line.replace(at + std::string(key).size() + 4, old.size(),
                 format_time(value));
  }
  std::vector<std::string> wrong;
  for (const CustodyProblem& problem : check_line(entry.seq, line).problems) {
    wrong.push_back(problem.what);
  }
  return wrong;
}

TEST_CASE("An entry is late after sixty seconds, and early after sixty",
          "[casefile]") {
  constexpr TimeNs kThen = 1'795'392'000 * kSecond;
  constexpr TimeNs kMicrosecond = 1000;
  CHECK(wrong_times(kThen, kThen).empty());
  CHECK(wrong_times(kThen - 60 * kSecond, kThen).empty());
  CHECK(wrong_times(kThen - 60 * kSecond - kMicrosecond, kThen) ==
        std::vector<std::string>{"late_reason"});
  CHECK(wrong_times(kThen + 60 * kSecond, kThen).empty());
  CHECK(wrong_times(kThen + 60 * kSecond + kMicrosecond, kThen) ==
        std::vector<std::string>{"ts"});
}

TEST_CASE("After another boot only the calendar can be compared",
          "[casefile]") {
  TwoNotes scene;
  SECTION("it went on") {
    const CustodyReport report = scene.after([](LooseClock& clock) {
      clock.boot = "second boot";
      clock.counter = kSecond;
      clock.calendar += 60 * kSecond;
    });
    CHECK(report.ok());
    CHECK(report.warnings.empty());
  }
  SECTION("it went back") {
    const CustodyReport report = scene.after([](LooseClock& clock) {
      clock.boot = "second boot";
      clock.calendar -= 60 * kSecond;
    });
    CHECK(report.ok());
    CHECK(report.warnings.size() == 1);
  }
}

TEST_CASE("A counter that goes back within a boot breaks the chain",
          "[casefile]") {
  TwoNotes scene;
  const CustodyReport report =
      scene.after([](LooseClock& clock) { clock.counter -= 1; });
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].what == "clock");
  CHECK(report.problems[0].seq == 3);
}

TEST_CASE("A clock of any shape is judged, never trusted",
          "[casefile][hostile]") {
  const Json whole = {{"recorded_at", "2026-11-23T00:00:00.000000Z"},
                      {"clock", {{"boot_id", "b"}, {"monotonic_ns", 1}}}};
  for (const Json& counter :
       {Json(), Json("1"), Json(-1), Json(1.5), Json(UINT64_MAX),
        Json(INT64_MAX), Json::array()}) {
    CAPTURE(counter.dump());
    ClockCheck check;
    std::vector<CustodyProblem> problems;
    std::vector<CustodyProblem> warnings;
    Json json = whole;
    check.follow(1, json, problems, warnings);
    CHECK(problems.empty());
    json["clock"]["monotonic_ns"] = counter;
    check.follow(2, json, problems, warnings);
    CHECK(problems.size() == 1);
    CHECK(warnings.empty());
  }
  ClockCheck check;
  std::vector<CustodyProblem> problems;
  std::vector<CustodyProblem> warnings;
  Json json = whole;
  json["clock"] = "none";
  check.follow(1, json, problems, warnings);
  json["clock"] = Json::object();
  json["recorded_at"] = 7;
  check.follow(2, json, problems, warnings);
  CHECK(problems.size() == 1);
}

}  // namespace
}  // namespace impound::test
