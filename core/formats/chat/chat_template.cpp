// SPDX-License-Identifier: Apache-2.0
#include "core/formats/chat/chat_template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/text.hpp"
#include "core/formats/chat/jinja.hpp"
#include "core/formats/chat/template_flow.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxFindings = 200;

/// Text without what stands between '<' and '>' or '[' and ']' on one line:
/// special tokens and tags are no language.
std::string without_tags(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char open = text[i];
    if (open == '<' || open == '[') {
      const char close = open == '<' ? '>' : ']';
      const std::size_t end = text.find(close, i);
      if (end != std::string_view::npos && end - i <= 64 &&
          text.substr(i, end - i).find_first_of(" \n\t") ==
              std::string_view::npos) {
        out.push_back(' ');
        i = end;
        continue;
      }
    }
    out.push_back(open);
  }
  return out;
}

bool has_hidden_characters(std::string_view source) {
  // printable() escapes exactly the deceptive characters and lossless_utf8()
  // does not: a difference between the two is one of them. U+FEFF at the very
  // start is a byte order mark.
  if (source.starts_with("\xef\xbb\xbf")) source.remove_prefix(3);
  return printable(source) != lossless_utf8(source);
}

void find_links(std::string_view source, TemplateReport& report) {
  static constexpr std::array<std::string_view, 8> kMarks = {
      "http://", "https://", "ftp://", "<script",
      "<img",    "<iframe",  "](http", "javascript:"};
  const std::string lower = to_lower_ascii(source);
  for (const std::string& text : report.texts) {
    const std::string needle = to_lower_ascii(text);
    for (const std::string_view mark : kMarks) {
      const std::size_t in_text = needle.find(mark);
      if (in_text == std::string::npos) continue;
      const std::size_t at = lower.find(mark);
      add_finding(report, source, "template-link", Severity::medium,
                  at == std::string::npos ? 0 : at,
                  fmt::format("literal text of the template holds '{}'", mark),
                  printable(std::string_view(text).substr(
                      in_text > 80 ? in_text - 80 : 0, 240)));
      break;
    }
  }
}

void compare_with_baseline(std::string_view source, std::string_view baseline,
                           TemplateReport& report) {
  const TemplateReport known = analyse_chat_template(baseline);
  for (const std::string& text : report.texts) {
    if (std::ranges::find(known.texts, text) != known.texts.end()) continue;
    if (baseline.find(text) != std::string_view::npos) continue;
    const std::size_t at = source.find(text);
    add_finding(report, source, "template-new-text", Severity::high,
                at == std::string_view::npos ? 0 : at,
                "literal text that the baseline's template does not have",
                printable(std::string_view(text).substr(0, 400)));
  }
}

}  // namespace

std::uint64_t line_of(std::string_view source, std::uint64_t offset) {
  const auto end =
      source.begin() + static_cast<std::ptrdiff_t>(
                           std::min<std::uint64_t>(offset, source.size()));
  return 1 + static_cast<std::uint64_t>(std::count(source.begin(), end, '\n'));
}

void add_finding(TemplateReport& report, std::string_view source,
                 std::string_view rule, Severity severity, std::uint64_t offset,
                 std::string message, std::string evidence) {
  if (report.findings.size() >= kMaxFindings) return;
  report.findings.push_back(
      {.problem = {std::string(rule), severity, offset, std::move(message)},
       .line = line_of(source, offset),
       .evidence = std::move(evidence)});
}

std::size_t count_words(std::string_view text) {
  const std::string plain = without_tags(text);
  std::size_t words = 0;
  std::size_t run = 0;  // letters in the word so far
  std::size_t ideographs = 0;
  bool identifier = false;  // the word holds '_' or a digit
  const auto close = [&] {
    if (run >= 2 && !identifier) ++words;
    run = 0;
    identifier = false;
  };
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const auto c = static_cast<unsigned char>(plain[i]);
    if (std::isalpha(c) != 0) {
      ++run;
    } else if (c >= 0xe3 && c <= 0xed && i + 2 < plain.size()) {
      // Three bytes from U+3000 on: kana, ideographs, Hangul.
      ++ideographs;
      i += 2;
    } else if (c >= 0x80) {
      ++run;  // other scripts: two bytes a letter
    } else if (c == '_' || std::isdigit(c) != 0) {
      identifier = true;
    } else {
      close();
    }
  }
  close();
  return words + ideographs / 2;
}

std::string describe(const TemplateCondition& condition) {
  std::string who = "a message";
  if (condition.whose == "clock") {
    who = "the date";
  } else if (condition.whose == "random") {
    who = "chance";
  } else if (condition.whose == "count") {
    who = "the length of the conversation";
  } else if (condition.whose != "any") {
    who = "a " + condition.whose + " message";
  }
  std::string writes;
  for (const std::string& text : condition.writes) {
    if (count_words(text) == 0 && condition.writes.size() > 1) continue;
    if (!writes.empty()) writes += " … ";
    writes += printable(std::string_view(text).substr(0, 1024));
    if (writes.size() > 4096) break;
  }
  return fmt::format(
      "when {} matches {} (line {}), the template {}", who, condition.condition,
      condition.line,
      writes.empty() ? std::string("takes another way") : "writes: " + writes);
}

TemplateReport analyse_chat_template(std::string_view source,
                                     std::string_view baseline) {
  TemplateReport report;
  const jinja::Template parsed = jinja::parse(source);
  report.problems = parsed.problems;
  find_template_code(parsed, source, report);
  follow_content(parsed, source, report);
  find_links(source, report);
  find_built_links(parsed, source, report);
  find_template_cost(parsed, source, report);
  if (has_hidden_characters(source)) {
    add_finding(report, source, "template-hidden-characters", Severity::medium,
                0, "invisible or direction-changing characters in the template",
                {});
  }
  if (!baseline.empty()) compare_with_baseline(source, baseline, report);
  std::ranges::stable_sort(report.findings, [](const auto& a, const auto& b) {
    return a.problem.offset < b.problem.offset;
  });
  return report;
}

}  // namespace impound
