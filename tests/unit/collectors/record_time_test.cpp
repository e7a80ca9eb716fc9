// SPDX-License-Identifier: Apache-2.0
#include "collectors/record_time.hpp"

#include "tests/support/catch.hpp"

using namespace impound;

namespace {

/// 2026-01-02T03:04:05Z
constexpr TimeNs kTime = 1'767'323'045'000'000'000;

std::optional<TimeNs> time_of(std::string_view line,
                              std::string_view key = "") {
  return read_record_time(line, key).time;
}

}  // namespace

TEST_CASE("times are found where loggers put them") {
  CHECK(time_of(R"({"ts":"2026-01-02T03:04:05Z"})") == kTime);
  CHECK(time_of(R"({"a":1,"timestamp":"2026-01-02T04:04:05+01:00"})") == kTime);
  CHECK(time_of(R"({"time":1767323045})") == kTime);
  CHECK(time_of(R"({"created":1767323045})") == kTime);
  CHECK(time_of(R"({"startTime":"2026-01-02 03:04:05.000"})") == kTime);
  CHECK(time_of(R"({"time":1767323045000})") == kTime);
  CHECK(time_of(R"({"time":1767323045000000})") == kTime);
  CHECK(time_of(R"({"time":1767323045000000000})") == kTime);
  CHECK(time_of(R"({"ts":1767323045.5})") == kTime + 500'000'000);
  CHECK(time_of(R"({"response":{"body":{"created":1767323045}}})") == kTime);
  CHECK(time_of(R"({"resourceSpans":[{"scopeSpans":[{"spans":[
      {"startTimeUnixNano":"1767323045000000000"}]}]}]})") == kTime);
}

TEST_CASE("the better key wins wherever it stands") {
  CHECK(time_of(R"({"created":1,"response":{"body":{"created":9}},
                    "endTime":"2030-01-01","ts":1767323045})") == kTime);
}

TEST_CASE("a key that is given is the only one looked at") {
  CHECK(time_of(R"({"ts":"2030-01-01","meta":{"at":1767323045}})", "meta.at") ==
        kTime);
  CHECK_FALSE(time_of(R"({"ts":1767323045})", "meta.at"));
  CHECK(time_of(R"({"a.b":5,"a":{"b":1767323045}})", "a.b"));
}

TEST_CASE("what is no time is not taken for one") {
  CHECK_FALSE(time_of(R"({"time":0.35})"));  // a latency
  CHECK_FALSE(time_of(R"({"time":-1767323045})"));
  CHECK_FALSE(time_of(R"({"ts":"soon"})"));
  CHECK_FALSE(time_of(R"({"ts":1e300})"));
  CHECK_FALSE(time_of(R"({"ts":18446744073709551615})"));
  CHECK_FALSE(time_of(R"({"messages":[{"ts":1767323045}]})"));
  CHECK_FALSE(time_of("[1767323045]"));
}

TEST_CASE("lines that are no JSON are told apart and carry no time") {
  CHECK_FALSE(read_record_time(R"({"ts":1767323045,"x)", "").is_json);
  CHECK_FALSE(time_of(R"({"ts":1767323045,"x)"));
  CHECK_FALSE(read_record_time("INFO started", "").is_json);
  CHECK(read_record_time("{}", "").is_json);
  const std::string deep(100'000, '[');
  CHECK_FALSE(read_record_time(deep, "").is_json);
}

TEST_CASE("a missing zone is said") {
  CHECK(read_record_time(R"({"ts":"2026-01-02 03:04:05"})", "").zone_assumed);
  CHECK_FALSE(
      read_record_time(R"({"ts":"2026-01-02T03:04:05Z"})", "").zone_assumed);
}
