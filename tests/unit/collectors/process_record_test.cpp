// SPDX-License-Identifier: Apache-2.0
#include "collectors/process_record.hpp"

#include "collectors/host_facts.hpp"
#include "collectors/registry.hpp"
#include "core/evidence/locate.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::TempDir;

TEST_CASE("collectors are listed in the order of volatility") {
  int last = 0;
  for (const Collector* const one : all_collectors()) {
    CHECK(one->volatility >= last);
    last = one->volatility;
    CHECK(one->summary.ends_with('.'));
    for (const Parameter& parameter : one->parameters) {
      CHECK(parameter.help.ends_with('.'));
    }
  }
  CHECK(all_collectors().size() == 4);
}

TEST_CASE("mapped files without a name are found in maps") {
  const auto found = find_deleted_mappings(
      "7f00-7f01 r-xp 00000000 08:01 42   /tmp/lib x.so (deleted)\n"
      "7f02-7f03 rw-s 00000000 00:01 43   /dev/zero (deleted)\n"
      "7f04-7f05 rw-s 00000000 00:01 44   /SYSV00000000 (deleted)\n"
      "7f06-7f07 r-xp 00000000 08:01 45   /usr/lib/libc.so.6\n"
      "7f08-7f09 rw-p 00000000 00:00 0\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].range == "7f00-7f01");
  CHECK(found[0].path == "/tmp/lib x.so (deleted)");
}

TEST_CASE("capability masks are spelt out") {
  CHECK(capability_names("0000000000000021") ==
        std::vector<std::string>{"CAP_CHOWN", "CAP_KILL"});
  CHECK(capability_names("8000000000000000") ==
        std::vector<std::string>{"CAP_63"});
  CHECK(capability_names("no mask").empty());
}

TEST_CASE("containers are known by the names of their control groups") {
  const std::string id(64, 'a');
  CHECK(container_id("/docker/" + id) == id);
  CHECK(container_id("/system.slice/docker-" + id + ".scope") == id);
  CHECK(container_id("/kubepods/pod1/cri-containerd-" + id + ".scope") == id);
  CHECK(container_id("/system.slice/ssh.service").empty());
  CHECK(container_id("").empty());
}

TEST_CASE("processes are located by port, unit and pidfile in a fake /proc") {
  const TempDir proc;
  const auto add = [&](int pid, int parent, const std::string& cgroup) {
    const std::string folder = std::to_string(pid);
    proc.write(folder + "/stat", folder + " (x) S " + std::to_string(parent) +
                                     " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " +
                                     "5 0 0");
    proc.write(folder + "/cgroup", "0::" + cgroup + "\n");
    fs::create_directories(proc.path() / folder / "fd");
  };
  add(1, 0, "/init.scope");
  add(10, 1, "/system.slice/vllm.service");
  add(11, 10, "/system.slice/vllm.service/worker");
  add(12, 1, "/system.slice/vllm.service.d");
  proc.write("net/tcp",
             "0: 00000000:1F90 00000000:0000 0A 0:0 00:0 0 0 0 4242 1\n");
  for (const char* const pid : {"1", "10", "11"}) {
    fs::create_symlink("socket:[4242]", proc.path() / pid / "fd" / "3");
  }
  const ProcFs procfs(proc.path());
  ProcessLocator locator;
  locator.port = std::uint16_t{8080};
  // Init holds the socket too; it does not serve.
  CHECK(locate_processes(locator, procfs).roots == std::vector<Pid>{10});
  locator.port = std::uint16_t{81};
  CHECK(locate_processes(locator, procfs).problem ==
        "nothing listens on TCP port 81");

  ProcessLocator unit;
  for (const char* const name :
       {"vllm", "vllm.service", "/system.slice/vllm.service"}) {
    unit.unit = name;
    CHECK(locate_processes(unit, procfs).roots == std::vector<Pid>{10});
  }
  unit.unit = "/";
  CHECK(locate_processes(unit, procfs).roots.empty());

  ProcessLocator pidfile;
  pidfile.pidfile = proc.write("x.pid", " 11\n");
  CHECK(locate_processes(pidfile, procfs).roots == std::vector<Pid>{11});
  pidfile.pidfile = proc.write("x.pid", "11; rm");
  CHECK(locate_processes(pidfile, procfs).problem.find("process number") !=
        std::string::npos);
  CHECK_FALSE(locate_processes({}, procfs).problem.empty());
}
