// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one way to a control plane: HTTP over TCP or a Unix socket, and lines
/// over either.
///
/// Every request goes through the table of what is never sent (forbidden.hpp),
/// has a time limit, and is written with its answer into Target::exchanges
/// before anybody judges it. An answer that came late, in part or not at all is
/// an error that says so: whether the other side did what it was told is then
/// not known, and the method's state() has to measure it.
///
/// TLS is verified, redirects are not followed, proxies of the environment are
/// ignored, an answer is at most limits::kMaxSmallFile. A token is read from
/// its file at each request, and neither it nor any other header is recorded.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "containment/forbidden.hpp"
#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/exchange.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// Where a control plane listens, and how it is spoken to.
struct ControlEndpoint {
  /// "http://127.0.0.1:8081". Over a Unix socket "http://localhost". Of lines:
  /// "host:port", or empty.
  std::string url;
  fs::path unix_socket = {};
  fs::path token_file = {};  ///< one line; empty: none is sent
  std::string token_header = "Authorization: Bearer ";  ///< before the token
  fs::path ca_file = {};  ///< a private authority, PEM
  int timeout_ms = 5000;

  /// "unix:/run/podman/podman.sock" or the URL: as records name it.
  [[nodiscard]] std::string name() const;
  /// All but the token itself, for `before`: undo() works from it alone.
  [[nodiscard]] Json to_json() const;
  /// @throws Error{malformed} naming `source`.
  [[nodiscard]] static ControlEndpoint from_json(const Json& json,
                                                 std::string_view source);
};

/// The parameters that every method over HTTP has: url, token_file, ca_file,
/// timeout_ms; of one that may be reached over a Unix socket: socket.
[[nodiscard]] Parameter url_parameter(std::string help);
[[nodiscard]] Parameter socket_parameter(std::string help,
                                         std::string otherwise);
[[nodiscard]] Parameter token_file_parameter();
[[nodiscard]] Parameter ca_file_parameter();
[[nodiscard]] Parameter timeout_parameter();
/// What these were given as.
[[nodiscard]] ControlEndpoint endpoint_from(const Arguments& arguments);

struct ControlRequest {
  std::string verb = "GET";
  std::string target;  ///< "/v2/repository/index": path with query
  std::string body = {};
  std::string content_type = "application/json";  ///< of a body
  std::vector<std::string> headers = {};          ///< never recorded

  /// As a dry run and the record show it: "POST /pause?mode=keep".
  [[nodiscard]] std::string line() const { return verb + " " + target; }
  /// `what` in words, for Containment::acts.
  [[nodiscard]] PlannedAct planned(const ControlEndpoint& endpoint,
                                   std::string what) const;
};

struct ControlAnswer {
  int status = 0;
  std::string body;

  [[nodiscard]] bool is_ok() const { return status >= 200 && status < 300; }
  /// "HTTP 404: no such container", one line.
  [[nodiscard]] std::string in_words() const;
};

/// Sends one request and returns the whole answer, whatever its status.
/// @throws Error{unsupported} for what is forbidden: nothing was sent;
///         Error{io} naming endpoint, request and reason where no whole answer
///         came in time; Error{bad_input} for a malformed URL or token.
[[nodiscard]] ControlAnswer ask(const ControlEndpoint& endpoint,
                                const ControlRequest& request,
                                const Target& target);

/// The same; @throws Error{io} as well unless the answer is a 2xx.
[[nodiscard]] ControlAnswer ask_ok(const ControlEndpoint& endpoint,
                                   const ControlRequest& request,
                                   const Target& target);

/// The same, with the JSON of the answer. @throws Error{malformed} if it is
/// none.
[[nodiscard]] Json ask_json(const ControlEndpoint& endpoint,
                            const ControlRequest& request,
                            const Target& target);

/// Sends one line of the HAProxy runtime protocol and returns all that comes
/// until the other side closes.
/// @throws as ask().
[[nodiscard]] std::string ask_line(const ControlEndpoint& endpoint,
                                   const std::string& line,
                                   const Target& target);

}  // namespace impound
