// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A network namespace of a test's own, joined to ours by a pair of cards, with
/// IPv4 and IPv6 at both ends.

#include <cstdint>
#include <memory>
#include <string>

#include "tests/real/control/part.hpp"

namespace impound::test {

class Network {
 public:
  /// Null, with "skipped: why", where namespaces cannot be made.
  [[nodiscard]] static std::unique_ptr<Network> make();
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] std::string path() const { return "/run/netns/" + name_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string inside() const { return net_ + ".2"; }
  [[nodiscard]] std::string outside() const { return net_ + ".1"; }
  /// A second address of ours: a responder's.
  [[nodiscard]] std::string responder() const { return net_ + ".9"; }
  [[nodiscard]] std::string inside_v6() const { return v6_ + "::2"; }
  [[nodiscard]] std::string outside_v6() const { return v6_ + "::1"; }

  /// model_server in the namespace; port 0: the kernel chooses.
  [[nodiscard]] std::unique_ptr<Part> start_model(const fs::path& folder,
                                                  const std::string& address,
                                                  std::uint16_t port);
  [[nodiscard]] std::uint16_t port_of(const fs::path& folder) const;
  /// A command in the namespace; its exit code.
  int run(const std::string& command) const;

 private:
  Network(std::string name, std::string net, std::string v6);
  std::string name_;
  std::string net_;
  std::string v6_;
};

/// A TCP connection from `from` (an address of ours, or empty) to a server.
/// -1 if it was refused.
[[nodiscard]] UniqueFd connect_from(const std::string& from,
                                    const std::string& to, std::uint16_t port,
                                    int timeout_ms = 1000);

/// Sends a request over it; true if the model's answer came back.
[[nodiscard]] bool is_answered_over(const UniqueFd& connection);

}  // namespace impound::test
