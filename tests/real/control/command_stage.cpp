// SPDX-License-Identifier: Apache-2.0
/// Programs of a descriptor that stop a served model and let it go on.

#include <unistd.h>

#include <fstream>

#include "tests/real/control/stages.hpp"

namespace impound::test {
namespace {

class CommandStage final : public Stage {
 public:
  explicit CommandStage(std::string python)
      : Stage("command"), python_(std::move(python)) {
    start();
    std::ofstream(temp.path() / "ctl.py") << R"py(import os, signal, sys
def pid(): return int(open(sys.argv[2]).read())
def stands(): return open("/proc/%d/stat" % pid()).read().rsplit(")", 1)[1].split()[0] == "T"
act = sys.argv[1]
if act == "before": print("stood" if stands() else "ran")
if act == "apply": os.kill(pid(), signal.SIGSTOP)
if act == "probe": sys.exit(0 if stands() else 1)
if act == "undo" and sys.stdin.read().strip() == "ran": os.kill(pid(), signal.SIGCONT)
)py";
    std::ofstream(temp.path() / "model.toml") << "# the descriptor\n";
    Json settings = Json::object();
    for (const std::string act : {"before", "apply", "probe", "undo"}) {
      settings[act] = {python_, (temp.path() / "ctl.py").native(), act,
                       (temp.path() / "model.pid").native()};
    }
    settings["keeps"] = {"weights", "kv", "inflight", "process"};
    deployment.containments.front().settings = settings;
  }

  int timeout_ms() const override { return 300; }
  int client_threads() const override { return 128; }
  bool counts_connections() const override { return false; }

  void restart() override {
    end_model();
    start();
  }

  std::vector<Refusal> refusals() override {
    return {{"refused: descriptor of another owner",
             [this](Deployment& one) {
               const fs::path theirs = temp.path() / "theirs.toml";
               std::ofstream(theirs) << "#\n";
               give_away(theirs);
               one.descriptor = theirs;
             },
             "is not trusted: user 65534 owns it"},
            {"refused: descriptor that others may write",
             [this](Deployment& one) {
               const fs::path open = temp.path() / "open.toml";
               std::ofstream(open) << "#\n";
               fs::permissions(open, fs::perms::others_write,
                               fs::perm_options::add);
               one.descriptor = open;
             },
             "others may write it"},
            {"refused: missing program",
             [](Deployment& one) {
               one.containments.front().settings["apply"] = {"/nowhere/ctl"};
             },
             "cannot look at the program /nowhere/ctl"},
            {"refused: no absolute path",
             [](Deployment& one) {
               one.containments.front().settings["apply"] = {"ctl", "apply"};
             },
             "expected a program by its absolute path"}};
  }

 private:
  static void give_away(const fs::path& path) {
    if (::chown(path.c_str(), 65534, 65534) != 0) {
      throw std::runtime_error("cannot give a file away");
    }
  }

  void start() {
    if (port_ == 0) {
      name_port(start_model());
    } else {
      start_model(port_);
    }
    std::ofstream(temp.path() / "model.pid") << model_->pid();
  }

  std::string python_;
};

}  // namespace

std::unique_ptr<Stage> make_command_stage() {
  const auto python = installed("python3");
  if (!python || ::geteuid() != 0) return nullptr;
  return std::make_unique<CommandStage>(*python);
}

}  // namespace impound::test
