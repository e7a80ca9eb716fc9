// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Reads a deployment descriptor, and checks everything it names before it is
/// needed.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/progress.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// Reads a descriptor, TOML with schema = 1. Relative paths are resolved
/// against its folder. Nothing it names is touched.
///
///     schema = 1
///     name = "chat-prod"
///     description = "The chat model behind the support desk"
///     [model]
///     path = "/srv/models/chat"          # folder, file or HF cache
///     baseline = "baselines/chat.json"   # optional
///     [[logs]]
///     path = "/var/log/gateway/*.jsonl"
///     format = "jsonl"                   # optional; else taken whole
///     timestamp = "response.created"     # optional, dotted path
///     rotated = true                     # optional; false: only what matches
///     [process]                          # exactly one of
///     port = 8080                        # pid, port, unit, pidfile
///     [containment]                      # or several [[containment]]: applied
///     method = "haproxy"                 # in this order, undone in reverse
///     [containment.haproxy]              # see impound contain --list
///     sockets = ["/run/haproxy/admin.sock"]
///     servers = ["models/gpu1"]
///     [[probe]]
///     name = "chat"
///     url = "http://127.0.0.1:8080/v1/models"   # or host and port: TCP
///     after = "forbidden"                # or "allowed"
///     # http: method, body, token_file, ca_file; tcp: send; both: expect,
///     # timeout_ms
///
/// @throws Error{io} if it cannot be read; Error{bad_input} naming file, line,
///         key and what was expected for a syntax error, an unknown key, a
///         missing key, a wrong type or value.
[[nodiscard]] Deployment load_deployment(const std::filesystem::path& path);

enum class CheckLevel : std::uint8_t {
  ok,
  warn,  ///< the deployment can be worked on; something will be missing
  fail,  ///< an act that the descriptor promises cannot be done
};

[[nodiscard]] std::string_view to_string(CheckLevel level) noexcept;

struct DeploymentCheck {
  std::string subject;  ///< "model", "logs /var/log/x", "process", "probe chat"
  CheckLevel level = CheckLevel::ok;
  std::string sentence;  ///< for a person, with a full stop
};

/// What check_deployment may use of the rooms that the engine does not know.
struct CheckTools {
  std::span<const Collector* const> collectors;
  std::span<const Containment* const> containments;
  ProbeFunction probe = nullptr;  ///< null: probes are not sent
  const Clock& clock;
  const Cancellation& cancellation;
  /// Where evidence would be written; empty: free space is not checked.
  std::filesystem::path evidence_folder = {};
};

/// Looks at every path, process, credential and probe of a descriptor. Changes
/// nothing; probes send what they would send. In the descriptor's order.
[[nodiscard]] std::vector<DeploymentCheck> check_deployment(
    const Deployment& deployment, const CheckTools& tools);

}  // namespace impound
