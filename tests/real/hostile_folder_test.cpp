// SPDX-License-Identifier: Apache-2.0
/// A model's folder that was made to break whoever collects it.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "collectors/registry.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::FixedClock;
using impound::test::MemorySink;
using impound::test::TempDir;

namespace {

void collect(const fs::path& folder, MemorySink& sink) {
  for (const Collector* const one : all_collectors()) {
    if (one->name != "model-files") continue;
    Deployment deployment;
    deployment.model_path = folder;
    const FixedClock clock;
    const Cancellation cancellation;
    one->collect({.deployment = deployment,
                  .clock = clock,
                  .cancellation = cancellation},
                 sink);
    return;
  }
  throw std::runtime_error("no collector is called model-files");
}

bool has_gap(const MemorySink& sink, std::string_view words) {
  return std::ranges::any_of(sink.gaps, [&](const auto& gap) {
    return (gap.subject + ": " + gap.reason).find(words) != std::string::npos;
  });
}

void write(const fs::path& path) { std::ofstream(path) << "x"; }

}  // namespace

TEST_CASE("names of any bytes are taken as they are") {
  const TempDir folder;
  const std::vector<std::string> names{
      "\xff\xfe not utf-8",  "a\nb", "quote\"and\\back",
      std::string(255, 'n'), "-rf",  "\x1b[2Jcleared",
      "..trailing",          " "};
  for (const std::string& name : names) write(folder.path() / name);
  MemorySink sink;
  collect(folder.path(), sink);
  CHECK(sink.gaps.empty());
  auto expected = names;
  for (std::string& name : expected) name = "model/" + name;
  std::ranges::sort(expected);
  CHECK(sink.file_names() == expected);
  for (const FileRequest& request : sink.files) {
    CHECK(is_safe_member_name(request.name));
  }
}

TEST_CASE("pipes, sockets and devices are never opened") {
  const TempDir folder;
  write(folder.path() / "model.bin");
  const fs::path pipe = folder.path() / "weights.pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const UniqueFd guard(listener);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (folder.path() / "s.sock").native();
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address),
                 sizeof address) == 0);
  fs::create_symlink("weights.pipe", folder.path() / "link-to-pipe");
  std::size_t expected = 3;
  if (::mknod((folder.path() / "null").c_str(), S_IFCHR | 0600,
              static_cast<dev_t>(0x103)) == 0) {
    ++expected;
  } else {
    WARN("skipped the device: making one needs root");
  }
  // A writer that could open the pipe would show that somebody reads it.
  MemorySink sink;
  collect(folder.path(), sink);
  CHECK(::open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC) < 0);
  CHECK(sink.file_names() == std::vector<std::string>{"model/model.bin"});
  CHECK(sink.gaps.size() == expected);
  CHECK(has_gap(sink, "weights.pipe: it is a fifo, which is never opened"));
  CHECK(has_gap(sink, "it is a socket"));
  CHECK(has_gap(sink, "link to"));
}

TEST_CASE("folders without end and links in circles come to an end") {
  const TempDir folder;
  fs::path deep = folder.path();
  for (int i = 0; i < limits::kMaxDirectoryDepth + 20; ++i) {
    deep /= "d";
    REQUIRE(::mkdir(deep.c_str(), 0700) == 0);
  }
  fs::create_directory_symlink("..", folder.path() / "d/up");
  fs::create_symlink("b", folder.path() / "a");
  fs::create_symlink("a", folder.path() / "b");
  MemorySink sink;
  collect(folder.path(), sink);
  CHECK(has_gap(sink, "deeper than"));
  CHECK(sink.files.empty());
  CHECK(std::ranges::count(sink.entries, "model/d/up") == 1);
  CHECK(std::ranges::count(sink.entries, "model/a") == 1);
}

TEST_CASE("a folder that may not be read is a gap, the rest is taken") {
  if (::geteuid() != 0) {
    WARN("skipped: becoming another user needs root");
    return;
  }
  const TempDir folder;
  fs::permissions(folder.path(), fs::perms{0755});
  write(folder.path() / "open.bin");
  REQUIRE(::mkdir((folder.path() / "shut").c_str(), 0700) == 0);
  write(folder.path() / "shut/secret.bin");
  // Root may read everything; a child that is nobody may not.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    MemorySink sink;
    collect(folder.path(), sink);
    const bool is_right =
        sink.file_names() == std::vector<std::string>{"model/open.bin"} &&
        sink.gaps.size() == 1 && sink.gaps[0].outcome == Outcome::denied &&
        has_gap(sink, "shut: cannot list the folder");
    ::_exit(is_right ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
