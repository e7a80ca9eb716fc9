// SPDX-License-Identifier: Apache-2.0
#include "containment/control_plane.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "containment/curl_handle.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// A token is one line.

constexpr std::int64_t kLongestMs = 600'000;

/// Of an answer, in a sentence for a person.
constexpr std::size_t kMostSaid = 300;

/// What arrived, bounded.
struct Received {
  std::string body;
  bool is_cut = false;
};

std::size_t keep(char* bytes, std::size_t size, std::size_t count, void* user) {
  Received& received = *static_cast<Received*>(user);
  const std::size_t arrived = size * count;
  if (received.body.size() + arrived > limits::kMaxSmallFile) {
    received.is_cut = true;
    return 0;  // ends the transfer
  }
  received.body.append(bytes, arrived);
  return arrived;
}

/// Writes an exchange into the log on every way out.
class Recorded {
 public:
  Recorded(const ControlEndpoint& endpoint, std::string request,
           std::string body, const Target& target)
      : target_(target), start_(SteadyClock::now()) {
    exchange.at = target.clock.now();
    exchange.peer = endpoint.name();
    exchange.request = std::move(request);
    exchange.body = std::move(body);
    exchange.end = ExchangeEnd::not_sent;
  }
  ~Recorded() {
    if (target_.exchanges == nullptr) return;
    exchange.elapsed_ms =
        std::chrono::duration<double, std::milli>(SteadyClock::now() - start_)
            .count();
    target_.exchanges->add(exchange);
  }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  [[noreturn]] void fail(Errc code, const std::string& problem) {
    exchange.problem = problem;
    throw Error(code, fmt::format("{}: {}: {}", printable(exchange.peer),
                                  printable(exchange.request), problem));
  }

  /// @throws Error{unsupported}.
  void require(const OutgoingRequest& request) {
    try {
      require_allowed(request, target_.may_destroy);
    } catch (const Error& error) {
      exchange.problem = error.what();
      throw;
    }
  }

  Exchange exchange;

 private:
  const Target& target_;
  SteadyClock::time_point start_;
};

/// Reads the token, and keeps it out of the record.
std::string token_of(const ControlEndpoint& endpoint, const Target& target) {
  std::string token = read_token(endpoint.token_file);
  if (target.exchanges != nullptr) target.exchanges->hide(token);
  return token;
}

void set_place(const Curl& curl, const ControlEndpoint& endpoint) {
  set(curl, CURLOPT_PROXY, "");  // none, whatever the environment says
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(endpoint.timeout_ms));
  if (!endpoint.unix_socket.empty()) {
    set(curl, CURLOPT_UNIX_SOCKET_PATH, endpoint.unix_socket.c_str());
  }
}

/// Nobody took the connection, so nothing can have been done.
bool is_before_sending(CURLcode code) {
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_PEER_FAILED_VERIFICATION ||
         code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CONNECT_ERROR;
}

std::string problem_of(const Curl& curl, CURLcode code, int timeout_ms) {
  long os_error = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_OS_ERRNO, &os_error);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return fmt::format(
        "no whole answer within {} ms: whether it was done is not known",
        timeout_ms);
  }
  std::string text = curl_easy_strerror(code);
  if (is_before_sending(code)) {
    if (os_error != 0) {
      text += fmt::format(
          " ({})", std::generic_category().message(static_cast<int>(os_error)));
    }
    return text + "; nothing was sent";
  }
  return text + ": whether it was done is not known";
}

Errc code_of(CURLcode code) {
  return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
                 code == CURLE_SSL_CACERT_BADFILE
             ? Errc::bad_input
             : Errc::io;
}

/// A host and port for lines, as a URL that only names the place to connect to.
std::string place_url(const ControlEndpoint& endpoint) {
  return endpoint.unix_socket.empty() ? "http://" + endpoint.url
                                      : std::string("http://localhost");
}

}  // namespace

std::string ControlEndpoint::name() const {
  return unix_socket.empty() ? url : "unix:" + unix_socket.native();
}

Json ControlEndpoint::to_json() const {
  return {{"url", lossless_utf8(url)},
          {"socket", lossless_utf8(unix_socket.native())},
          {"token_file", lossless_utf8(token_file.native())},
          {"token_header", token_header},
          {"ca_file", lossless_utf8(ca_file.native())},
          {"timeout_ms", timeout_ms}};
}

ControlEndpoint ControlEndpoint::from_json(const Json& json,
                                           std::string_view source) {
  const auto text = [&](std::string_view key) {
    return from_lossless_utf8(require_text(json, key, source));
  };
  ControlEndpoint endpoint;
  endpoint.url = text("url");
  endpoint.unix_socket = text("socket");
  endpoint.token_file = text("token_file");
  endpoint.token_header = text("token_header");
  endpoint.ca_file = text("ca_file");
  endpoint.timeout_ms = static_cast<int>(std::min<std::uint64_t>(
      require_u64(json, "timeout_ms", source), kLongestMs));
  return endpoint;
}

Parameter url_parameter(std::string help) {
  return {.name = "url",
          .type = ParameterType::text,
          .help = std::move(help),
          .is_required = true,
          .touches = Touches::nothing};
}

Parameter socket_parameter(std::string help, std::string otherwise) {
  return {.name = "socket",
          .type = ParameterType::path,
          .help = std::move(help),
          .is_required = otherwise.empty(),
          .otherwise = otherwise.empty() ? Json(nullptr) : Json(otherwise),
          .touches = Touches::path};
}

Parameter token_file_parameter() {
  return {.name = "token_file",
          .type = ParameterType::path,
          .help = "A file with the bearer token; never recorded.",
          .otherwise = "",
          .touches = Touches::path};
}

Parameter ca_file_parameter() {
  return {.name = "ca_file",
          .type = ParameterType::path,
          .help = "A private certificate authority, PEM.",
          .otherwise = "",
          .touches = Touches::path};
}

Parameter timeout_parameter() {
  return {.name = "timeout_ms",
          .type = ParameterType::integer,
          .help = "How long an answer is waited for, in milliseconds.",
          .otherwise = 5000,
          .least = 10,
          .most = kLongestMs,
          .touches = Touches::nothing};
}

ControlEndpoint endpoint_from(const Arguments& arguments) {
  ControlEndpoint endpoint;
  const auto has = [&](std::string_view name) { return arguments.has(name); };
  if (has("url")) endpoint.url = arguments.text("url").value_or("");
  if (has("socket")) {
    endpoint.unix_socket = arguments.path("socket").value_or(fs::path());
    if (endpoint.url.empty()) endpoint.url = "http://localhost";
  }
  if (has("token_file")) {
    endpoint.token_file = arguments.path("token_file").value_or(fs::path());
  }
  if (has("ca_file")) {
    endpoint.ca_file = arguments.path("ca_file").value_or(fs::path());
  }
  if (has("timeout_ms")) {
    endpoint.timeout_ms =
        static_cast<int>(arguments.integer("timeout_ms").value_or(5000));
  }
  while (endpoint.url.ends_with('/')) endpoint.url.pop_back();
  return endpoint;
}

PlannedAct ControlRequest::planned(const ControlEndpoint& endpoint,
                                   std::string what) const {
  return {.what = std::move(what),
          .peer = endpoint.name(),
          .request = line(),
          .body = body};
}

std::string ControlAnswer::in_words() const {
  const std::string said = printable(trim(body).substr(0, kMostSaid));
  return said.empty() ? fmt::format("HTTP {}", status)
                      : fmt::format("HTTP {}: {}", status, said);
}

ControlAnswer ask(const ControlEndpoint& endpoint,
                  const ControlRequest& request, const Target& target) {
  Recorded recorded(endpoint, request.line(), request.body, target);
  recorded.require({.protocol = ControlProtocol::http,
                    .verb = request.verb,
                    .what = request.target,
                    .body = request.body});
  CurlHeaders headers;
  add_header(headers, "Expect:");            // no pause before a body
  add_header(headers, "Connection: close");  // one connection a request
  if (!request.body.empty()) {
    add_header(headers, "Content-Type: " + request.content_type);
  }
  for (const std::string& one : request.headers) add_header(headers, one);
  if (!endpoint.token_file.empty()) {
    add_header(headers, endpoint.token_header + token_of(endpoint, target));
  }
  const Curl curl = open_curl();
  const std::string url = endpoint.url + request.target;
  Received received;
  set_place(curl, endpoint);
  set(curl, CURLOPT_URL, url.c_str());
  set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  set(curl, CURLOPT_FOLLOWLOCATION, 0L);
  set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!endpoint.ca_file.empty()) {
    set(curl, CURLOPT_CAINFO, endpoint.ca_file.c_str());
  }
  set(curl, CURLOPT_USERAGENT, "impound");
  set(curl, CURLOPT_FRESH_CONNECT, 1L);
  set(curl, CURLOPT_FORBID_REUSE, 1L);
  set(curl, CURLOPT_HTTPHEADER, headers.get());
  if (!request.body.empty() || request.verb == "POST" ||
      request.verb == "PUT" || request.verb == "PATCH") {
    set(curl, CURLOPT_POSTFIELDSIZE_LARGE,
        static_cast<curl_off_t>(request.body.size()));
    set(curl, CURLOPT_COPYPOSTFIELDS, request.body.c_str());
  }
  set(curl, CURLOPT_CUSTOMREQUEST, request.verb.c_str());
  set(curl, CURLOPT_WRITEFUNCTION, keep);
  set(curl, CURLOPT_WRITEDATA, &received);
  const CURLcode code = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  recorded.exchange.answer = received.body;
  if (status != 0) recorded.exchange.status = static_cast<int>(status);
  if (is_no_http(curl, code)) {
    recorded.exchange.end = ExchangeEnd::no_answer;
    recorded.fail(Errc::io,
                  "answered with what is no HTTP: whether it was done is not "
                  "known");
  }
  if (code != CURLE_OK) {
    recorded.exchange.end = is_before_sending(code) ? ExchangeEnd::not_sent
                                                    : ExchangeEnd::no_answer;
    recorded.fail(code_of(code),
                  received.is_cut
                      ? fmt::format("answered more than {}",
                                    human_bytes(limits::kMaxSmallFile))
                      : problem_of(curl, code, endpoint.timeout_ms));
  }
  recorded.exchange.end = ExchangeEnd::answered;
  return {.status = static_cast<int>(status), .body = std::move(received.body)};
}

ControlAnswer ask_ok(const ControlEndpoint& endpoint,
                     const ControlRequest& request, const Target& target) {
  ControlAnswer answer = ask(endpoint, request, target);
  if (!answer.is_ok()) {
    throw Error(Errc::io,
                fmt::format("{}: {}: expected success, found {}",
                            printable(endpoint.name()),
                            printable(request.line()), answer.in_words()));
  }
  return answer;
}

Json ask_json(const ControlEndpoint& endpoint, const ControlRequest& request,
              const Target& target) {
  const ControlAnswer answer = ask_ok(endpoint, request, target);
  return parse_json(answer.body, fmt::format("the answer of {} to {}",
                                             printable(endpoint.name()),
                                             printable(request.line())));
}

std::string ask_line(const ControlEndpoint& endpoint, const std::string& line,
                     const Target& target) {
  Recorded recorded(endpoint, line, "", target);
  recorded.require({.protocol = ControlProtocol::haproxy, .what = line});
  const auto deadline =
      SteadyClock::now() + std::chrono::milliseconds(endpoint.timeout_ms);
  const Curl curl = open_curl();
  const std::string url = place_url(endpoint);
  set_place(curl, endpoint);
  set(curl, CURLOPT_URL, url.c_str());
  set(curl, CURLOPT_CONNECT_ONLY, 1L);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    recorded.fail(code_of(code), problem_of(curl, code, endpoint.timeout_ms));
  }
  recorded.exchange.end = ExchangeEnd::no_answer;
  if (!send_all(curl, line + "\n", deadline)) {
    recorded.fail(Errc::io,
                  "connected, and the line could not be sent as a whole: "
                  "whether it was done is not known");
  }
  std::string& answer = recorded.exchange.answer;
  std::string block(16 * limits::kKiB, '\0');
  bool is_closed = false;
  while (!is_closed && answer.size() < limits::kMaxSmallFile) {
    std::size_t got = 0;
    const CURLcode arrived =
        curl_easy_recv(curl.get(), block.data(), block.size(), &got);
    if (arrived == CURLE_AGAIN) {
      if (!wait_for_socket(curl, POLLIN, deadline)) break;
      continue;
    }
    if (arrived != CURLE_OK) break;
    is_closed = got == 0;
    answer.append(block, 0, got);
  }
  if (!is_closed || answer.empty()) {
    recorded.fail(
        Errc::io,
        is_closed ? "closed without an answer: whether it was done is not known"
                  : fmt::format("no whole answer within {} ms: whether it was "
                                "done is not known",
                                endpoint.timeout_ms));
  }
  recorded.exchange.end = ExchangeEnd::answered;
  return answer;
}

}  // namespace impound
