// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "core/base/text.hpp"
#include "core/formats/chat/template_flow.hpp"
#include "core/formats/chat/template_fold.hpp"

namespace impound {
namespace {

using jinja::Expr;
using jinja::ExprKind;
using jinja::Node;

/// Attributes that lead from any value to the interpreter.
constexpr std::array<std::string_view, 34> kInternals = {"__class__",
                                                         "__mro__",
                                                         "__base__",
                                                         "__bases__",
                                                         "__subclasses__",
                                                         "__init__",
                                                         "__globals__",
                                                         "__builtins__",
                                                         "__import__",
                                                         "__dict__",
                                                         "__code__",
                                                         "__self__",
                                                         "__func__",
                                                         "__getattribute__",
                                                         "__getattr__",
                                                         "__getitem__",
                                                         "__call__",
                                                         "__reduce__",
                                                         "__reduce_ex__",
                                                         "__module__",
                                                         "__loader__",
                                                         "__spec__",
                                                         "__closure__",
                                                         "__defaults__",
                                                         "__setattr__",
                                                         "__delattr__",
                                                         "__new__",
                                                         "__wrapped__",
                                                         "mro",
                                                         "gi_frame",
                                                         "gi_code",
                                                         "f_globals",
                                                         "f_builtins",
                                                         "func_globals"};

/// Names whose use as a callable or module means running code.
constexpr std::array<std::string_view, 20> kDangerous = {
    "popen",   "system",       "subprocess", "os",      "sys",
    "eval",    "exec",         "compile",    "open",    "builtins",
    "globals", "locals",       "importlib",  "getattr", "setattr",
    "spawn",   "check_output", "breakpoint", "pty",     "socket"};

/// Objects that Jinja or a web framework leaves lying about; their attributes
/// are the classic ways out of a sandbox.
constexpr std::array<std::string_view, 12> kLadders = {
    "self",   "cycler",     "joiner",  "lipsum",  "namespace",
    "config", "request",    "session", "url_for", "get_flashed_messages",
    "g",      "application"};

/// Functions that renderers of chat templates provide.
constexpr std::array<std::string_view, 10> kProvided = {
    "raise_exception", "strftime_now", "namespace", "range", "dict",
    "cycler",          "joiner",       "caller",    "loop",  "super"};

template <std::size_t N>
bool is_one_of(std::string_view word,
               const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

std::string_view internal_in(std::string_view text) {
  for (const std::string_view name : kInternals) {
    if (name.starts_with("__") && text.find(name) != std::string_view::npos) {
      return name;
    }
  }
  return {};
}

class CodeWalk {
 public:
  CodeWalk(std::string_view source, TemplateReport& report)
      : source_(source), report_(report) {}

  void collect_macros(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (node.kind == jinja::NodeKind::macro && !node.names.empty()) {
        defined_.insert(node.names.front());
      }
      if (node.kind == jinja::NodeKind::load) loads_names_ = true;
      for (const std::string& name : node.names) defined_.insert(name);
      for (const jinja::Branch& branch : node.branches) {
        collect_macros(branch.body);
      }
    }
  }

  void walk(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (node.kind == jinja::NodeKind::load) {
        report_code(node.begin, Severity::high, "template-load",
                    "the template loads another template or file ('" +
                        node.names.front() + "')",
                    node.value ? jinja::as_written(*node.value, source_)
                               : std::string());
      }
      if (node.value) check(*node.value);
      for (const Expr& expr : node.extra) check(expr);
      for (const jinja::Branch& branch : node.branches) {
        if (branch.condition) check(*branch.condition);
        walk(branch.body);
      }
    }
  }

 private:
  void report_code(std::uint64_t offset, Severity severity,
                   std::string_view rule, std::string message,
                   std::string evidence) {
    add_finding(report_, source_, rule, severity, offset, std::move(message),
                std::move(evidence));
  }

  void critical(const Expr& expr, std::string message) {
    report_code(expr.begin, Severity::critical, "template-code",
                std::move(message), jinja::as_written(expr, source_));
  }

  void check(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::attribute:
        check_member(expr, expr.text);
        break;
      case ExprKind::subscript:
        if (expr.children.size() > 1) {
          if (const auto key = fold_text(expr.children[1]))
            check_member(expr, *key);
        }
        break;
      case ExprKind::filter:
        check_filter(expr);
        break;
      case ExprKind::call:
        check_call(expr);
        break;
      case ExprKind::name:
        if (expr.text.starts_with("__") || expr.text == "lipsum") {
          critical(expr, "the template uses '" + expr.text +
                             "', which no chat template needs");
        }
        break;
      case ExprKind::string:
      case ExprKind::arithmetic:
        if (const auto text = fold_text(expr)) {
          if (const auto name = internal_in(*text); !name.empty()) {
            critical(expr, "a string names the Python internal '" +
                               std::string(name) + "'");
            return;
          }
        }
        break;
      default:
        break;
    }
    for (const Expr& child : expr.children) check(child);
  }

  /// `expr` is value.member or value['member'].
  void check_member(const Expr& expr, std::string_view member) {
    const Expr& of = expr.children.front();
    if (is_one_of(member, kInternals) ||
        (member.size() > 4 && member.starts_with("__") &&
         member.ends_with("__"))) {
      critical(expr,
               "reaches for the Python internal '" + std::string(member) + "'");
      return;
    }
    if (of.kind == ExprKind::name && is_one_of(of.text, kLadders) &&
        !defined_.contains(of.text)) {
      critical(expr, "attribute of '" + of.text +
                         "', a known way out of the template sandbox");
    }
  }

  void check_filter(const Expr& expr) {
    if (expr.text == "attr") {
      critical(expr, "the filter 'attr' reads attributes by computed names");
    }
    if (expr.text == "map" || expr.text == "selectattr" ||
        expr.text == "rejectattr" || expr.text == "groupby" ||
        expr.text == "sort" || expr.text == "sum" || expr.text == "unique") {
      for (std::size_t i = 1; i < expr.children.size(); ++i) {
        const auto text = fold_text(expr.children[i]);
        if (text &&
            (*text == "attr" || text->find("__") != std::string::npos)) {
          critical(expr,
                   "the filter '" + expr.text + "' is given '" + *text + "'");
        }
      }
    }
  }

  void check_call(const Expr& expr) {
    for (const std::string& keyword : expr.keywords) {
      if (is_one_of(keyword, kInternals)) {
        critical(expr, "an argument is named '" + keyword +
                           "': a way to build that name");
      }
    }
    const Expr& callee = expr.children.front();
    std::string_view name;
    if (callee.kind == ExprKind::attribute) name = callee.text;
    if (callee.kind == ExprKind::name) name = callee.text;
    if (callee.kind == ExprKind::name && defined_.contains(callee.text)) return;
    if (is_one_of(name, kDangerous)) {
      critical(expr, "calls '" + std::string(name) + "'");
      return;
    }
    if (callee.kind == ExprKind::name && !is_one_of(name, kProvided) &&
        !loads_names_) {
      report_code(expr.begin, Severity::low, "template-unknown-function",
                  "calls '" + std::string(name) +
                      "', which renderers of chat templates do not provide",
                  jinja::as_written(expr, source_));
    }
  }

  std::string_view source_;
  TemplateReport& report_;
  std::set<std::string, std::less<>> defined_;
  bool loads_names_ = false;
};

}  // namespace

void find_template_code(const jinja::Template& parsed, std::string_view source,
                        TemplateReport& report) {
  CodeWalk walk(source, report);
  walk.collect_macros(parsed.nodes);
  walk.walk(parsed.nodes);
  // Where an expression could not be parsed its words are still looked at: a
  // renderer may be more lenient than we are.
  if (parsed.problems.empty()) return;
  Problems ignored;
  for (const jinja::Piece& piece : jinja::cut_pieces(source, ignored)) {
    for (const jinja::Token& token : piece.tokens) {
      if (token.kind == jinja::TokenKind::operation) continue;
      const std::string_view name = internal_in(token.text);
      if (name.empty()) continue;
      const bool known = std::ranges::any_of(
          report.findings, [&](const TemplateFinding& finding) {
            return finding.problem.offset >= piece.begin &&
                   finding.problem.offset < piece.end;
          });
      if (known) continue;
      add_finding(report, source, "template-code", Severity::critical,
                  token.begin,
                  "a block that could not be parsed names the Python internal "
                  "'" +
                      std::string(name) + "'",
                  printable(source.substr(
                      piece.begin,
                      std::min<std::uint64_t>(piece.end - piece.begin, 400))));
    }
  }
}

}  // namespace impound
