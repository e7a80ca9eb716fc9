// SPDX-License-Identifier: Apache-2.0
#include "tests/real/control/network.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string_view>

namespace impound::test {
namespace {

int run_here(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str());
}

socklen_t address_from(const std::string& text, std::uint16_t port,
                       sockaddr_storage& place) {
  if (text.find(':') != std::string::npos) {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&place);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    ::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    return sizeof *v6;
  }
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&place);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(port);
  ::inet_pton(AF_INET, text.c_str(), &v4->sin_addr);
  return sizeof *v4;
}

}  // namespace

std::unique_ptr<Network> Network::make() {
  if (!installed("ip")) return nullptr;
  static int made = 0;
  ++made;
  // A process id is unique on the machine; 10.x.y.0/24 and fd00:… from it.
  const int pid = ::getpid();
  const std::string name =
      "imp" + std::to_string(pid) + "x" + std::to_string(made);
  const std::string net = "10." + std::to_string(64 + pid % 128) + "." +
                          std::to_string((pid / 128 + made * 16) % 250 + 1);
  char v6[32];
  std::snprintf(v6, sizeof v6, "fd00:%x:%x", pid & 0xFFFF, made);
  std::unique_ptr<Network> network(new Network(name, net, v6));
  const std::string a = "o" + std::to_string(pid) + "x" + std::to_string(made);
  const std::string b = "i" + std::to_string(pid) + "x" + std::to_string(made);
  const std::string in = "ip netns exec " + name + " ";
  for (const std::string& command :
       {"ip netns add " + name,
        "ip link add " + a + " type veth peer name " + b,
        "ip link set " + b + " netns " + name,
        "ip addr add " + network->outside() + "/24 dev " + a,
        "ip addr add " + network->responder() + "/24 dev " + a,
        "ip -6 addr add " + network->outside_v6() + "/64 dev " + a + " nodad",
        "ip link set " + a + " up", in + "ip link set lo up",
        in + "ip addr add " + network->inside() + "/24 dev " + b,
        in + "ip -6 addr add " + network->inside_v6() + "/64 dev " + b +
            " nodad",
        in + "ip link set " + b + " up"}) {
    if (run_here(command) != 0) {
      std::cout << "skipped: cannot make a network namespace: " << command
                << '\n';
      return nullptr;
    }
  }
  return network;
}

Network::Network(std::string name, std::string net, std::string v6)
    : name_(std::move(name)), net_(std::move(net)), v6_(std::move(v6)) {}

Network::~Network() { run_here("ip netns del " + name_); }

int Network::run(const std::string& command) const {
  return run_here("ip netns exec " + name_ + " " + command);
}

std::unique_ptr<Part> Network::start_model(const fs::path& folder,
                                           const std::string& address,
                                           std::uint16_t port) {
  const fs::path ready = folder / "model.ready";
  fs::remove(ready);
  auto part = std::make_unique<Part>(
      std::vector<std::string>{*installed("ip"), "netns", "exec", name_,
                               IMPOUND_MODEL_SERVER, address,
                               std::to_string(port), ready.native()},
      folder / "model.log");
  if (!wait_until([&] { return port_of(folder) != 0; })) {
    throw std::runtime_error("model_server does not start in " + name_);
  }
  return part;
}

std::uint16_t Network::port_of(const fs::path& folder) const {
  std::ifstream file(folder / "model.ready");
  std::string word;
  int port = 0;
  file >> word >> port;
  return static_cast<std::uint16_t>(port);
}

UniqueFd connect_from(const std::string& from, const std::string& to,
                      std::uint16_t port, int timeout_ms) {
  sockaddr_storage place{};
  const socklen_t size = address_from(to, port, place);
  UniqueFd fd(::socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval limit{};
  limit.tv_sec = timeout_ms / 1000;
  limit.tv_usec = (timeout_ms % 1000) * 1000;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (!from.empty()) {
    sockaddr_storage source{};
    const socklen_t source_size = address_from(from, 0, source);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&source), source_size) !=
        0) {
      return UniqueFd();
    }
  }
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&place), size) != 0) {
    return UniqueFd();
  }
  return fd;
}

bool is_answered_over(const UniqueFd& connection) {
  const std::string_view request = "GET / HTTP/1.1\r\nHost: model\r\n\r\n";
  if (::send(connection.get(), request.data(), request.size(), MSG_NOSIGNAL) <=
      0) {
    return false;
  }
  char block[4096];
  const ssize_t got = ::recv(connection.get(), block, sizeof block, 0);
  return got > 0 &&
         std::string_view(block, static_cast<std::size_t>(got)).find("toy") !=
             std::string_view::npos;
}

}  // namespace impound::test
