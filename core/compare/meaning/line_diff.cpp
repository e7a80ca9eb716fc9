// SPDX-License-Identifier: Apache-2.0
// E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986).
#include "core/compare/meaning/line_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace impound {
namespace {

/// Bounds the trace to 16 MiB and the time to a second.
constexpr int kMostEdits = 2000;
constexpr std::size_t kMostBytes = 2U << 20U;
constexpr std::size_t kContext = 3;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      lines.push_back(text);
      break;
    }
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

enum class Side : char { both = ' ', before = '-', after = '+' };

struct Step {
  Side side = Side::both;
  std::size_t before = 0;  ///< lines of each text that lie before this one
  std::size_t after = 0;
};

/// The furthest x on each diagonal, for every number of edits.
using Trace = std::vector<std::vector<int>>;

std::optional<Trace> search(const Lines& a, const Lines& b) {
  const int n = static_cast<int>(a.size());
  const int m = static_cast<int>(b.size());
  Trace trace;
  std::vector<int> reach(2 * kMostEdits + 3, 0);
  constexpr int kMiddle = kMostEdits + 1;
  const auto at = [&](int diagonal) -> int& {
    return reach[static_cast<std::size_t>(kMiddle + diagonal)];
  };
  for (int edits = 0; edits <= std::min(n + m, kMostEdits); ++edits) {
    // Only diagonals −edits−1 to edits+1 can have been touched.
    trace.emplace_back(reach.begin() + (kMiddle - edits - 1),
                       reach.begin() + (kMiddle + edits + 2));
    for (int k = -edits; k <= edits; k += 2) {
      const bool is_down = k == -edits || (k != edits && at(k - 1) < at(k + 1));
      int x = is_down ? at(k + 1) : at(k - 1) + 1;
      int y = x - k;
      while (x < n && y < m &&
             a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(y)]) {
        ++x;
        ++y;
      }
      at(k) = x;
      if (x >= n && y >= m) return trace;
    }
  }
  return std::nullopt;
}

std::vector<Step> walk_back(const Trace& trace, const Lines& a,
                            const Lines& b) {
  std::vector<Step> steps;
  int x = static_cast<int>(a.size());
  int y = static_cast<int>(b.size());
  const auto push = [&](Side side) {
    steps.push_back(
        {side, static_cast<std::size_t>(x), static_cast<std::size_t>(y)});
  };
  for (int edits = static_cast<int>(trace.size()) - 1; edits >= 0; --edits) {
    const auto at = [&](int diagonal) {
      return trace[static_cast<std::size_t>(edits)]
                  [static_cast<std::size_t>(diagonal + edits + 1)];
    };
    const int k = x - y;
    const bool is_down = k == -edits || (k != edits && at(k - 1) < at(k + 1));
    const int from = is_down ? k + 1 : k - 1;
    const int old_x = edits == 0 ? 0 : at(from);
    const int old_y = edits == 0 ? 0 : old_x - from;
    while (x > old_x && y > old_y) {
      --x;
      --y;
      push(Side::both);
    }
    if (edits == 0) break;
    if (is_down) {
      --y;
      push(Side::after);
    } else {
      --x;
      push(Side::before);
    }
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

std::string hunks_of(const std::vector<Step>& steps, const Lines& a,
                     const Lines& b) {
  std::string text;
  std::size_t at = 0;
  while (true) {
    while (at < steps.size() && steps[at].side == Side::both) ++at;
    if (at == steps.size()) return text;
    const std::size_t begin = at - std::min(at, kContext);
    std::size_t last = at;  // the last change of this hunk
    for (std::size_t i = at; i < steps.size() && i <= last + 2 * kContext;
         ++i) {
      if (steps[i].side != Side::both) last = i;
    }
    const std::size_t end = std::min(steps.size(), last + kContext + 1);
    std::size_t old_count = 0;
    std::size_t new_count = 0;
    std::string body;
    for (std::size_t i = begin; i < end; ++i) {
      const Step& step = steps[i];
      if (step.side != Side::after) ++old_count;
      if (step.side != Side::before) ++new_count;
      body += static_cast<char>(step.side);
      body += step.side == Side::after ? b[step.after] : a[step.before];
      body += '\n';
    }
    // An empty side is named by the line before it.
    const std::size_t old_first =
        steps[begin].before + (old_count > 0 ? 1U : 0U);
    const std::size_t new_first =
        steps[begin].after + (new_count > 0 ? 1U : 0U);
    text += fmt::format("@@ -{},{} +{},{} @@\n{}", old_first, old_count,
                        new_first, new_count, body);
    at = end;
  }
}

bool has_lines(std::string_view text) {
  return text.find('\n') != std::string_view::npos;
}

/// A line break before every tag and behind every statement.
std::string laid_out(std::string_view text) {
  std::string lines;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view two = text.substr(i, 2);
    const bool begins = two == "{%" || two == "{{";
    if (begins && !lines.empty() && lines.back() != '\n') lines += '\n';
    lines += text[i];
    if (i > 0 && text.substr(i - 1, 2) == "%}") lines += '\n';
  }
  return lines;
}

}  // namespace

std::optional<std::string> unified_text_diff(std::string_view before,
                                             std::string_view after) {
  if (has_lines(before) || has_lines(after)) {
    return unified_diff(before, after);
  }
  const auto has_statements = [](std::string_view text) {
    return text.find("{%") != std::string_view::npos;
  };
  if (!has_statements(before) && !has_statements(after)) return std::nullopt;
  return unified_diff(laid_out(before), laid_out(after));
}

std::optional<std::string> unified_diff(std::string_view before,
                                        std::string_view after) {
  if (before == after) return std::string();
  if (std::max(before.size(), after.size()) > kMostBytes) return std::nullopt;
  const Lines a = lines_of(before);
  const Lines b = lines_of(after);
  const std::optional<Trace> trace = search(a, b);
  if (!trace) return std::nullopt;
  const std::string hunks = hunks_of(walk_back(*trace, a, b), a, b);
  return hunks.empty() ? "only the line end at the end of the text differs\n"
                       : hunks;
}

}  // namespace impound
