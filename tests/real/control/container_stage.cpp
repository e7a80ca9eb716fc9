// SPDX-License-Identifier: Apache-2.0
/// Podman with a container that serves a model, in a mount namespace, a storage
/// folder and a network of the test's own.

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/real/control/stages.hpp"

namespace impound::test {
namespace {

class ContainerStage final : public Stage {
 public:
  explicit ContainerStage(std::string program)
      : Stage("container"), program_(std::move(program)) {
    const int pid = ::getpid();
    static int made = 0;
    net_ = "10." + std::to_string(200 + pid % 50) + "." +
           std::to_string((pid / 50 + 7 * ++made) % 250 + 1);
    name_port(8080);
    fs::create_directories(temp.path() / "img");
    fs::copy_file(IMPOUND_MODEL_SERVER, temp.path() / "img/model_server");
    // Hybrid control groups are refused by crun, and raised limits by machines
    // like this one; both are avoided in a mount namespace of our own, in which
    // the engine must stay: the network namespaces it makes are mounts.
    std::ofstream(temp.path() / "engine.sh")
        << "umount /sys/fs/cgroup/unified 2>/dev/null\nD=" << folder()
        << "\nP=\"" << program_
        << " --root $D/root --runroot $D/runroot --storage-driver vfs "
           "--cgroup-manager=cgroupfs --network-config-dir $D/net --tmpdir "
           "$D/tmp --events-backend file\"\n"
        << "tar -C $D/img -c . | $P import - local/model:latest || exit 1\n"
        << "$P network create --subnet " << net_ << ".0/24 qnet || exit 1\n"
        << "$P run -d --name web --network qnet --ip " << net_
        << ".2 --ulimit nofile=20000:20000 --ulimit nproc=1000:1000 "
           "local/model:latest /model_server 0.0.0.0 8080 /ready || exit 1\n"
        << "exec $P system service -t 0 unix://$D/real.sock\n";
    engine_ = std::make_unique<Part>(
        std::vector<std::string>{"/usr/bin/unshare", "-m", "/bin/sh",
                                 (temp.path() / "engine.sh").native()},
        temp.path() / "engine.log");
    is_there_ = wait_until(
        [this] {
          return fs::exists(temp.path() / "real.sock") && is_answering();
        },
        60);
    if (!is_there_) {
      std::cout << "skipped: podman does not start a container:\n"
                << std::ifstream(temp.path() / "engine.log").rdbuf() << '\n';
      return;
    }
    faults_ = std::make_unique<FaultySocket>(temp.path() / "engine.sock",
                                             temp.path() / "real.sock");
    deployment.containments.front().settings = {
        {"socket", (temp.path() / "engine.sock").native()},
        {"containers", {"web"}},
        {"timeout_ms", 1500}};
    // An engine takes its time; late is later than that.
    faults_->late_ms(1800);
  }

  ~ContainerStage() override {
    faults_.reset();
    static_cast<void>(api("POST", "containers/web/unpause"));
    static_cast<void>(api("DELETE", "containers/web?force=true"));
    static_cast<void>(api("DELETE", "networks/qnet"));
  }

  [[nodiscard]] bool is_there() const { return is_there_; }

  std::string host() const override { return net_ + ".2"; }
  int timeout_ms() const override { return 300; }
  int client_threads() const override { return 128; }

  /// Somebody wakes it and starts it again.
  void restart() override {
    static_cast<void>(api("POST", "containers/web/unpause"));
    static_cast<void>(api("POST", "containers/web/restart?t=0"));
    static_cast<void>(wait_until([this] { return is_answering(); }));
  }

  std::vector<Refusal> refusals() override {
    return {
        {"refused: missing socket",
         [](Deployment& one) {
           one.containments.front().settings["socket"] = "/nowhere/x.sock";
         },
         "nothing was sent"},
        {"refused: wrong name",
         [](Deployment& one) {
           one.containments.front().settings["containers"] = {"nope"};
         },
         "has no container nope"},
        {"refused: wrong spelling",
         [](Deployment& one) {
           one.containments.front().settings["containers"] = {"web/../other"};
         },
         "expected a name or id"}};
  }

 private:
  [[nodiscard]] std::string folder() const { return temp.path().native(); }

  [[nodiscard]] int api(const std::string& verb,
                        const std::string& what) const {
    return std::system(("curl -s -m 20 --unix-socket " + folder() +
                        "/real.sock -X " + verb + " 'http://d/v1.40/" + what +
                        "' >/dev/null 2>&1")
                           .c_str());
  }

  std::string program_;
  std::string net_;
  std::unique_ptr<Part> engine_;
  bool is_there_ = false;
};

}  // namespace

std::unique_ptr<Stage> make_container_stage() {
  const auto program = installed("podman");
  if (!program || !installed("crun")) return nullptr;
  if (::geteuid() != 0) {
    std::cout << "skipped: a container engine needs root here\n";
    return nullptr;
  }
  auto stage = std::make_unique<ContainerStage>(*program);
  if (!stage->is_there()) return nullptr;
  return stage;
}

}  // namespace impound::test
