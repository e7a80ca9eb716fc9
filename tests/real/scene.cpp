// SPDX-License-Identifier: Apache-2.0
#include "tests/real/scene.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace impound::test {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> found;
  for (std::string& text : texts) found.push_back(text.data());
  found.push_back(nullptr);
  return found;
}

/// A frozen process dies only once it is thawed: a test that failed while its
/// server was contained would otherwise wait here for ever, and hide why.
void thaw(pid_t pid) {
  std::ifstream groups("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::string path = line.substr(line.rfind(':') + 1);
    for (const char* mount : {"/sys/fs/cgroup/freezer",
                              "/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      std::ofstream(mount + path + "/freezer.state") << "THAWED";
      std::ofstream(mount + path + "/cgroup.freeze") << "0";
    }
  }
}

}  // namespace

Scene::Scene(const std::vector<std::string>& options,
             const std::vector<std::string>& environment) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2 failed");
  const UniqueFd child_in(in[0]);
  input_ = UniqueFd(in[1]);
  const UniqueFd child_out(out[1]);
  const UniqueFd output(out[0]);

  std::vector<std::string> words{IMPOUND_SCENE_SERVER};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<std::string> values = environment;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, child_in.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, child_out.get(), 1);
  const int failure =
      ::posix_spawn(&pid_, IMPOUND_SCENE_SERVER, &actions, nullptr,
                    pointers(words).data(), pointers(values).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw std::runtime_error("cannot start scene_server");

  std::string line;
  char c = 0;
  while (::read(output.get(), &c, 1) == 1 && c != '\n') line += c;
  port_ = static_cast<std::uint16_t>(std::atoi(line.c_str()));
  if (port_ == 0) throw std::runtime_error("scene_server printed no port");
}

Scene::~Scene() { end(); }

void Scene::end() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);  // also a stopped or frozen one, once thawed
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    thaw(pid_);
    ::usleep(10'000);
  }
  pid_ = 0;
}

}  // namespace impound::test
