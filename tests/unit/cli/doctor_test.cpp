// SPDX-License-Identifier: Apache-2.0
/// What a machine can do, as it is told of machines made for the purpose.

#include "core/cli/doctor.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound {
namespace {

class FixedClock final : public Clock {
 public:
  explicit FixedClock(std::string source) : source_(std::move(source)) {}
  [[nodiscard]] TimeNs now() const override { return 0; }
  [[nodiscard]] ClockState state() const override {
    ClockState state;
    state.source = source_;
    return state;
  }

 private:
  std::string source_;
};

/// A machine in a folder: /proc, /sys, /dev and a tool box.
class Machine {
 public:
  Machine() {
    write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
    write("proc/self/mountinfo", "");
    fs::create_directories(folder_.path() / "dev");
    fs::create_directories(folder_.path() / "bin");
  }

  void write(const std::string& name, const std::string& text) {
    const fs::path path = folder_.path() / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void tool(const std::string& name) {
    write("bin/" + name, "#!/bin/false\n");
    ::chmod((folder_.path() / "bin" / name).c_str(), 0755);
  }

  Json isolation = {{"filter", true},
                    {"no_capabilities", true},
                    {"no_groups", true},
                    {"empty_root", true},
                    {"namespaces", {"user", "net", "mnt", "pid"}}};
  std::string refusal;
  std::string clock = "ntp";
  bool has_examiner = true;

  [[nodiscard]] std::vector<Capability> examine() const {
    const FixedClock fixed(clock);
    return examine_machine({.procfs = ProcFs(folder_.path() / "proc"),
                            .root = folder_.path(),
                            .search_path = (folder_.path() / "bin").string(),
                            .clock = fixed,
                            .cases_folder = folder_.path() / "cases",
                            .isolation =
                                [this] {
                                  if (!refusal.empty())
                                    throw Error(Errc::unsupported, refusal);
                                  return isolation;
                                },
                            .has_examiner = [this] { return has_examiner; }});
  }

  [[nodiscard]] Capability of(const std::string& name) const {
    const auto all = examine();
    const auto found = std::ranges::find(all, name, &Capability::name);
    REQUIRE(found != all.end());
    return *found;
  }

 private:
  test::TempDir folder_;
};

TEST_CASE("What is missing for no act of the program counts for nothing") {
  const Machine bare;
  for (const char* name : {"nftables", "podman", "kubectl", "GPU"}) {
    CHECK(bare.of(name).ability == Ability::no);
    CHECK_FALSE(bare.of(name).is_missing());
  }
}

TEST_CASE("A program that is there is named by its path") {
  Machine machine;
  machine.tool("nft");
  const Capability nft = machine.of("nftables");
  CHECK(nft.ability == Ability::yes);
  CHECK(nft.measured.find("/bin/nft") != std::string::npos);
  // A file that cannot be run is no program.
  machine.write("bin/kubectl", "x");
  CHECK(machine.of("kubectl").ability == Ability::no);
}

TEST_CASE("What this process may not do is told capability by capability") {
  Machine machine;
  CHECK(machine.of("root").ability == Ability::yes);
  machine.write("proc/self/status", "CapEff:\t0000000000080020\n");
  const Capability some = machine.of("root");
  CHECK(some.ability == Ability::partly);
  CHECK(some.measured.find("CAP_SYS_ADMIN") != std::string::npos);
  CHECK(some.measured.find("CAP_SYS_PTRACE") == std::string::npos);
  machine.write("proc/self/status", "CapEff:\t0000000000000000\n");
  CHECK(machine.of("root").ability == Ability::no);
  CHECK(machine.of("root").is_missing());
}

TEST_CASE(
    "Capabilities that the kernel does not show are unknown, not absent") {
  Machine machine;
  machine.write("proc/self/status", "Name:\tx\n");
  CHECK(machine.of("root").ability == Ability::unknown);
  machine.write("proc/self/status", "CapEff:\tnonsense\n");
  CHECK(machine.of("root").ability == Ability::unknown);
}

TEST_CASE("What a playbook's process did not give up is named") {
  Machine machine;
  CHECK(machine.of("sandbox").ability == Ability::yes);
  machine.isolation["namespaces"] = Json::array();
  const Capability partly = machine.of("sandbox");
  CHECK(partly.ability == Ability::partly);
  CHECK(partly.measured.find("not the network, the other processes") !=
        std::string::npos);
  machine.refusal = "cannot confine the playbook process: seccomp";
  CHECK(machine.of("sandbox").ability == Ability::no);
  CHECK(machine.of("sandbox").measured.find("seccomp") != std::string::npos);
}

TEST_CASE("A clock is synchronised, not synchronised, or unknown") {
  Machine machine;
  CHECK(machine.of("clock").ability == Ability::yes);
  machine.clock = "unsynchronised";
  CHECK(machine.of("clock").ability == Ability::partly);
  machine.clock = "";
  CHECK(machine.of("clock").ability == Ability::unknown);
}

TEST_CASE("Without a freezer processes are stopped, and that is told") {
  const Machine machine;
  const Capability freezer = machine.of("freezer");
  CHECK(freezer.ability == Ability::partly);
  CHECK(freezer.measured.find("SIGSTOP") != std::string::npos);
}

TEST_CASE("Stock tools of an export are told by name where they are missing") {
  Machine machine;
  for (const char* tool : {"sqlite3", "zstd", "openssl", "tar", "sha256sum"}) {
    machine.tool(tool);
  }
  CHECK(machine.of("stock tools").ability == Ability::partly);
  CHECK(machine.of("stock tools").measured == "xxd not found ($PATH).");
  machine.tool("xxd");
  CHECK(machine.of("stock tools").ability == Ability::yes);
}

TEST_CASE("Devices of an accelerator are seen by their names") {
  Machine machine;
  machine.write("dev/nvidiactl", "");
  CHECK(machine.of("GPU").ability == Ability::no);
  machine.write("dev/nvidia0", "");
  CHECK(machine.of("GPU").ability == Ability::yes);
}

TEST_CASE("Nobody set up as examiner is missing for every record") {
  Machine machine;
  machine.has_examiner = false;
  CHECK(machine.of("examiner").is_missing());
}

}  // namespace
}  // namespace impound
