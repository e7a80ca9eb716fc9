// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A deployment as its descriptor states it: everything that a collector or a
/// containment may know about the outside world.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/evidence/parameter.hpp"

namespace impound {

/// How the serving process is found. Exactly one is set in a valid descriptor.
struct ProcessLocator {
  std::optional<std::int32_t> pid;
  std::optional<std::uint16_t> port;  ///< TCP port it listens on
  std::optional<std::string> unit;    ///< systemd unit or cgroup name
  std::optional<std::filesystem::path> pidfile;
};

enum class ProbeKind : std::uint8_t { http, tcp };

/// Something that answers while the model is served. After containment a
/// `forbidden` probe must not answer, an `allowed` one must.
enum class ProbeExpectation : std::uint8_t { forbidden, allowed };

struct Probe {
  std::string name;
  ProbeKind kind = ProbeKind::http;
  ProbeExpectation after_containment = ProbeExpectation::forbidden;
  std::string url;             ///< http: the URL
  std::string method = "GET";  ///< http
  std::string body;            ///< http, for POST
  std::string host;            ///< tcp
  std::uint16_t port = 0;      ///< tcp
  /// tcp: bytes sent once connected, and bytes that the answer must hold. With
  /// both empty a probe can only connect, and the kernel completes that for a
  /// frozen listener: see containment/README.md.
  std::string send;
  std::string expect;  ///< also http: text that the body must hold
  /// http: a file that holds a bearer token; read when the probe runs, never
  /// recorded.
  std::filesystem::path token_file;
  std::filesystem::path ca_file;  ///< https: a private authority, PEM
  int timeout_ms = 3000;
};

/// One place where prompt logs lie: a file or a glob (text.hpp, glob_match),
/// and what was rotated from it (log_set.hpp).
struct LogSource {
  std::string path;  ///< absolute, may hold wildcards
  std::string format = "jsonl";
  std::string timestamp_key = {};  ///< dotted path into a record; "" = search
  bool rotated = true;             ///< with .1, .2.gz, -20261127.zst …
};

/// One way in which the deployment is to be taken out of service, and what its
/// table of the descriptor says; which names there are the method declares.
struct ContainmentPart {
  std::string method;              ///< "haproxy"
  Json settings = Json::object();  ///< of [containment.haproxy], as given
};

/// A served model, read from a TOML file by engine/deployment.
struct Deployment {
  std::string name;
  std::string description;
  std::filesystem::path descriptor;  ///< the file, absolute
  std::string descriptor_sha256;
  std::filesystem::path model_path;     ///< folder, file or HF snapshot
  std::filesystem::path baseline_path;  ///< may be empty
  std::vector<LogSource> logs;
  ProcessLocator process;
  std::string containment_method;  ///< "process"; may be empty
  std::vector<Probe> probes;
  /// In the order in which they are applied; undone in reverse. Each method
  /// once. May be empty where containment_method names one without settings.
  std::vector<ContainmentPart> containments = {};

  /// The methods to apply: of `containments`, or containment_method alone.
  [[nodiscard]] std::vector<std::string> containment_methods() const;
  /// What the descriptor says to `method`; an empty object if nothing.
  [[nodiscard]] Json settings_of(std::string_view method) const;
};

/// What an act takes of a deployment by itself, without being told a name.
enum class DeploymentPart : std::uint8_t {
  model,
  baseline,
  logs,
  process,
  probes,
};

class ExchangeLog;

/// What one call of a collector or containment is about.
struct Target {
  const Deployment& deployment;
  /// Of this call; checked, and of the declared types.
  Arguments arguments = {};
  const Clock& clock;
  const Cancellation& cancellation;
  /// The case that acts: what is made on the machine bears its name, so that
  /// another case does not take it for its own. Empty outside a case.
  std::string case_id = {};
  /// Where a containment writes what it said to a control plane and what that
  /// answered (exchange.hpp); null where nobody keeps it.
  ExchangeLog* exchanges = nullptr;
  /// Leave was given to lose evidence: without it a request that destroys is
  /// never sent (containment/forbidden.hpp).
  bool may_destroy = false;
};

}  // namespace impound
