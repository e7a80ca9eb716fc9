// SPDX-License-Identifier: Apache-2.0
#include "containment/curl_handle.hpp"

#include <fmt/format.h>
#include <poll.h>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {

std::string read_token(const fs::path& file) {
  constexpr std::uint64_t kMaxToken = 64 * limits::kKiB;
  const std::string text = read_text_file(file, kMaxToken);
  std::string token(trim(text));
  if (token.empty() || token.find_first_of("\r\n") != token.npos) {
    throw Error(Errc::bad_input,
                fmt::format("{}: expected one line with a token",
                            printable(file.native())));
  }
  return token;
}

Curl open_curl() {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  Curl curl(kReady == CURLE_OK ? curl_easy_init() : nullptr);
  if (!curl) throw Error(Errc::io, "libcurl cannot be initialised");
  return curl;
}

void add_header(CurlHeaders& headers, const std::string& line) {
  curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
  if (longer == nullptr) throw Error(Errc::io, "libcurl is out of memory");
  static_cast<void>(headers.release());
  headers.reset(longer);
}

bool is_no_http(const Curl& curl, CURLcode code) {
  if (code == CURLE_WEIRD_SERVER_REPLY) return true;
  if (code != CURLE_UNSUPPORTED_PROTOCOL) return false;
  long connections = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_NUM_CONNECTS, &connections);
  return connections > 0;
}

bool wait_for_socket(const Curl& curl, short events,
                     SteadyClock::time_point deadline) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl_easy_getinfo(curl.get(), CURLINFO_ACTIVESOCKET, &socket);
  if (socket == CURL_SOCKET_BAD) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - SteadyClock::now());
  if (left.count() <= 0) return false;
  pollfd wait{socket, events, 0};
  return ::poll(&wait, 1, static_cast<int>(left.count())) > 0;
}

bool send_all(const Curl& curl, std::string_view text,
              SteadyClock::time_point deadline) {
  while (!text.empty()) {
    std::size_t sent = 0;
    const CURLcode code =
        curl_easy_send(curl.get(), text.data(), text.size(), &sent);
    if (code == CURLE_AGAIN) {
      if (!wait_for_socket(curl, POLLOUT, deadline)) return false;
      continue;
    }
    if (code != CURLE_OK) return false;
    text.remove_prefix(sent);
  }
  return true;
}

}  // namespace impound
