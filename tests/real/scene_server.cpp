// SPDX-License-Identifier: Apache-2.0
/// A small served "model" for tests: answers HTTP on a loopback port that the
/// kernel chose, which it prints. Options:
///   --children N     N processes below it that sleep
///   --deleted FILE   FILE is written, removed, and kept open
///   --map-deleted FILE  the same, but mapped and closed
///   --map FILE       FILE is mapped, privately and read-only, and closed
///   --map-write FILE  the same, and its first byte is changed in memory
///   --read FILE      FILE is read into memory, and closed
///   --storm          one child forks a short-lived child all the time
///   --greet          sends "hello\n" on connect, before any request
/// Ends when its standard input is closed, so that no test can leave it behind.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

/// A child ends with its parent.
void live_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

void start_sleeper(int listener) {
  if (::fork() != 0) return;
  live_with_parent();
  ::close(listener);
  while (true) ::pause();
}

void start_storm(int listener) {
  if (::fork() != 0) return;
  live_with_parent();
  ::close(listener);
  while (true) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::usleep(20'000);
      ::_exit(0);
    }
    ::usleep(2'000);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

void keep_deleted(const char* path, bool map) {
  const int fd = ::open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string_view text = "still here after unlink\n";
  if (fd < 0 || ::write(fd, text.data(), text.size()) < 0) std::exit(3);
  ::unlink(path);
  if (!map) return;
  if (::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED) {
    std::exit(3);
  }
  ::close(fd);
}

void map_file(const char* path, bool change) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (fd < 0 || ::fstat(fd, &facts) != 0) std::exit(3);
  void* const memory =
      ::mmap(nullptr, static_cast<std::size_t>(facts.st_size),
             change ? PROT_READ | PROT_WRITE : PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) std::exit(3);
  ::close(fd);
  if (change) *static_cast<volatile char*>(memory) = '!';
}

void read_file(const char* path) {
  static char content[1 << 20];
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::read(fd, content, sizeof content) <= 0) std::exit(3);
  ::close(fd);
}

void answer(int client, bool greet) {
  if (greet && ::write(client, "hello\n", 6) < 0) return;
  char request[4096];
  pollfd wait{client, POLLIN, 0};
  if (::poll(&wait, 1, 2000) > 0 &&
      ::read(client, request, sizeof request) > 0) {
    const std::string_view text =
        "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n"
        "{\"model\":\"toy\"}";
    if (::write(client, text.data(), text.size()) < 0) return;
  }
}

}  // namespace

int main(int count, char** options) {
  ::signal(SIGPIPE, SIG_IGN);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener, raw, size) != 0 || ::listen(listener, 16) != 0 ||
      ::getsockname(listener, raw, &size) != 0) {
    return 2;
  }
  bool greet = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view option = options[i];
    const char* const value = i + 1 < count ? options[i + 1] : "";
    if (option == "--children") {
      for (int n = std::atoi(value); n > 0; --n) start_sleeper(listener);
    } else if (option == "--deleted") {
      keep_deleted(value, false);
    } else if (option == "--map-deleted") {
      keep_deleted(value, true);
    } else if (option == "--map") {
      map_file(value, false);
    } else if (option == "--map-write") {
      map_file(value, true);
    } else if (option == "--read") {
      read_file(value);
    } else if (option == "--storm") {
      start_storm(listener);
    } else if (option == "--greet") {
      greet = true;
    }
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  while (true) {
    pollfd wait[2] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0) continue;
    if (wait[1].revents != 0) return 0;
    if ((wait[0].revents & POLLIN) == 0) continue;
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    answer(client, greet);
    ::close(client);
  }
}
