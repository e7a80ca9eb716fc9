// SPDX-License-Identifier: Apache-2.0
/// What CPython's unpicklers take and writers never write: numbers, lines and
/// frames. fuzz/pickle_against_cpython.py asks the unpicklers themselves.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/base/source.hpp"
#include "core/formats/pickle/pickle.hpp"
#include "core/formats/pickle/pickle_number.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

namespace {

PickleRun walk(const std::string& bytes) {
  const SpanSource source(as_bytes(bytes));
  PickleMachine machine(source, PickleOptions{});
  return machine.run(0);
}

bool imports(const PickleRun& run, const std::string& name) {
  return std::any_of(run.globals.begin(), run.globals.end(),
                     [&](const PickleGlobal& global) {
                       return global.module + "." + global.name == name;
                     });
}

bool has(const PickleRun& run, std::string_view rule) {
  return std::any_of(
      run.problems.begin(), run.problems.end(),
      [&](const Problem& problem) { return problem.rule == rule; });
}

std::string_view looks(const std::string& bytes, std::size_t shown = 65536) {
  const SpanSource source(as_bytes(bytes));
  return looks_like_pickle(
      source, as_bytes(bytes).first(std::min(shown, bytes.size())));
}

using NumberKind = PickleNumber::Kind;

}  // namespace

TEST_CASE("an INT is what strtol or int() takes") {
  const auto [line, value, is_disputed] =
      GENERATE(table<std::string, std::int64_t, bool>({
          {"5", 5, false},
          {"-5", -5, false},
          {"+5", 5, false},
          {" 5", 5, false},
          {"\v7", 7, false},
          {"0x10", 16, false},
          {"-0X1f", -31, false},
          {"0o17", 15, false},
          {"0b101", 5, false},
          {"1_0", 10, false},
          {"0x_ff", 255, false},
          {"0_0", 0, false},
          {"5 ", 5, false},
          {"010", 8, true},   // octal in C, an error in Python
          {"5\0"s, 5, true},  // C ends at the NUL
          {"5\0junk"s, 5, true},
          {"\0x"s, 0, true},
          {"9223372036854775807", INT64_MAX, false},
          {"-9223372036854775808", INT64_MIN, false},
      }));
  INFO(line);
  const PickleNumber number = read_pickle_number(pickle_op::kInt, line);
  CHECK(number.kind == NumberKind::integer);
  CHECK(number.integer == value);
  CHECK(number.is_disputed == is_disputed);
}

TEST_CASE("what neither loader takes is no INT") {
  const std::string line =
      GENERATE(as<std::string>{}, "", "-", "x", "1__0", "_1", "1_", "0x", "5 5",
               "08", "0b2", "1.5", "+ 5", "5L", "\x80");
  INFO(line);
  CHECK(read_pickle_number(pickle_op::kInt, line).kind == NumberKind::refused);
}

TEST_CASE("a LONG ends with one L at most and knows no C octals") {
  CHECK(read_pickle_number(pickle_op::kLong, "5L").integer == 5);
  CHECK(read_pickle_number(pickle_op::kLong, "0x1fL").integer == 31);
  CHECK(read_pickle_number(pickle_op::kLong, " 1_0 L").integer == 10);
  CHECK(read_pickle_number(pickle_op::kLong, "5\0L"s).integer == 5);
  CHECK(read_pickle_number(pickle_op::kLong, "18446744073709551616L").kind ==
        NumberKind::big_integer);
  for (const std::string_view line : {"5LL", "010L", "L", "", "5 L5"}) {
    INFO(line);
    CHECK(read_pickle_number(pickle_op::kLong, line).kind ==
          NumberKind::refused);
  }
}

TEST_CASE("a FLOAT is what strtod or float() takes") {
  const auto [line, value, is_disputed] =
      GENERATE(table<std::string, double, bool>({
          {"1.5", 1.5, false},
          {"+1.5", 1.5, false},
          {"-.5", -0.5, false},
          {"5.", 5, false},
          {"1E+3", 1000, false},
          {"1_0.5", 10.5, true},
          {" 1.5\t", 1.5, true},
          {"1.5\0junk"s, 1.5, true},
          {"inf", std::numeric_limits<double>::infinity(), false},
          {"-Infinity", -std::numeric_limits<double>::infinity(), false},
          {" infinity", std::numeric_limits<double>::infinity(), true},
          {"1e999", std::numeric_limits<double>::infinity(), true},
          {"1e-999", 0, false},
      }));
  INFO(line);
  const PickleNumber number = read_pickle_number(pickle_op::kFloat, line);
  CHECK(number.kind == NumberKind::real);
  CHECK(number.real == value);
  CHECK(number.is_disputed == is_disputed);
  for (const std::string_view other :
       {"", ".", "1e", "1__0", "1_.5", "0x1p3", "nan(1)", "in", "+ 1"}) {
    INFO(other);
    CHECK(read_pickle_number(pickle_op::kFloat, other).kind ==
          NumberKind::refused);
  }
}

TEST_CASE("a place in the memo is found under any spelling of its number") {
  const std::string spelling = GENERATE(as<std::string>{}, "5", "+5", " 5",
                                        "05", "0_5", "5 ", "\t5", "5\r");
  INFO(spelling);
  const PickleRun run =
      walk("Vos\np" + spelling + "\n0Vsystem\np6\n0g5\ng" + "6\n\x93."s);
  CHECK(run.has_stopped);
  CHECK(imports(run, "os.system"));
  const PickleRun far = walk(
      "Vos\np99999999999999999999999\n0g099999999999999999999999\nVsystem\n"
      "\x93."s);
  CHECK(far.has_stopped);
  CHECK(imports(far, "os.system"));
  CHECK(has(far, "pickle-loaders-differ"));
  CHECK_FALSE(walk("Vos\np-1\n.").has_stopped);
}

TEST_CASE("an import behind any number that a loader takes is seen") {
  const std::string number =
      GENERATE(as<std::string>{}, "I0x10", "I1_0", "I\v7", "I010", "L0x5L",
               "F+1.5", "F1_0.5", "F infinity", "F1e999");
  INFO(number);
  const std::string bytes = number + "\n0cos\nsystem\n.";
  const PickleRun run = walk(bytes);
  CHECK(run.has_stopped);
  CHECK(imports(run, "os.system"));
  CHECK_FALSE(looks(bytes).empty());
  const std::string with_nul = "I5\0\n0cos\nsystem\n."s;
  CHECK(imports(walk(with_nul), "os.system"));
  CHECK_FALSE(looks(with_nul).empty());
}

TEST_CASE("a line may be longer than any window") {
  for (const std::size_t size : {65537UL, 262144UL, 3000000UL}) {
    const std::string bytes =
        "V" + std::string(size, 'v') + "\n0cos\nsystem\n.";
    const PickleRun run = walk(bytes);
    CHECK(run.has_stopped);
    CHECK(imports(run, "os.system"));
    const std::string number =
        "I" + std::string(size, ' ') + "5\n0cos\nsystem\n.";
    CHECK(imports(walk(number), "os.system"));
  }
  CHECK(walk("S'" + std::string(300000, 's') + "'\n.").has_stopped);
}

TEST_CASE("an import beyond the head makes a pickle of protocol 0") {
  std::string items;
  for (int i = 0; i < 30000; ++i) items += "I1\n";
  const std::string bytes = "(" + items + "1cos\nsystem\n(tR.";
  CHECK_FALSE(looks(bytes).empty());
  const std::string line = "V" + std::string(70000, 'v') + "\ncos\nsystem\n.";
  CHECK_FALSE(looks(line).empty());
  // The second pickle of a stream counts as the first one does.
  CHECK_FALSE(looks("I1\n.I2\n.cos\nsystem\n(tR.").empty());
  CHECK(looks("(" + items + "garbage").empty());
  CHECK(looks("Vienna is a city.\nIt lies on the Danube.\n").empty());
}

TEST_CASE("Lib/pickle.py imports what a stream ends with") {
  const PickleRun run = walk("cevil\nnameX");
  CHECK(imports(run, "evil.name"));
  CHECK(run.is_cut_off);
  CHECK_FALSE(run.has_stopped);
  CHECK(imports(walk("cevilX"), "evil."));
}

TEST_CASE("BINSTRING has no sign in C") {
  const PickleRun run = walk("T\xff\xff\xff\xff.");
  CHECK(run.is_cut_off);
}

TEST_CASE("what a frame cuts in two is read behind the frame as well") {
  // CPython gh-154848: the length of BINBYTES is cut by a frame of two
  // bytes. As one stream it swallows the call; from a file the rest of the
  // frame is dropped, and the length is another one.
  const std::string call = "cos\nsystem\nVid\n\x85R(";
  const std::string bytes = "\x80\x05(\x95"s + little(2, 8) +
                            "B\x07\x01\0\0\0\0"s + call +
                            std::string(263 - 2 - call.size(), 'N') + "1N.";
  const PickleRun run = walk(bytes);
  CHECK(run.straddles_frame);
  CHECK_FALSE(imports(run, "os.system"));
  CHECK(has(run, "pickle-frame"));
  const SpanSource source(as_bytes(bytes));
  const PickleRun dropping = run_dropping_frames(source, PickleOptions{}, 0);
  REQUIRE(imports(dropping, "os.system"));
  CHECK(bytes.substr(dropping.globals[0].offset, 10) == "cos\nsystem");
  CHECK_FALSE(looks(bytes).empty());
}

TEST_CASE("a frame that is kept is walked once") {
  const std::string body = "\x8c\x02os\x94\x8c\x04path\x94\x93\x94.";
  const PickleRun run = walk("\x80\x04\x95"s + little(body.size(), 8) + body);
  CHECK(run.has_stopped);
  CHECK_FALSE(run.straddles_frame);
  CHECK(run.problems.empty());
}

TEST_CASE("STOP before the end of its frame is said") {
  CHECK(
      has(walk("\x80\x04\x95"s + little(9, 8) + "N.aaaaaaa"), "pickle-frame"));
}

TEST_CASE("a spliced source reads across its cuts") {
  const std::string nested = "\x80\x04\x95"s + little(3, 8) + "Nq\x95" +
                             little(40, 8) + "0cos\nsystem\n" +
                             std::string(40, 'N') + ".";
  const SpanSource source(as_bytes(nested));
  CHECK(run_dropping_frames(source, PickleOptions{}, 0).opcodes > 2);
}
