// SPDX-License-Identifier: Apache-2.0
/// Chat templates in tokenizer_config.json, chat_template.json and files of
/// their own: Jinja that every loader renders with what users write.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/chat/chat_template.hpp"
#include "core/formats/config_json.hpp"
#include "core/scan/scanners.hpp"
#include "core/scan/template_report.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kMaxFile = 64 * limits::kMiB;
constexpr std::size_t kMaxEvidence = 4096;

bool is_template_key(std::string_view key) {
  return key == "chat_template" || key == "chat_templates" ||
         key == "default_chat_template" || key == "additional_chat_templates";
}

/// The templates under one key: a text, a list of {name, template}, or an
/// object of texts.
void report_under(ScanContext& context, const std::string& where,
                  const Json& value) {
  if (value.is_string()) {
    report_chat_template(context, where, 0, false, value.get<std::string>());
    return;
  }
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      report_under(context, fmt::format("{}[{}]", where, i), value[i]);
    }
    return;
  }
  if (!value.is_object()) return;
  for (const auto& [key, inner] : value.items()) {
    if (key == "name") continue;
    report_under(context, where + "." + printable(key), inner);
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
    const std::string path =
        where.empty() ? printable(key) : where + "." + printable(key);
    if (is_template_key(key)) {
      report_under(context, path, value);
    } else {
      walk(context, path, value);
    }
  }
}

}  // namespace

void report_chat_template(ScanContext& context, const std::string& where,
                          std::uint64_t offset, bool is_verbatim,
                          std::string_view source) {
  const TemplateReport report = analyse_chat_template(source);
  const auto place = [&](std::uint64_t inside) {
    return is_verbatim ? offset + inside : offset;
  };
  for (const TemplateFinding& each : report.findings) {
    ScanFinding finding;
    finding.rule = each.problem.rule;
    finding.severity = each.problem.severity;
    finding.member = where;
    finding.offset = place(each.problem.offset);
    finding.message =
        fmt::format("{} (line {})", each.problem.message, each.line);
    finding.evidence = each.evidence.substr(0, kMaxEvidence);
    context.add(std::move(finding));
  }
  for (const Problem& problem : report.problems) {
    ScanFinding finding;
    finding.rule = problem.rule;
    finding.severity = problem.severity;
    finding.member = where;
    finding.offset = place(problem.offset);
    finding.message = problem.message;
    context.add(std::move(finding));
  }
}

void scan_template_json(ScanContext& context, const Subject& subject) {
  if (subject.source.size() > kMaxFile) {
    context.unread(0, "a configuration of more than 64 MiB");
    return;
  }
  const Bytes text = subject.source.head(0, subject.source.size());
  walk(context, "", parse_config_json(as_text(text), subject.name));
}

void scan_jinja(ScanContext& context, const Subject& subject) {
  if (subject.source.size() > kMaxFile) {
    context.unread(0, "a template of more than 64 MiB");
    return;
  }
  const Bytes text = subject.source.head(0, subject.source.size());
  report_chat_template(context, "", 0, true, as_text(text));
}

}  // namespace impound
