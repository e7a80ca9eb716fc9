// SPDX-License-Identifier: Apache-2.0
#include "core/run/deployment_view.hpp"

#include "core/base/text.hpp"

namespace impound {
namespace {

Json logs_view(const Deployment& deployment) {
  Json list = Json::array();
  for (const LogSource& log : deployment.logs) {
    list.push_back({{"path", lossless_utf8(log.path)}, {"format", log.format}});
  }
  return list;
}

Json probes_view(const Deployment& deployment) {
  Json list = Json::array();
  for (const Probe& probe : deployment.probes) {
    list.push_back({{"name", probe.name},
                    {"kind", probe.kind == ProbeKind::http ? "http" : "tcp"},
                    {"url", lossless_utf8(probe.url)}});
  }
  return list;
}

}  // namespace

Json deployment_view(const Deployment& deployment) {
  Json json;
  json["name"] = deployment.name;
  json["description"] = deployment.description;
  json["model_path"] = lossless_utf8(deployment.model_path.native());
  json["baseline_path"] = lossless_utf8(deployment.baseline_path.native());
  json["containment_method"] = deployment.containment_method;
  json["containment_methods"] = deployment.containment_methods();
  json["logs"] = logs_view(deployment);
  json["probes"] = probes_view(deployment);
  return json;
}

}  // namespace impound
