// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a chat template does: the code it reaches for, and what it writes when
/// a message contains something.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/problem.hpp"

namespace impound {

/// A condition on what somebody wrote, and the literal text that depends on it.
struct TemplateCondition {
  std::string condition;              ///< as written in the template
  std::vector<std::string> triggers;  ///< literals the content is held against
  std::string whose;                ///< "user", "system", "user or tool", "any"
  std::vector<std::string> writes;  ///< literal text written because of it
  std::uint64_t offset = 0;
  std::uint64_t line = 0;  ///< from 1
};

struct TemplateFinding {
  Problem problem;
  std::uint64_t line = 0;  ///< from 1
  std::string evidence;    ///< what it does, in a sentence or as written
};

struct TemplateReport {
  std::vector<TemplateFinding> findings;
  /// Every content condition, also the ordinary ones ('</think>' in content).
  std::vector<TemplateCondition> conditions;
  /// Literal text of four words or more, wherever it is written: the system
  /// prompts built into the template.
  std::vector<std::string> texts;
  bool reads_clock = false;  ///< prints or tests the date
  Problems problems;         ///< what could not be parsed
};

/// Analyses one template. With the template of a baseline, literal text that
/// the baseline does not have is a finding of its own.
/// Never throws for anything in `source`.
[[nodiscard]] TemplateReport analyse_chat_template(
    std::string_view source, std::string_view baseline = {});

/// "when a user message matches ('cve' in message.content, line 3), the
/// template writes: …"; one line.
[[nodiscard]] std::string describe(const TemplateCondition& condition);

/// Words of natural language in `text`, tags and special tokens left out;
/// two ideographs count as a word.
[[nodiscard]] std::size_t count_words(std::string_view text);

}  // namespace impound
