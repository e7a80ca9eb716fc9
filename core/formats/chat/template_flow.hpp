// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The two walks behind analyse_chat_template: where message content goes, and
/// which code is reached for.

#include <string_view>

#include "core/formats/chat/chat_template.hpp"
#include "core/formats/chat/jinja.hpp"

namespace impound {

/// Follows message content through variables, macros, namespaces and loops to
/// the conditions it decides and the text written there. Fills conditions,
/// texts, reads_clock and the findings about them.
void follow_content(const jinja::Template& parsed, std::string_view source,
                    TemplateReport& report);

/// Python internals, calls and loads that no chat template needs.
void find_template_code(const jinja::Template& parsed, std::string_view source,
                        TemplateReport& report);

/// More steps or text than a machine has room for.
void find_template_cost(const jinja::Template& parsed, std::string_view source,
                        TemplateReport& report);

/// Addresses that stand in the template nowhere as such.
void find_built_links(const jinja::Template& parsed, std::string_view source,
                      TemplateReport& report);

[[nodiscard]] std::uint64_t line_of(std::string_view source,
                                    std::uint64_t offset);

/// Adds a finding unless there are too many already.
void add_finding(TemplateReport& report, std::string_view source,
                 std::string_view rule, Severity severity, std::uint64_t offset,
                 std::string message, std::string evidence);

}  // namespace impound
