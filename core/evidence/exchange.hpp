// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What was said to a control plane, and what it answered, for the record.
///
/// A containment acts through programs of others: a proxy's socket, an engine's
/// API, a server's management port. What they were told to do and what they
/// said is evidence of its own: two years on, "it was set to maintenance" is
/// worth what the bytes are worth that said so. So whoever asks writes each
/// exchange here before anybody judges it, an exchange that failed as well, and
/// the engine puts the log into the entry of the act.
///
/// Secrets never get in. Headers are not recorded at all; values that the
/// caller names, and what looks like a secret
/// (core/evidence/secret_search.hpp), are replaced before a byte is kept. A
/// digest over bytes that hold a secret would let it be tried out, so the
/// digest is then of the text as it is kept, and says so.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"

namespace impound {

/// How far an exchange got.
enum class ExchangeEnd : std::uint8_t {
  answered,   ///< a whole answer came; what it means the method says
  no_answer,  ///< none, a part of one, or too late: what it did is not known
  not_sent,   ///< no byte left: forbidden, or nobody took the connection
};

/// "answered", "no answer", "not sent".
[[nodiscard]] std::string_view to_string(ExchangeEnd end) noexcept;

struct Exchange {
  TimeNs at = 0;
  std::string peer;     ///< "unix:/run/haproxy/admin.sock", "http://[::1]:8081"
  std::string request;  ///< "POST /pause?mode=keep", or a line, or a command
  std::string body = {};
  ExchangeEnd end = ExchangeEnd::no_answer;
  std::optional<int> status = {};  ///< of HTTP, or the exit code of a program
  std::string answer = {};
  std::string problem = {};  ///< why there was none
  double elapsed_ms = 0;
};

/// The exchanges of one act, in their order.
class ExchangeLog {
 public:
  /// Bytes that must not be kept however they turn up: a token, a key.
  void hide(std::string secret);
  void add(const Exchange& exchange);

  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] std::size_t size() const { return list_.size() + omitted_; }
  /// [{"at","peer","request","body","end","status","answer","problem",
  /// "elapsed_ms"}], where body and answer are null or {"bytes","sha256",
  /// "sha256_of","text","is_cut","hidden"}. The last element says how many
  /// were not kept, if any were not.
  [[nodiscard]] Json to_json() const;

 private:
  Json kept(std::string_view bytes) const;
  std::string without_secrets(std::string_view text, std::size_t& hidden) const;

  std::vector<std::string> hidden_;
  Json list_ = Json::array();
  std::size_t omitted_ = 0;
};

}  // namespace impound
