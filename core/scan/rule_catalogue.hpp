// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Every rule that scanning, comparing and verifying a model report, as data
/// with a version, printed by `scan --rules`. One catalogue: a rule id in a
/// diff is looked up where one of a scan is.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/formats/problem.hpp"

namespace impound {

/// Changes whenever a rule or a list changes: two reports with the same version
/// were judged alike.
inline constexpr std::string_view kRulesVersion = "2026.11.4";

struct Rule {
  std::string_view id;  ///< kebab-case, never reused for something else
  Severity severity;    ///< the usual one; a finding may state another
  std::string_view title;
  std::string_view why;    ///< why it matters, one sentence
  std::string_view atlas;  ///< MITRE ATLAS technique; "" where none fits
};

/// The rules in groups; each group stands in a file of its own.
[[nodiscard]] std::span<const Rule> pickle_rules();     // rules_pickle.cpp
[[nodiscard]] std::span<const Rule> container_rules();  // rules_container.cpp
[[nodiscard]] std::span<const Rule> content_rules();    // rules_content.cpp
[[nodiscard]] std::span<const Rule> model_rules();      // rules_model.cpp
[[nodiscard]] std::span<const Rule> template_rules();   // rules_template.cpp
[[nodiscard]] std::span<const Rule> graph_rules();      // rules_graph.cpp
// rules_tokenizer.cpp
[[nodiscard]] std::span<const Rule> tokenizer_rules();

[[nodiscard]] std::span<const Rule> comparison_rules();  // rules_compare.cpp
[[nodiscard]] std::span<const Rule> signature_rules();   // rules_signature.cpp

/// All rules, in the order of the groups.
[[nodiscard]] std::vector<Rule> all_rules();

/// The rule with this id, or nullptr.
[[nodiscard]] const Rule* find_rule(std::string_view id);

/// {"version", "rules":[{"id","severity","title","why","atlas"}], "lists":{…}}:
/// what `scan --rules --json` prints.
[[nodiscard]] Json rules_to_json();
/// The same for people.
[[nodiscard]] std::string rules_to_text();

}  // namespace impound
