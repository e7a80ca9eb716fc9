// SPDX-License-Identifier: Apache-2.0
#include "tests/real/control/part.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>

extern char** environ;

namespace impound::test {
namespace {

using Steady = std::chrono::steady_clock;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> found;
  for (std::string& text : texts) found.push_back(text.data());
  found.push_back(nullptr);
  return found;
}

void limit_time(int fd, int timeout_ms) {
  timeval limit{};
  limit.tv_sec = timeout_ms / 1000;
  limit.tv_usec = (timeout_ms % 1000) * 1000;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

UniqueFd connect_to(const fs::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                sizeof address) != 0) {
    return UniqueFd();
  }
  return fd;
}

}  // namespace

Part::Part(const std::vector<std::string>& argv, const fs::path& log) {
  // Ends with the test, however that ends.
  std::vector<std::string> words{"/usr/bin/setpriv", "--pdeathsig", "KILL",
                                 "--"};
  words.insert(words.end(), argv.begin(), argv.end());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  const int failure =
      ::posix_spawn(&pid_, words.front().c_str(), &actions, &attributes,
                    pointers(words).data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failure != 0) throw std::runtime_error("cannot start " + argv.front());
}

Part::~Part() { end(); }

bool Part::is_running() {
  return pid_ != 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0;
}

void Part::end() {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), raw, size) != 0 ||
      ::getsockname(fd.get(), raw, &size) != 0) {
    throw std::runtime_error("no port is free");
  }
  return ntohs(address.sin_port);
}

std::optional<std::string> installed(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    const std::string path = folder + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  std::cout << "skipped: " << name << " is not installed\n";
  return std::nullopt;
}

bool wait_until(const std::function<bool()>& is_so, int seconds) {
  const auto end = Steady::now() + std::chrono::seconds(seconds);
  while (!is_so()) {
    if (Steady::now() > end) return false;
    ::usleep(20'000);
  }
  return true;
}

bool asks_and_is_answered(std::uint16_t port, const std::string& host,
                          int timeout_ms) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  limit_time(fd.get(), timeout_ms);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                sizeof address) != 0 ||
      !write_whole(fd.get(),
                   "GET / HTTP/1.1\r\nHost: model\r\nConnection: "
                   "close\r\n\r\n")) {
    return false;
  }
  std::string answer;
  char block[4096];
  while (true) {
    const ssize_t got = ::recv(fd.get(), block, sizeof block, 0);
    if (got <= 0) break;
    answer.append(block, static_cast<std::size_t>(got));
  }
  return answer.find("{\"model\":\"toy\"}") != std::string::npos;
}

AskingClient::AskingClient(std::uint16_t port, std::string host, int timeout_ms,
                           int threads)
    : port_(port), host_(std::move(host)), timeout_ms_(timeout_ms) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { ask_all_the_time(); });
  }
}

AskingClient::~AskingClient() { stop(); }

void AskingClient::ask_all_the_time() {
  while (!is_over_) {
    const bool was_said = is_said_;
    if (was_said) ++sent_;
    if (!asks_and_is_answered(port_, host_, timeout_ms_)) continue;
    // Whatever was sent before: no answer may come any more.
    ++(is_said_ ? after_ : before_);
  }
}

void AskingClient::send_further(std::uint64_t requests, int seconds) {
  static_cast<void>(wait_until([&] { return sent_ >= requests; }, seconds));
}

void AskingClient::stop() {
  is_over_ = true;
  for (std::thread& one : threads_) {
    if (one.joinable()) one.join();
  }
}

FaultySocket::FaultySocket(fs::path listen_on, fs::path upstream)
    : upstream_(std::move(upstream)),
      listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, listen_on.c_str(),
               sizeof address.sun_path - 1);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
             sizeof address) != 0 ||
      ::listen(listener_.get(), 64) != 0) {
    throw std::runtime_error("cannot listen on " + listen_on.native());
  }
  thread_ = std::thread([this] { serve(); });
}

FaultySocket::~FaultySocket() {
  is_over_ = true;
  thread_.join();
}

void FaultySocket::fail(Fault fault, std::size_t at, bool for_good) {
  count_ = 0;
  at_ = at;
  for_good_ = for_good;
  fault_ = fault;
}

void FaultySocket::serve() {
  while (!is_over_) {
    pollfd wait{listener_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 20) <= 0) continue;
    const UniqueFd client(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() < 0) continue;
    one(client.get());
  }
}

/// One connection at a time, as every method asks.
void FaultySocket::one(int client) {
  const std::size_t number = ++count_;
  const bool is_it = number == at_ || (for_good_ && number > at_);
  const Fault fault = is_it ? fault_.load() : Fault::none;
  const auto drain = [&](int milliseconds) {
    pollfd wait{client, POLLIN, 0};
    char block[4096];
    if (::poll(&wait, 1, milliseconds) > 0) {
      static_cast<void>(::recv(client, block, sizeof block, MSG_DONTWAIT));
    }
  };
  if (fault == Fault::kill_before) {
    drain(1000);
    ::kill(victim_, SIGKILL);
    return;
  }
  if (fault == Fault::dies_before || fault == Fault::never) {
    drain(1000);
    if (fault == Fault::never) ::usleep(static_cast<unsigned>(late_ms_) * 1000);
    return;
  }
  const UniqueFd upstream = connect_to(upstream_);
  if (upstream.get() < 0) return;
  std::string answer;
  char block[16'384];
  while (true) {
    pollfd wait[2] = {{upstream.get(), POLLIN, 0}, {client, POLLIN, 0}};
    if (::poll(wait, 2, 10'000) <= 0) break;
    if (wait[1].revents != 0) {
      const ssize_t got = ::recv(client, block, sizeof block, 0);
      if (got <= 0) break;
      if (!write_whole(upstream.get(),
                       std::string_view(block, static_cast<std::size_t>(got))))
        break;
    }
    if (wait[0].revents != 0) {
      const ssize_t got = ::recv(upstream.get(), block, sizeof block, 0);
      if (got <= 0) break;
      answer.append(block, static_cast<std::size_t>(got));
      if (fault == Fault::none &&
          !write_whole(client,
                       std::string_view(block, static_cast<std::size_t>(got))))
        break;
    }
  }
  switch (fault) {
    case Fault::kill_after:
      ::kill(victim_, SIGKILL);
      return;
    case Fault::late:
      ::usleep(static_cast<unsigned>(late_ms_) * 1000);
      static_cast<void>(write_whole(client, answer));
      return;
    case Fault::wrong:
      static_cast<void>(write_whole(client, "what do you mean?\n"));
      return;
    default:
      return;
  }
}

}  // namespace impound::test
