// SPDX-License-Identifier: Apache-2.0
#include "containment/probe.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "containment/curl_handle.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// A bearer token is one line.

/// What arrived, bounded.
struct Answer {
  std::string body;
  bool is_cut = false;     ///< more than kMaxProbeAnswer came
  bool has_begun = false;  ///< at least a status line
};

std::size_t keep_body(char* bytes, std::size_t size, std::size_t count,
                      void* user) {
  Answer& answer = *static_cast<Answer*>(user);
  const std::size_t arrived = size * count;
  const std::size_t room =
      static_cast<std::size_t>(limits::kMaxProbeAnswer) - answer.body.size();
  answer.body.append(bytes, std::min(arrived, room));
  if (arrived <= room) return arrived;
  answer.is_cut = true;
  return 0;  // ends the transfer
}

std::size_t note_header(char* bytes, std::size_t size, std::size_t count,
                        void* user) {
  const std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/")) static_cast<Answer*>(user)->has_begun = true;
  return size * count;
}

CurlHeaders headers_of(const Probe& probe) {
  CurlHeaders headers;
  const auto add = [&](const std::string& line) { add_header(headers, line); };
  if (probe.method == "POST") {
    add("Expect:");  // no pause before the body
    if (trim(probe.body).starts_with('{')) {
      add("Content-Type: application/json");
    }
  }
  if (!probe.token_file.empty()) {
    add("Authorization: Bearer " + read_token(probe.token_file));
  }
  return headers;
}

/// A gateway's word that nobody behind it answers.
bool is_gateway_failure(long status) {
  return status == 502 || status == 503 || status == 504;
}

void judge_http(const Probe& probe, CURLcode code, long status,
                const Answer& answer, bool is_other_protocol,
                ProbeResult& result) {
  const bool is_forbidden =
      probe.after_containment == ProbeExpectation::forbidden;
  const bool is_whole = code == CURLE_OK || answer.is_cut;
  const bool holds = probe.expect.empty() ||
                     answer.body.find(probe.expect) != std::string::npos;
  if (is_whole) {
    result.answered = holds && !is_gateway_failure(status);
    result.detail = fmt::format(
        "HTTP {}, {}{} bytes{}", status, answer.is_cut ? "more than " : "",
        answer.body.size(), holds ? "" : ", without the expected text");
    return;
  }
  // Part of an answer, or a certificate that we do not trust, is no service
  // that can be allowed; but silence it is not either.
  const bool is_someone = answer.has_begun ||
                          code == CURLE_PEER_FAILED_VERIFICATION ||
                          code == CURLE_GOT_NOTHING || is_other_protocol;
  result.answered = is_forbidden && is_someone;
  result.detail = curl_easy_strerror(code);
  if (answer.has_begun) {
    result.detail +=
        fmt::format(" after HTTP {} and {} bytes", status, answer.body.size());
  }
}

void run_http(const Probe& probe, ProbeResult& result) {
  const Curl curl = open_curl();
  const CurlHeaders headers = headers_of(probe);
  Answer answer;
  set(curl, CURLOPT_URL, probe.url.c_str());
  set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  set(curl, CURLOPT_PROXY, "");  // none, whatever the environment says
  set(curl, CURLOPT_FOLLOWLOCATION, 0L);
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(probe.timeout_ms));
  set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!probe.ca_file.empty()) {
    set(curl, CURLOPT_CAINFO, probe.ca_file.c_str());
  }
  set(curl, CURLOPT_USERAGENT, "impound");
  set(curl, CURLOPT_FRESH_CONNECT, 1L);
  set(curl, CURLOPT_FORBID_REUSE, 1L);
  if (headers) set(curl, CURLOPT_HTTPHEADER, headers.get());
  if (probe.method == "HEAD") set(curl, CURLOPT_NOBODY, 1L);
  if (probe.method == "POST") {
    set(curl, CURLOPT_POST, 1L);
    set(curl, CURLOPT_POSTFIELDSIZE_LARGE,
        static_cast<curl_off_t>(probe.body.size()));
    set(curl, CURLOPT_POSTFIELDS, probe.body.c_str());
  }
  set(curl, CURLOPT_WRITEFUNCTION, keep_body);
  set(curl, CURLOPT_WRITEDATA, &answer);
  set(curl, CURLOPT_HEADERFUNCTION, note_header);
  set(curl, CURLOPT_HEADERDATA, &answer);
  const CURLcode code = curl_easy_perform(curl.get());
  const bool is_other_protocol = is_no_http(curl, code);
  const bool is_our_mistake =
      code == CURLE_URL_MALFORMAT || code == CURLE_SSL_CACERT_BADFILE ||
      (code == CURLE_UNSUPPORTED_PROTOCOL && !is_other_protocol);
  if (is_our_mistake) {
    // Our own mistake must not be taken for silence.
    throw Error(Errc::bad_input,
                fmt::format("probe {}: {}: {}", printable(probe.name),
                            printable(probe.url), curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  judge_http(probe, code, status, answer, is_other_protocol, result);
}

/// Reads until the expected text has come, the peer closes, or time is up.
std::string receive(const Curl& curl, const std::string& expect,
                    SteadyClock::time_point deadline) {
  std::string answer;
  std::string block(16 * limits::kKiB, '\0');
  while (answer.size() < limits::kMaxProbeAnswer) {
    std::size_t got = 0;
    const CURLcode code =
        curl_easy_recv(curl.get(), block.data(), block.size(), &got);
    if (code == CURLE_AGAIN) {
      if (!wait_for_socket(curl, POLLIN, deadline)) break;
      continue;
    }
    if (code != CURLE_OK || got == 0) break;
    answer.append(block, 0, got);
    if (expect.empty() || answer.find(expect) != std::string::npos) break;
  }
  return answer;
}

void run_tcp(const Probe& probe, ProbeResult& result) {
  const auto deadline =
      SteadyClock::now() + std::chrono::milliseconds(probe.timeout_ms);
  const Curl curl = open_curl();
  const bool is_v6 = probe.host.find(':') != std::string::npos;
  const std::string url = fmt::format("http://{}{}{}:{}", is_v6 ? "[" : "",
                                      probe.host, is_v6 ? "]" : "", probe.port);
  set(curl, CURLOPT_URL, url.c_str());
  set(curl, CURLOPT_PROXY, "");
  set(curl, CURLOPT_CONNECT_ONLY, 1L);
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(probe.timeout_ms));
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_URL_MALFORMAT) {
    throw Error(Errc::bad_input,
                fmt::format("probe {}: {} is no host name",
                            printable(probe.name), printable(probe.host)));
  }
  if (code != CURLE_OK) {
    result.detail = curl_easy_strerror(code);
    return;
  }
  if (probe.send.empty() && probe.expect.empty()) {
    result.answered = true;
    result.connected_only = true;
    result.detail = "connected; nothing was sent";
    return;
  }
  if (!send_all(curl, probe.send, deadline)) {
    result.detail = "connected, but nothing could be sent";
    return;
  }
  const std::string answer = receive(curl, probe.expect, deadline);
  const bool holds = answer.find(probe.expect) != std::string::npos;
  result.answered = !answer.empty() && holds;
  result.detail = answer.empty()
                      ? std::string("connected, but no byte came back")
                      : fmt::format("{} bytes came back{}", answer.size(),
                                    holds ? "" : ", not the expected ones");
}

}  // namespace

ProbeResult run_probe(const Probe& probe) {
  ProbeResult result;
  result.name = probe.name;
  const auto start = SteadyClock::now();
  if (probe.kind == ProbeKind::http) {
    result.what = probe.method + " " + probe.url;
    run_http(probe, result);
  } else {
    result.what = fmt::format("TCP {}:{}", probe.host, probe.port);
    run_tcp(probe, result);
  }
  result.elapsed_ms =
      std::chrono::duration<double, std::milli>(SteadyClock::now() - start)
          .count();
  return result;
}

}  // namespace impound
