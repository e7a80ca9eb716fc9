// SPDX-License-Identifier: Apache-2.0
/// A served "model" for containment tests: answers any request with
/// {"model":"toy"} and keeps the connection; a request for /stream is answered
/// with a line each 20 ms until the connection breaks, as a long generation is.
///
///     model_server ADDRESS PORT FILE    port 0: the kernel chooses
///
/// Writes "ready PORT" as one line to FILE once it listens. A thread for each
/// connection.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace {

bool send_text(int client, std::string_view text) {
  return ::send(client, text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

void serve(int client) {
  std::string request;
  char block[4096];
  while (true) {
    const ssize_t got = ::recv(client, block, sizeof block, 0);
    if (got <= 0) break;
    request.append(block, static_cast<std::size_t>(got));
    if (request.find("\r\n\r\n") == std::string::npos) continue;
    const bool is_stream = request.find(" /stream") != std::string::npos;
    const bool is_last = request.find("Connection: close") != std::string::npos;
    request.clear();
    if (is_stream) {
      if (!send_text(client, "HTTP/1.1 200 OK\r\n\r\n")) break;
      while (send_text(client, "token\n")) ::usleep(20'000);
      break;
    }
    if (!send_text(client,
                   "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
                   "{\"model\":\"toy\"}") ||
        is_last) {
      break;
    }
  }
  ::close(client);
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view host = words[1];
  const bool is_v6 = host.find(':') != std::string_view::npos;
  const int listener =
      ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_storage place{};
  socklen_t size = is_v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  const auto port = htons(static_cast<std::uint16_t>(std::atoi(words[2])));
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&place);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&place);
  if (is_v6) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    ::inet_pton(AF_INET6, words[1], &v6->sin6_addr);
  } else {
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    ::inet_pton(AF_INET, words[1], &v4->sin_addr);
  }
  auto* const raw = reinterpret_cast<sockaddr*>(&place);
  if (::bind(listener, raw, size) != 0 || ::listen(listener, 256) != 0 ||
      ::getsockname(listener, raw, &size) != 0) {
    std::perror("model_server");
    return 1;
  }
  if (std::FILE* file = std::fopen(words[3], "w")) {
    std::fprintf(file, "ready %d\n",
                 ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
    std::fclose(file);
  }
  while (true) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) std::thread(serve, client).detach();
  }
}
