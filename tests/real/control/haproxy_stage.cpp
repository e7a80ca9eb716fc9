// SPDX-License-Identifier: Apache-2.0
/// HAProxy in front of a served model.

#include "tests/real/control/stages.hpp"

#include <fstream>

namespace impound::test {
namespace {

class HaproxyStage final : public Stage {
 public:
  explicit HaproxyStage(std::string program)
      : Stage("haproxy"), program_(std::move(program)) {
    const std::uint16_t behind = start_model();
    name_port(free_port());
    std::ofstream(temp.path() / "haproxy.cfg")
        << "global\n  stats socket " << socket("real.sock")
        << " level admin\n  stats socket " << socket("looks.sock")
        << " level user\ndefaults\n  mode http\n  timeout connect 2s\n"
           "  timeout client 60s\n  timeout server 60s\n"
           "frontend public\n  bind 127.0.0.1:"
        << port_ << "\n  default_backend models\nbackend models\n"
        << "  server gpu1 127.0.0.1:" << behind << "\n";
    start();
    faults_ = std::make_unique<FaultySocket>(socket("admin.sock"),
                                             socket("real.sock"));
    deployment.containments.front().settings = {
        {"sockets", {socket("admin.sock")}},
        {"servers", {"models/gpu1"}},
        {"timeout_ms", 700}};
  }

  void restart() override {
    proxy_.reset();
    start();
  }

  std::vector<Refusal> refusals() override {
    return {
        {"refused: missing socket",
         [](Deployment& one) {
           one.containments.front().settings["sockets"] = {"/nowhere/x.sock"};
         },
         "nothing was sent"},
        {"refused: permission",
         [this](Deployment& one) {
           one.containments.front().settings["sockets"] = {
               socket("looks.sock")};
         },
         "needs admin"},
        {"refused: wrong name",
         [](Deployment& one) {
           one.containments.front().settings["servers"] = {"models/gpu9"};
         },
         "has no server models/gpu9; there is: models/gpu1"},
        {"refused: wrong backend",
         [](Deployment& one) {
           one.containments.front().settings["servers"] = {"other/gpu1"};
         },
         "other"}};
  }

 private:
  [[nodiscard]] std::string socket(const std::string& name) const {
    return (temp.path() / name).native();
  }

  void start() {
    proxy_ = std::make_unique<Part>(
        std::vector<std::string>{program_, "-db", "-f",
                                 (temp.path() / "haproxy.cfg").native()},
        temp.path() / "haproxy.log");
    static_cast<void>(wait_until([this] { return is_answering(); }));
  }

  std::string program_;
  std::unique_ptr<Part> proxy_;
};

}  // namespace

std::unique_ptr<Stage> make_haproxy_stage() {
  const auto program = installed("haproxy");
  if (!program) return nullptr;
  return std::make_unique<HaproxyStage>(*program);
}

}  // namespace impound::test
