// SPDX-License-Identifier: Apache-2.0
/// A scan told as JSON, text and SARIF.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.hpp"
#include "core/scan/rule_catalogue.hpp"
#include "core/scan/scan.hpp"

namespace impound {
namespace {

std::string_view sarif_level(Severity severity) {
  switch (severity) {
    case Severity::info:
    case Severity::low:
      return "note";
    case Severity::medium:
      return "warning";
    case Severity::high:
    case Severity::critical:
      return "error";
  }
  return "warning";
}

/// GitHub's numeric scale, property security-severity.
std::string_view sarif_score(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "0.0";
    case Severity::low:
      return "2.0";
    case Severity::medium:
      return "5.0";
    case Severity::high:
      return "8.0";
    case Severity::critical:
      return "9.8";
  }
  return "5.0";
}

/// Safe to show, with backslashes as they are: findings are already written the
/// way Python or printable() escape.
std::string shown(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t slash = text.find('\\');
    out += printable(text.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '\\';
    text.remove_prefix(slash + 1);
  }
}

Json finding_to_json(const ScanFinding& finding) {
  Json json = Json::object();
  json["rule"] = finding.rule;
  json["severity"] = to_string(finding.severity);
  json["offset"] = finding.offset;
  json["member"] = shown(finding.member);
  json["message"] = shown(finding.message);
  json["evidence"] = shown(finding.evidence);
  json["atlas"] = finding.atlas;
  return json;
}

/// A path as SARIF wants it: everything outside of RFC 3986 as %XX.
std::string to_uri(std::string_view path) {
  std::string uri;
  for (const char c : path) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '/' || c == '.' ||
                          c == '-' || c == '_' || c == '~';
    if (is_plain) {
      uri += c;
    } else {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

Json sarif_rules(const std::set<std::string>& used) {
  Json rules = Json::array();
  for (const std::string& id : used) {
    Json json = Json::object();
    json["id"] = id;
    if (const Rule* rule = find_rule(id)) {
      json["shortDescription"]["text"] = rule->title;
      json["fullDescription"]["text"] = rule->why;
      json["defaultConfiguration"]["level"] = sarif_level(rule->severity);
      json["properties"]["security-severity"] = sarif_score(rule->severity);
      if (!rule->atlas.empty()) json["properties"]["tags"] = {rule->atlas};
    }
    rules.push_back(std::move(json));
  }
  return rules;
}

}  // namespace

Json to_json(const ScanReport& report) {
  Json json = Json::object();
  json["locator"] = lossless_utf8(report.locator);
  json["rules_version"] = kRulesVersion;
  json["files"] = Json::array();
  for (const FileReport& file : report.files) {
    Json entry = Json::object();
    entry["path"] = lossless_utf8(file.path);
    entry["sha256"] = file.sha256;
    entry["format"] = file.format;
    entry["size"] = file.size;
    entry["verdict"] = to_string(file.verdict);
    entry["read_to_end"] = file.read_to_end;
    entry["findings"] = Json::array();
    for (const ScanFinding& finding : file.findings) {
      entry["findings"].push_back(finding_to_json(finding));
    }
    json["files"].push_back(std::move(entry));
  }
  json["problems"] = Json::array();
  for (const std::string& problem : report.problems) {
    json["problems"].push_back(lossless_utf8(problem));
  }
  json["verdict"] = to_string(report.verdict());
  json["complete"] = report.is_complete();
  return json;
}

std::string to_text(const ScanReport& report) {
  std::vector<const FileReport*> order;
  for (const FileReport& file : report.files) order.push_back(&file);
  std::stable_sort(order.begin(), order.end(),
                   [](const FileReport* a, const FileReport* b) {
                     return a->verdict > b->verdict;
                   });
  std::string text;
  for (const FileReport* file : order) {
    text += fmt::format("{}  {}  ({}{})\n", to_string(file->verdict),
                        printable(file->path), file->format,
                        file->read_to_end ? "" : ", not read to its end");
    for (const ScanFinding& finding : file->findings) {
      const std::string where =
          finding.member.empty()
              ? fmt::format("offset {}", finding.offset)
              : fmt::format("{} +{}", shown(finding.member), finding.offset);
      text +=
          fmt::format("  {:<8}  {}  [{}]  {}\n", to_string(finding.severity),
                      finding.rule, where, shown(finding.message));
      if (!finding.evidence.empty()) {
        text += "            " + shown(finding.evidence) + "\n";
      }
      const Rule* const rule = find_rule(finding.rule);
      if (rule != nullptr && finding.severity >= Severity::medium) {
        text += fmt::format(
            "            {}{}\n", rule->why,
            finding.atlas.empty() ? "" : fmt::format(" ({})", finding.atlas));
      }
    }
  }
  for (const std::string& problem : report.problems) {
    text += "not looked at: " + printable(problem) + "\n";
  }
  text += fmt::format("{} files, verdict {}{}\n", report.files.size(),
                      to_string(report.verdict()),
                      report.is_complete() ? "" : ", incomplete");
  return text;
}

Json to_sarif(const ScanReport& report, std::string_view tool_version) {
  Json sarif = Json::object();
  sarif["$schema"] =
      "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/"
      "sarif-schema-2.1.0.json";
  sarif["version"] = "2.1.0";
  std::set<std::string> used;
  Json results = Json::array();
  for (const FileReport& file : report.files) {
    for (const ScanFinding& finding : file.findings) {
      used.insert(finding.rule);
      Json result = Json::object();
      result["ruleId"] = finding.rule;
      result["level"] = sarif_level(finding.severity);
      std::string message = shown(finding.message);
      if (!finding.evidence.empty()) {
        message += ": " + shown(finding.evidence);
      }
      result["message"]["text"] = std::move(message);
      Json location = Json::object();
      location["physicalLocation"]["artifactLocation"]["uri"] =
          to_uri(file.path);
      location["physicalLocation"]["region"]["byteOffset"] = finding.offset;
      if (!finding.member.empty()) {
        Json inside = Json::object();
        inside["fullyQualifiedName"] = shown(finding.member);
        location["logicalLocations"] = Json::array({std::move(inside)});
      }
      result["locations"] = Json::array({std::move(location)});
      result["properties"]["severity"] = to_string(finding.severity);
      if (!finding.atlas.empty()) result["properties"]["atlas"] = finding.atlas;
      results.push_back(std::move(result));
    }
  }
  Json driver = Json::object();
  driver["name"] = "impound";
  driver["version"] = tool_version;
  driver["rules"] = sarif_rules(used);
  Json run = Json::object();
  run["tool"]["driver"] = std::move(driver);
  run["results"] = std::move(results);
  Json artifacts = Json::array();
  for (const FileReport& file : report.files) {
    Json artifact = Json::object();
    artifact["location"]["uri"] = to_uri(file.path);
    artifact["length"] = file.size;
    if (!file.sha256.empty()) artifact["hashes"]["sha-256"] = file.sha256;
    artifacts.push_back(std::move(artifact));
  }
  run["artifacts"] = std::move(artifacts);
  Json invocation = Json::object();
  invocation["executionSuccessful"] = report.is_complete();
  run["invocations"] = Json::array({std::move(invocation)});
  sarif["runs"] = Json::array({std::move(run)});
  return sarif;
}

}  // namespace impound
