// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A running scene_server, ended with the test.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/base/procfs.hpp"

namespace impound::test {

class Scene {
 public:
  /// `environment`: "NAME=value" entries, nothing is inherited.
  explicit Scene(const std::vector<std::string>& options = {},
                 const std::vector<std::string>& environment = {});
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] Pid pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Ends it now and collects it.
  void end();

 private:
  Pid pid_ = 0;
  std::uint16_t port_ = 0;
  UniqueFd input_;  ///< closing it ends the server
};

}  // namespace impound::test
