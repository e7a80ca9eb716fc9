// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The requests that a containment never sends, as one table.
///
/// The control plane that takes a model out of service is the same that erases
/// it: one more word in a body overwrites the weights in GPU memory, drops the
/// cache that holds the prompts, deletes the files. Nobody reads each method
/// for that in an incident. So every request passes through this table on its
/// way out (control_plane.hpp, program.hpp have no other door), and a test
/// sends every row and looks for its words in the sources of all methods.
///
/// What is only destructive, and may be wanted once all was collected, needs
/// Target::may_destroy: leave that two others gave (--destroys-evidence).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace impound {

enum class ControlProtocol : std::uint8_t {
  http,     ///< whatever speaks it: model servers, engines, orchestrators
  haproxy,  ///< lines of the runtime socket
  program,  ///< a command: nft, nginx, systemctl, kubectl
};

enum class RequestHarm : std::uint8_t {
  forbidden,  ///< never, whoever asks
  destroys,   ///< only where Target::may_destroy
};

/// When a row holds, beyond verb and path.
enum class RowHolds : std::uint8_t {
  always,
  if_said,      ///< the query or body says key = value
  unless_said,  ///< it does not say key = value: the default destroys
};

struct ForbiddenRow {
  ControlProtocol protocol = ControlProtocol::http;
  std::string_view verb = {};  ///< "DELETE"; "" = any
  /// Of a path: a glob over it in lower case, without query. Of a line or
  /// command: words that it begins with, or that follow each other in it.
  std::string_view what = {};
  RowHolds holds = RowHolds::always;
  std::string_view key = {};
  std::string_view value = {};
  RequestHarm harm = RequestHarm::forbidden;
  std::string_view why = {};
  std::string_view example = {};  ///< "POST /sleep?level=1", then LF and a body
};

[[nodiscard]] std::span<const ForbiddenRow> forbidden_rows();

/// One request on its way out.
struct OutgoingRequest {
  ControlProtocol protocol = ControlProtocol::http;
  std::string_view verb = {};
  std::string_view what = {};  ///< path with query, line or command
  std::string_view body = {};
};

/// The row that it meets; null where none does. Case, repeated slashes, "."
/// segments, percent-encoding and the depth of a key in a body make no
/// difference.
[[nodiscard]] const ForbiddenRow* find_forbidden(
    const OutgoingRequest& request);

/// @throws Error{unsupported} naming request and reason, if it must not be
///         sent.
void require_allowed(const OutgoingRequest& request, bool may_destroy);

}  // namespace impound
