// SPDX-License-Identifier: Apache-2.0
#include "core/base/procfs.hpp"

#include <unistd.h>

#include <array>

#include "core/base/path_glob.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::TempDir;

TEST_CASE("a process may call itself what it likes") {
  const auto stat = parse_process_stat(
      "7 (a) R (b c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 12345 9 9");
  REQUIRE(stat);
  CHECK(stat->pid == 7);
  CHECK(stat->name == "a) R (b c");
  CHECK(stat->state == 'S');
  CHECK(stat->parent == 1);
  CHECK(stat->threads == 3);
  CHECK(stat->start_ticks == 12345);
  for (const std::string_view bad :
       {"", "7", "7 (x", "7 )x( S", "x (y) S 1 2", "7 (x) SS 1 1 1",
        "7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 huge"}) {
    CHECK_FALSE(parse_process_stat(bad));
  }
}

TEST_CASE("socket tables of the kernel are read") {
  const auto tcp = parse_inet_sockets(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
      "retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
      "00000000  1000        0 4242 1 0 100 0 0 10 0\n"
      "   1: 0100007F:1F90 0200000A:C350 01 00000000:00000000 00:00000000 "
      "00000000  1000        0 4243 1 0 100 0 0 10 0\n"
      "   2: 010000 garbage\n",
      "tcp");
  REQUIRE(tcp.size() == 2);
  CHECK(tcp[0].local == "127.0.0.1:8080");
  CHECK(tcp[0].state == "LISTEN");
  CHECK(tcp[0].inode == 4242);
  CHECK(tcp[0].uid == 1000);
  CHECK(tcp[1].remote == "10.0.0.2:50000");
  CHECK(tcp[1].state == "ESTABLISHED");
  const auto tcp6 = parse_inet_sockets(
      "0: 00000000000000000000000001000000:0050 "
      "00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 77 1",
      "tcp6");
  REQUIRE(tcp6.size() == 1);
  CHECK(tcp6[0].local == "[0:0:0:0:0:0:0:1]:80");
  const auto local = parse_unix_sockets(
      "Num RefCount Protocol Flags Type St Inode Path\n"
      "0: 00000002 00000000 00010000 0001 01 555 /run/with blank.sock\n"
      "0: 00000002 00000000 00000000 0002 01 556\n");
  REQUIRE(local.size() == 2);
  CHECK(local[0].local == "/run/with blank.sock");
  CHECK(local[1].local.empty());
}

TEST_CASE("the tree below a process is found, loops or not") {
  const TempDir proc;
  const auto add = [&](int pid, int parent) {
    proc.write(std::to_string(pid) + "/stat",
               std::to_string(pid) + " (x) S " + std::to_string(parent) +
                   " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " +
                   std::to_string(pid * 10) + " 0 0");
  };
  add(10, 1);
  add(11, 10);
  add(12, 11);
  add(13, 1);
  add(20, 21);  // a race can show two processes as each other's parents
  add(21, 20);
  const ProcFs procfs(proc.path());
  const auto pids = [](const std::vector<ProcessStat>& tree) {
    std::vector<Pid> found;
    for (const ProcessStat& one : tree) found.push_back(one.pid);
    return found;
  };
  CHECK(pids(procfs.tree(std::array{10})) == std::vector<Pid>{10, 11, 12});
  CHECK(pids(procfs.tree(std::array{20})) == std::vector<Pid>{20, 21});
  CHECK(procfs.tree(std::array{99}).empty());
  CHECK(procfs.is_same(11, 110));
  CHECK_FALSE(procfs.is_same(11, 111));
}

TEST_CASE("our own process is seen as it is") {
  const ProcFs procfs;
  const auto self = procfs.stat(::getpid());
  REQUIRE(self);
  CHECK(self->parent == ::getppid());
  const auto started = procfs.start_time(self->start_ticks);
  REQUIRE(started);
  const TimeNs age = SystemClock().now() - *started;
  CHECK(age > -2'000'000'000);
  CHECK(age < 3600LL * 1'000'000'000);
}

TEST_CASE("mounts of control groups are told apart") {
  const auto mounts = parse_cgroup_mounts(
      "30 24 0:26 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup "
      "rw,freezer\n"
      "31 24 0:27 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n"
      "32 24 8:1 / / rw - ext4 /dev/sda1 rw\n");
  REQUIRE(mounts.size() == 2);
  CHECK_FALSE(mounts[0].is_v2);
  CHECK(mounts[0].options == "rw,freezer");
  CHECK(mounts[1].is_v2);
  CHECK(mounts[1].path == "/sys/fs/cgroup/unified");
}

TEST_CASE("patterns find files, not folders, and never follow links") {
  const TempDir folder;
  folder.write("a/x.jsonl", "");
  folder.write("a/y.txt", "");
  folder.write("b/c/z.jsonl", "");
  folder.write("lit[1].jsonl", "");
  fs::create_directories(folder.path() / "a/dir.jsonl");
  fs::create_symlink(".", folder.path() / "loop");
  const std::string base = folder.path().native();
  const auto count = [&](const std::string& pattern) {
    return find_matches(base + pattern).paths.size();
  };
  CHECK(count("/a/*.jsonl") == 1);
  CHECK(count("/*/*.jsonl") == 1);
  CHECK(count("/**/*.jsonl") >= 2);
  CHECK(count("/{a,b/c}/*.jsonl") == 2);
  CHECK(count("/lit[1].jsonl") == 1);  // that very name
  CHECK(count("/a/x.jsonl") == 1);
  CHECK(count("/none/*") == 0);
  CHECK(count("/a/none") == 0);
}
