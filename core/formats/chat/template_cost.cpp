// SPDX-License-Identifier: Apache-2.0
/// What a template builds out of its own constants: addresses that stand in it
/// nowhere as such, and more text or steps than a machine has room for.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/base/text.hpp"
#include "core/formats/chat/template_flow.hpp"
#include "core/formats/chat/template_fold.hpp"

namespace impound {
namespace {

using jinja::Expr;
using jinja::ExprKind;
using jinja::Node;
using jinja::NodeKind;

/// Steps, or bytes, that a template asks for. The longest loop over numbers of
/// an honest template counts to some hundreds (images of a message).
constexpr double kTooMany = 1e6;
/// Steps of all loops around a place.
constexpr double kTooManySteps = 1e7;
/// Times that a text is doubled outside of a loop.
constexpr std::size_t kMaxDoublings = 16;

bool has_name(const Expr& expr, std::string_view name) {
  if (expr.kind == ExprKind::name) return expr.text == name;
  if (expr.kind == ExprKind::attribute && !expr.children.empty() &&
      expr.children.front().kind == ExprKind::name) {
    return expr.children.front().text + "." + expr.text == name;
  }
  return std::ranges::any_of(
      expr.children, [&](const Expr& child) { return has_name(child, name); });
}

/// {% set x = x ~ x %}, {% set x = [x, x]|join %}, {% set x = x * 2 %}.
bool doubles(const Expr& value, std::string_view name) {
  if (value.kind == ExprKind::arithmetic && value.text == "*") {
    return has_name(value, name) && value.children.size() >= 2 &&
           value.children[1].kind != ExprKind::string &&
           fold_number(value.children[1]).value_or(2) >= 2 &&
           value.children[0].kind != ExprKind::number;
  }
  const bool adds = value.kind == ExprKind::arithmetic &&
                    (value.text == "+" || value.text == "~");
  if (adds || value.kind == ExprKind::list) {
    return std::ranges::count_if(value.children, [&](const Expr& child) {
             return has_name(child, name);
           }) >= 2;
  }
  if (value.kind == ExprKind::filter && !value.children.empty()) {
    return doubles(value.children.front(), name);
  }
  return false;
}

class CostWalk {
 public:
  CostWalk(std::string_view source, TemplateReport& report)
      : source_(source), report_(report) {}

  void walk(const std::vector<Node>& nodes, double steps) {
    for (const Node& node : nodes) {
      double inside = steps;
      if (node.value) {
        check(*node.value);
        if (node.kind == NodeKind::set) check_set(node, steps);
        if (node.kind == NodeKind::loop) {
          const double count = loop_count(*node.value);
          inside = steps * std::max(1.0, count);
          if (inside >= kTooManySteps && count < kTooMany && count > 1) {
            say(*node.value, fmt::format("loops within loops take {:.3g} "
                                         "steps",
                                         inside));
          }
        }
      }
      for (const Expr& expr : node.extra) check(expr);
      for (const jinja::Branch& branch : node.branches) {
        if (branch.condition) check(*branch.condition);
        walk(branch.body, inside);
      }
    }
  }

 private:
  void say(const Expr& expr, std::string message) {
    add_finding(report_, source_, "template-exhausts", Severity::high,
                expr.begin, std::move(message),
                jinja::as_written(expr, source_));
  }

  static double loop_count(const Expr& over) {
    if (over.kind != ExprKind::call || over.children.size() < 2 ||
        over.children.front().kind != ExprKind::name ||
        over.children.front().text != "range") {
      return 0;
    }
    double most = 0;
    for (std::size_t i = 1; i < over.children.size() && i < 3; ++i) {
      most =
          std::max(most, std::abs(fold_number(over.children[i]).value_or(0)));
    }
    return most;
  }

  void check_set(const Node& node, double steps) {
    for (const std::string& name : node.names) {
      if (!doubles(*node.value, name)) continue;
      ++doublings_;
      if (steps > 1 || doublings_ == kMaxDoublings) {
        say(*node.value,
            fmt::format("'{}' doubles with every step", printable(name)));
      }
    }
  }

  void check(const Expr& expr) {
    if (expr.kind == ExprKind::call && loop_count(expr) >= kTooMany) {
      say(expr, fmt::format("counts to {:.3g}", loop_count(expr)));
    }
    if (expr.kind == ExprKind::arithmetic) check_arithmetic(expr);
    static constexpr std::array<std::string_view, 8> kWide = {
        "center", "indent", "ljust", "rjust",
        "zfill",  "batch",  "slice", "expandtabs"};
    const bool is_method = expr.kind == ExprKind::call &&
                           !expr.children.empty() &&
                           expr.children.front().kind == ExprKind::attribute;
    const std::string_view name = is_method ? expr.children.front().text
                                  : expr.kind == ExprKind::filter
                                      ? std::string_view(expr.text)
                                      : std::string_view();
    if (std::ranges::find(kWide, name) != kWide.end()) {
      for (std::size_t i = 1; i < expr.children.size(); ++i) {
        const double width = fold_number(expr.children[i]).value_or(0);
        if (width >= kTooMany) {
          say(expr, fmt::format("makes a text of {:.3g} characters", width));
        }
      }
    }
    // '%999999999d'|format(1), '{:>999999999}'.format(1)
    if (expr.kind == ExprKind::string && has_wide_field(expr.text)) {
      say(expr, "a text with a field wider than any text");
    }
    for (const Expr& child : expr.children) check(child);
  }

  void check_arithmetic(const Expr& expr) {
    if (expr.children.size() < 2) return;
    const bool is_text = expr.children[0].kind == ExprKind::string ||
                         expr.children[0].kind == ExprKind::list ||
                         expr.children[1].kind == ExprKind::string ||
                         expr.children[1].kind == ExprKind::list;
    if (expr.text == "*" && is_text) {
      const double count = repetitions(expr);
      if (count >= kTooMany) {
        say(expr, fmt::format("repeats a text {:.3g} times", count));
      }
      return;
    }
    if (expr.text == "*" || expr.text == "**") {
      const auto value = fold_number(expr);
      if (value && expr.text == "**" &&
          (!std::isfinite(*value) || *value >= 1e18)) {
        say(expr,
            "computes a number of more digits than a machine has room "
            "for");
      }
      // messages[0].content * 10 ** 9: what is repeated is not known.
      if (expr.text == "*" && repetitions(expr) >= kTooMany &&
          (!value || *value >= kTooMany)) {
        if (value) return;  // a number, whatever it is for
        say(expr, fmt::format("repeats what it is given {:.3g} times",
                              repetitions(expr)));
      }
    }
  }

  /// The product of the numbers among factors; a power binds to what stands
  /// before it.
  [[nodiscard]] double repetitions(const Expr& expr) const {
    double all = 1;
    std::optional<double> last;
    for (std::size_t i = 0; i < expr.children.size(); ++i) {
      const std::optional<double> part = fold_number(expr.children[i]);
      const bool is_power =
          i > 0 && between(expr, i).find("**") != std::string_view::npos;
      if (is_power && last && part) {
        last = std::pow(*last, *part);
        continue;
      }
      if (last) all *= *last;
      last = is_power ? std::nullopt : part;
    }
    return last ? all * *last : all;
  }

  /// The operator before child `i`, as it is written.
  [[nodiscard]] std::string_view between(const Expr& expr,
                                         std::size_t i) const {
    const std::uint64_t begin = expr.children[i - 1].end;
    const std::uint64_t end = expr.children[i].begin;
    return begin < end && end <= source_.size()
               ? source_.substr(begin, end - begin)
               : std::string_view();
  }

  static bool has_wide_field(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%' && text[i] != ':') continue;
      std::size_t at = i + 1;
      while (at < text.size() &&
             std::string_view(" <>^=+-#0.").find(text[at]) !=
                 std::string_view::npos) {
        ++at;
      }
      std::size_t digits = 0;
      while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
        ++at;
        ++digits;
      }
      if (digits >= 7 && at < text.size() &&
          std::string_view("sdfgexX}").find(text[at]) !=
              std::string_view::npos) {
        return true;
      }
    }
    return false;
  }

  std::string_view source_;
  TemplateReport& report_;
  std::size_t doublings_ = 0;
};

/// The literal text in the order in which it stands, with what is put together
/// from constants; '\0' for anything else.
class LinkWalk {
 public:
  LinkWalk(std::string_view source, TemplateReport& report)
      : source_(source), report_(report) {}

  void walk(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      switch (node.kind) {
        case NodeKind::text:
          append(node.text, node.begin);
          break;
        case NodeKind::output:
          append(fold_text(*node.value, constants_).value_or(kUnknown),
                 node.begin);
          if (node.value) look_into(*node.value);
          break;
        case NodeKind::set:
          if (node.value) {
            keep(node);
            look_into(*node.value);
          }
          break;
        default:
          break;
      }
      for (const jinja::Branch& branch : node.branches) walk(branch.body);
    }
  }

  void finish() { search(text_, 0); }

  /// Literals as they stand: before walk().
  void collect(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (node.kind == NodeKind::text) literals_.push_back(node.text);
      if (node.value) collect(*node.value);
      for (const Expr& expr : node.extra) collect(expr);
      for (const jinja::Branch& branch : node.branches) {
        if (branch.condition) collect(*branch.condition);
        collect(branch.body);
      }
    }
  }

 private:
  static inline const std::string kUnknown = std::string(1, '\0');
  static constexpr std::size_t kMaxText = std::size_t{1} << 20U;
  static constexpr std::size_t kMaxConstants = 1000;

  void collect(const Expr& expr) {
    if (expr.kind == ExprKind::string) literals_.push_back(expr.text);
    for (const Expr& child : expr.children) collect(child);
  }

  /// Whether one literal holds the beginning of an address.
  [[nodiscard]] bool stands_whole(std::string_view address) const {
    const std::string_view begin = address.substr(0, 12);
    return std::ranges::any_of(literals_, [&](std::string_view literal) {
      return literal.find(begin) != std::string_view::npos;
    });
  }

  void keep(const Node& node) {
    const auto value = fold_text(*node.value, constants_);
    for (const std::string& name : node.names) {
      if (value && node.names.size() == 1 &&
          (constants_.size() < kMaxConstants || constants_.contains(name))) {
        constants_[name] = *value;
      } else {
        constants_.erase(name);
      }
    }
  }

  void append(std::string_view text, std::uint64_t offset) {
    if (text_.size() + text.size() > kMaxText) return;
    if (text_.empty()) begin_ = offset;
    text_ += text;
  }

  /// Parts of an expression that come to a text: a ~ b within if and filters.
  void look_into(const Expr& expr) {
    if (expr.kind == ExprKind::string) return;
    if (const auto text = fold_text(expr, constants_)) {
      search(*text, expr.begin);
      return;
    }
    // 'ht' ~ 'tps://x/' ~ message.role: the constants in a row.
    if (expr.kind == ExprKind::arithmetic &&
        (expr.text == "+" || expr.text == "~")) {
      std::string row;
      for (const Expr& child : expr.children) {
        row += fold_text(child, constants_).value_or(kUnknown);
        if (row.size() > kMaxFolded) break;
      }
      search(row, expr.begin);
    }
    for (const Expr& child : expr.children) look_into(child);
  }

  /// What stands in the template as it is was looked at already, if it is a
  /// sentence; an address that does not is put together.
  void search(std::string_view text, std::uint64_t offset) {
    static constexpr std::array<std::string_view, 6> kMarks = {
        "http://", "https://", "ftp://", "<script", "](http", "javascript:"};
    const std::string lower = to_lower_ascii(text);
    for (const std::string_view mark : kMarks) {
      for (std::size_t at = lower.find(mark); at != std::string::npos;
           at = lower.find(mark, at + 1)) {
        const std::string_view rest = text.substr(at, 240);
        const std::string shown(rest.substr(0, rest.find('\0')));
        if (stands_whole(shown)) continue;
        const bool is_said = std::ranges::any_of(
            report_.findings, [&](const TemplateFinding& finding) {
              return finding.problem.rule == "template-link" &&
                     finding.evidence == printable(shown);
            });
        if (is_said) continue;
        add_finding(report_, source_, "template-link", Severity::high,
                    offset == 0 ? begin_ : offset,
                    fmt::format("puts '{}' together from parts", mark),
                    printable(shown));
        return;
      }
    }
  }

  std::string_view source_;
  TemplateReport& report_;
  TemplateConstants constants_;
  std::vector<std::string_view> literals_;
  std::string text_;
  std::uint64_t begin_ = 0;
};

}  // namespace

void find_template_cost(const jinja::Template& parsed, std::string_view source,
                        TemplateReport& report) {
  CostWalk(source, report).walk(parsed.nodes, 1);
}

void find_built_links(const jinja::Template& parsed, std::string_view source,
                      TemplateReport& report) {
  LinkWalk walk(source, report);
  walk.collect(parsed.nodes);
  walk.walk(parsed.nodes);
  walk.finish();
}

}  // namespace impound
