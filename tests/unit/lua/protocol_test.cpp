// SPDX-License-Identifier: Apache-2.0
/// The parent believes nothing that its child says.

#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "lua/host/channel.hpp"
#include "lua/host/child_message.hpp"
#include "lua/host/child_process.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

struct Pair {
  Pair() {
    std::array<int, 2> both{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()) == 0);
    ours = UniqueFd(both[0]);
    theirs = UniqueFd(both[1]);
  }
  void say(std::string_view bytes) const {
    REQUIRE(::send(theirs.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  }
  UniqueFd ours;
  UniqueFd theirs;
};

WaitBudget short_wait() { return {std::chrono::milliseconds(50), nullptr}; }

TEST_CASE("a message goes through whole", "[lua][protocol]") {
  const Pair pair;
  WaitBudget budget = short_wait();
  const Json message{{"t", "call"}, {"text", "a\nb"}};
  REQUIRE(send_message(pair.theirs.get(), message, 100, budget) ==
          ChannelState::ok);
  std::string text;
  REQUIRE(receive_message(pair.ours.get(), text, 100, budget) ==
          ChannelState::ok);
  CHECK(parse_json(text, "test") == message);
  CHECK_THROWS_AS(send_message(pair.theirs.get(), message, 10, budget), Error);
}

TEST_CASE("a length is judged before anything is allocated",
          "[lua][protocol]") {
  const Pair pair;
  pair.say("\xff\xff\xff\xff");
  WaitBudget budget = short_wait();
  std::string text;
  CHECK_THROWS_WITH(receive_message(pair.ours.get(), text, 1000, budget),
                    Catch::Contains("message of 4294967295 bytes"));
  CHECK(text.capacity() < 1000);
}

TEST_CASE("half a message is waited for, but not for ever", "[lua][protocol]") {
  Pair pair;
  pair.say(std::string_view("\x05\x00\x00\x00{\"", 6));
  std::string text;
  WaitBudget budget = short_wait();
  CHECK(receive_message(pair.ours.get(), text, 1000, budget) ==
        ChannelState::too_late);
  pair.theirs.reset();
  WaitBudget again = short_wait();
  CHECK(receive_message(pair.ours.get(), text, 1000, again) ==
        ChannelState::closed);
}

TEST_CASE("a reader that does not read cannot hold the parent",
          "[lua][protocol]") {
  const Pair pair;
  WaitBudget budget = short_wait();
  const Json big{{"text", std::string(8 << 20, 'x')}};
  CHECK(send_message(pair.ours.get(), big, 16 << 20, budget) ==
        ChannelState::too_late);
}

TEST_CASE("messages of another shape are refused", "[lua][protocol]") {
  for (
      const char* text :
      {"", "[]", "{", "{}", R"({"t":1})", R"({"t":"other"})", R"({"t":"call"})",
       R"({"t":"call","function":"note","arguments":[],"at":""})",
       R"({"t":"call","function":"note","arguments":{},"at":7})",
       R"({"t":"loaded","declared":{},"line":-1,"names":[],"globals":[]})",
       R"({"t":"loaded","declared":{},"line":99999999999,"names":[],"globals":[]})",
       R"({"t":"loaded","declared":{},"line":1,"names":[1],"globals":[]})",
       R"({"t":"failed"})", R"({"t":"step_ended","ran":1})",
       R"({"t":"step_ended","ran":true,"failure":[]})"}) {
    INFO(text);
    CHECK_THROWS_AS(decode_child_message(text), Error);
  }
  const std::string long_name(300, 'x');
  CHECK_THROWS_AS(
      decode_child_message(R"({"t":"call","function":")" + long_name +
                           R"(","arguments":{},"at":""})"),
      Error);
}

TEST_CASE("a program that is no child is reported", "[lua][protocol]") {
  const test::ScratchPlaybook scratch;
  scratch.write("playbook.lua", "return 1\n");
  ChildOptions options;
  options.program = "/bin/true";
  const LoadResult result = read_playbook(scratch.folder(), options);
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].message ==
        "the playbook process ended by itself with status 0");
  options.program = "/nonexistent";
  CHECK_THROWS_WITH(read_playbook(scratch.folder(), options),
                    Catch::Contains("cannot start the playbook process: "
                                    "/nonexistent: No such file"));
}

}  // namespace
}  // namespace impound::lua
