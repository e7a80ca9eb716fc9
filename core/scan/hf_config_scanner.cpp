// SPDX-License-Identifier: Apache-2.0
/// JSON files of a Hugging Face folder that name code to be run.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/scan/hf_settings.hpp"
#include "core/scan/scanners.hpp"

namespace impound {
namespace {

/// Configuration files are small; a tokenizer.json of 20 MB has no auto_map.
void report_code(ScanContext& context, const std::string& where,
                 const std::string& role, const std::string& value) {
  // "org/repo--module.Class" is code of another repository.
  const std::size_t foreign = value.find("--");
  if (foreign != std::string::npos) {
    context.report(
        "hf-foreign-code", Severity::high, where,
        fmt::format("{} is code of another repository, {}", printable(role),
                    printable(value.substr(0, foreign))),
        value);
    return;
  }
  std::string file = value.substr(0, value.rfind('.'));
  std::replace(file.begin(), file.end(), '.', '/');
  file += ".py";
  context.report(
      "hf-auto-map", Severity::medium, where,
      fmt::format("{} is code of this folder, {}{}; it runs with "
                  "trust_remote_code=True",
                  printable(role), printable(file),
                  context.sibling(file) != nullptr ? "" : " (not there)"),
      value);
}

void report_auto_map(ScanContext& context, const std::string& where,
                     const Json& map) {
  if (!map.is_object()) return;
  for (const auto& [role, value] : map.items()) {
    if (value.is_string()) {
      report_code(context, where, role, value.get<std::string>());
    }
    if (!value.is_array()) continue;
    for (const Json& each : value) {
      if (each.is_string()) {
        report_code(context, where, role, each.get<std::string>());
      }
    }
  }
}

void walk(ScanContext& context, const std::string& where, const Json& json) {
  if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i) {
      walk(context, fmt::format("{}[{}]", where, i), json[i]);
    }
    return;
  }
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    const std::string path = where.empty() ? key : where + "." + key;
    if (key == "auto_map") report_auto_map(context, path, value);
    if (key == "trust_remote_code" && value.is_boolean() && value.get<bool>()) {
      context.report("hf-trust-remote-code", Severity::high, path,
                     "asks its loader to run code of the repository",
                     "trust_remote_code = true");
    }
    if (key == "custom_pipelines") {
      context.report("hf-custom-pipeline", Severity::medium, path,
                     "defines pipelines of its own: code that runs with "
                     "trust_remote_code=True",
                     printable(dump_line(value)).substr(0, 4096));
    }
    if (key.ends_with("attn_implementation")) {
      report_kernel(context, path, value);
    }
    walk(context, path, value);
  }
}

}  // namespace

void scan_hf_config(ScanContext& context, const Subject& subject) {
  const Bytes text = subject.source.head(0, subject.source.size());
  const Json json = parse_config_json(as_text(text), subject.name);
  walk(context, "", json);
  if (subject.name.ends_with("generation_config.json")) {
    report_generation(context, json);
  }
  if (json.is_object() &&
      (subject.name == "adapter_config.json" || json.contains("peft_type"))) {
    report_adapter(context, json);
  }
}

}  // namespace impound
