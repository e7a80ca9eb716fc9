// SPDX-License-Identifier: Apache-2.0
#pragma once
/// libcurl as this room uses it: checked options, deadlines, raw bytes over TCP
/// or a Unix socket.

#include <curl/curl.h>

#include <chrono>
#include <string>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/handle.hpp"

namespace impound {

using Curl = Handle<CURL, curl_easy_cleanup>;
using CurlHeaders = Handle<curl_slist, curl_slist_free_all>;
using SteadyClock = std::chrono::steady_clock;

/// @throws Error{io}.
[[nodiscard]] Curl open_curl();

/// @throws Error{io} if libcurl knows no such option.
template <typename Value>
void set(const Curl& curl, CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(curl.get(), option, value);
  if (result != CURLE_OK) {
    throw Error(Errc::io, std::string("libcurl refused an option: ") +
                              curl_easy_strerror(result));
  }
}

/// @throws Error{io} if there is no memory.
void add_header(CurlHeaders& headers, const std::string& line);

/// The token in a file: its one line.
/// @throws Error{io}, or Error{bad_input} if it is empty or of several lines.
[[nodiscard]] std::string read_token(const fs::path& file);

/// Somebody took the connection and spoke something else: libcurl calls that an
/// unsupported protocol, as it calls a URL of ours that it does not know.
[[nodiscard]] bool is_no_http(const Curl& curl, CURLcode code);

/// Waits for the connection to be readable or writable until `deadline`; of a
/// handle with CURLOPT_CONNECT_ONLY.
[[nodiscard]] bool wait_for_socket(const Curl& curl, short events,
                                   SteadyClock::time_point deadline);

/// Whether all of it was sent in time.
[[nodiscard]] bool send_all(const Curl& curl, std::string_view text,
                            SteadyClock::time_point deadline);

}  // namespace impound
