// SPDX-License-Identifier: Apache-2.0
#include "core/engine/deployment_record.hpp"

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

Json probe_to_json(const Probe& probe) {
  Json json;
  json["name"] = probe.name;
  json["kind"] = probe.kind == ProbeKind::http ? "http" : "tcp";
  json["after_containment"] =
      probe.after_containment == ProbeExpectation::forbidden ? "forbidden"
                                                             : "allowed";
  json["url"] = probe.url;
  json["method"] = probe.method;
  json["body"] = lossless_utf8(probe.body);
  json["host"] = probe.host;
  json["port"] = probe.port;
  json["send"] = lossless_utf8(probe.send);
  json["expect"] = lossless_utf8(probe.expect);
  json["token_file"] = lossless_utf8(probe.token_file.native());
  json["ca_file"] = lossless_utf8(probe.ca_file.native());
  json["timeout_ms"] = probe.timeout_ms;
  return json;
}

Probe probe_from_json(const Json& json, std::string_view source) {
  Probe probe;
  probe.name = require_text(json, "name", source);
  probe.kind = require_text(json, "kind", source) == "tcp" ? ProbeKind::tcp
                                                           : ProbeKind::http;
  probe.after_containment =
      require_text(json, "after_containment", source) == "allowed"
          ? ProbeExpectation::allowed
          : ProbeExpectation::forbidden;
  probe.url = require_text(json, "url", source);
  probe.method = require_text(json, "method", source);
  probe.body = from_lossless_utf8(require_text(json, "body", source));
  probe.host = require_text(json, "host", source);
  probe.port = narrow<std::uint16_t>(require_u64(json, "port", source));
  probe.send = from_lossless_utf8(require_text(json, "send", source));
  probe.expect = from_lossless_utf8(require_text(json, "expect", source));
  probe.token_file =
      from_lossless_utf8(require_text(json, "token_file", source));
  probe.ca_file = from_lossless_utf8(require_text(json, "ca_file", source));
  probe.timeout_ms = narrow<int>(require_u64(json, "timeout_ms", source));
  return probe;
}

}  // namespace

Json deployment_to_json(const Deployment& deployment) {
  Json json;
  json["name"] = deployment.name;
  json["description"] = deployment.description;
  json["descriptor"] = lossless_utf8(deployment.descriptor.native());
  json["descriptor_sha256"] = deployment.descriptor_sha256;
  json["model_path"] = lossless_utf8(deployment.model_path.native());
  json["baseline_path"] = lossless_utf8(deployment.baseline_path.native());
  Json logs = Json::array();
  for (const LogSource& log : deployment.logs) {
    logs.push_back({{"path", lossless_utf8(log.path)},
                    {"format", log.format},
                    {"timestamp_key", log.timestamp_key},
                    {"rotated", log.rotated}});
  }
  json["logs"] = std::move(logs);
  Json process = Json::object();
  if (deployment.process.pid) process["pid"] = *deployment.process.pid;
  if (deployment.process.port) process["port"] = *deployment.process.port;
  if (deployment.process.unit) process["unit"] = *deployment.process.unit;
  if (deployment.process.pidfile) {
    process["pidfile"] = lossless_utf8(deployment.process.pidfile->native());
  }
  json["process"] = std::move(process);
  json["containment_method"] = deployment.containment_method;
  Json probes = Json::array();
  for (const Probe& probe : deployment.probes) {
    probes.push_back(probe_to_json(probe));
  }
  json["probes"] = std::move(probes);
  // Left out where it says no more than containment_method, as it did before
  // there were settings: approvals are bound to the digest of this document.
  const bool is_plain = deployment.containments.empty() ||
                        (deployment.containments.size() == 1 &&
                         deployment.containments.front().settings.empty());
  if (is_plain) return json;
  Json parts = Json::array();
  for (const ContainmentPart& part : deployment.containments) {
    parts.push_back({{"method", part.method}, {"settings", part.settings}});
  }
  json["containments"] = std::move(parts);
  return json;
}

Deployment deployment_from_json(const Json& json, std::string_view source) {
  const auto path = [&](std::string_view key) {
    return std::filesystem::path(
        from_lossless_utf8(require_text(json, key, source)));
  };
  Deployment deployment;
  deployment.name = require_text(json, "name", source);
  deployment.description = require_text(json, "description", source);
  deployment.descriptor = path("descriptor");
  deployment.descriptor_sha256 =
      require_text(json, "descriptor_sha256", source);
  deployment.model_path = path("model_path");
  deployment.baseline_path = path("baseline_path");
  for (const Json& log : require_key(json, "logs", source)) {
    deployment.logs.push_back(
        {.path = from_lossless_utf8(require_text(log, "path", source)),
         .format = require_text(log, "format", source),
         .timestamp_key = require_text(log, "timestamp_key", source),
         // Records of versions that took no rotated set do not say so.
         .rotated = log.value("rotated", false)});
  }
  const Json& process = require_key(json, "process", source);
  if (process.contains("pid")) {
    deployment.process.pid =
        narrow<std::int32_t>(require_u64(process, "pid", source));
  }
  if (process.contains("port")) {
    deployment.process.port =
        narrow<std::uint16_t>(require_u64(process, "port", source));
  }
  if (process.contains("unit")) {
    deployment.process.unit = require_text(process, "unit", source);
  }
  if (process.contains("pidfile")) {
    deployment.process.pidfile =
        from_lossless_utf8(require_text(process, "pidfile", source));
  }
  deployment.containment_method =
      require_text(json, "containment_method", source);
  if (const auto parts = json.find("containments"); parts != json.end()) {
    for (const Json& part : *parts) {
      deployment.containments.push_back(
          {.method = require_text(part, "method", source),
           .settings = require_key(part, "settings", source)});
    }
  }
  for (const Json& probe : require_key(json, "probes", source)) {
    deployment.probes.push_back(probe_from_json(probe, source));
  }
  return deployment;
}

}  // namespace impound
