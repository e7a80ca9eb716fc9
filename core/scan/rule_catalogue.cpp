// SPDX-License-Identifier: Apache-2.0
#include "core/scan/rule_catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/scan/pickle_lists.hpp"
#include "core/scan/settings_table.hpp"
#include "core/scan/tensorflow_ops.hpp"

namespace impound {
namespace {

std::array<std::span<const Rule>, 9> rule_groups() {
  return {pickle_rules(),    container_rules(),  content_rules(),
          model_rules(),     template_rules(),   graph_rules(),
          tokenizer_rules(), comparison_rules(), signature_rules()};
}

}  // namespace

std::vector<Rule> all_rules() {
  std::vector<Rule> rules;
  for (const std::span<const Rule> group : rule_groups()) {
    rules.insert(rules.end(), group.begin(), group.end());
  }
  return rules;
}

const Rule* find_rule(std::string_view id) {
  for (const std::span<const Rule> group : rule_groups()) {
    const auto found =
        std::find_if(group.begin(), group.end(),
                     [&](const Rule& rule) { return rule.id == id; });
    if (found != group.end()) return &*found;
  }
  return nullptr;
}

Json rules_to_json() {
  Json json = Json::object();
  json["version"] = kRulesVersion;
  json["rules"] = Json::array();
  for (const Rule& rule : all_rules()) {
    Json entry = Json::object();
    entry["id"] = rule.id;
    entry["severity"] = to_string(rule.severity);
    entry["title"] = rule.title;
    entry["why"] = rule.why;
    entry["atlas"] = rule.atlas;
    json["rules"].push_back(std::move(entry));
  }
  json["lists"] = lists_to_json();
  json["lists"]["tensorflow_only_computes"] = tensorflow_ops_to_json();
  json["settings"] = settings_to_json();
  return json;
}

std::string rules_to_text() {
  std::string text = fmt::format("rules {}\n\n", kRulesVersion);
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"rule", "severity", "atlas", "what", "why it matters"});
  for (const Rule& rule : all_rules()) {
    rows.push_back({std::string(rule.id), std::string(to_string(rule.severity)),
                    std::string(rule.atlas), std::string(rule.title),
                    std::string(rule.why)});
  }
  text += format_table(rows);
  return text;
}

}  // namespace impound
