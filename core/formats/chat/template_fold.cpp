// SPDX-License-Identifier: Apache-2.0
#include "core/formats/chat/template_fold.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "core/base/text.hpp"

namespace impound {
namespace {

using jinja::Expr;
using jinja::ExprKind;

std::optional<std::string> bounded(std::string text) {
  if (text.size() > kMaxFolded) return std::nullopt;
  return text;
}

std::string replaced(std::string_view text, std::string_view from,
                     std::string_view to) {
  std::string out;
  while (!from.empty() && out.size() <= kMaxFolded) {
    const std::size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    out += text.substr(0, at);
    out += to;
    text.remove_prefix(at + from.size());
  }
  out += text;
  return out;
}

std::optional<std::string> joined(const Expr& list, std::string_view between,
                                  const TemplateConstants& constants) {
  std::string all;
  for (std::size_t i = 0; i < list.children.size(); ++i) {
    const std::optional<std::string> part =
        fold_text(list.children[i], constants);
    if (!part || all.size() > kMaxFolded) return std::nullopt;
    if (i > 0) all += between;
    all += *part;
  }
  return bounded(std::move(all));
}

/// '%s://%s' with its arguments in place.
std::string formatted(std::string_view text,
                      const std::vector<std::string>& arguments,
                      std::string_view mark) {
  std::string out;
  std::size_t next = 0;
  while (next < arguments.size()) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) break;
    out += text.substr(0, at);
    out += arguments[next++];
    text.remove_prefix(at + mark.size());
  }
  out += text;
  return out;
}

/// A filter or a method `name` of `inner`; its arguments are the children of
/// `expr` from `first` on.
std::optional<std::string> applied(std::string_view name, std::string inner,
                                   const Expr& expr, std::size_t first,
                                   const TemplateConstants& constants) {
  std::vector<std::string> arguments;
  for (std::size_t i = first; i < expr.children.size(); ++i) {
    const auto part = fold_text(expr.children[i], constants);
    if (!part) return std::nullopt;
    arguments.push_back(*part);
  }
  if (name == "reverse") {
    std::ranges::reverse(inner);
  } else if (name == "lower") {
    inner = to_lower_ascii(inner);
  } else if (name == "replace" && arguments.size() >= 2) {
    inner = replaced(inner, arguments[0], arguments[1]);
  } else if (name == "format") {
    inner =
        formatted(inner, arguments, expr.kind == ExprKind::call ? "{}" : "%s");
  } else if (expr.kind == ExprKind::call && name != "strip" && name != "trim") {
    return std::nullopt;
  }
  return bounded(std::move(inner));
}

}  // namespace

std::optional<std::string> fold_text(const Expr& expr,
                                     const TemplateConstants& constants) {
  if (expr.kind == ExprKind::string) return bounded(expr.text);
  if (expr.kind == ExprKind::name) {
    const auto found = constants.find(expr.text);
    if (found == constants.end()) return std::nullopt;
    return found->second;
  }
  if (expr.kind == ExprKind::arithmetic &&
      (expr.text == "+" || expr.text == "~")) {
    return joined(expr, "", constants);
  }
  if (expr.kind == ExprKind::arithmetic && expr.text == "%" &&
      expr.children.size() == 2) {
    const auto text = fold_text(expr.children[0], constants);
    if (!text) return std::nullopt;
    const Expr& with = expr.children[1];
    std::vector<std::string> arguments;
    if (with.kind == ExprKind::list) {
      for (const Expr& child : with.children) {
        const auto part = fold_text(child, constants);
        if (!part) return std::nullopt;
        arguments.push_back(*part);
      }
    } else if (const auto part = fold_text(with, constants)) {
      arguments.push_back(*part);
    }
    return bounded(formatted(*text, arguments, "%s"));
  }
  if (expr.kind == ExprKind::filter && !expr.children.empty()) {
    const Expr& of = expr.children.front();
    if (expr.text == "join" && of.kind == ExprKind::list) {
      const std::string between =
          expr.children.size() > 1
              ? fold_text(expr.children[1], constants).value_or("")
              : "";
      return joined(of, between, constants);
    }
    std::optional<std::string> inner = fold_text(of, constants);
    if (!inner) return std::nullopt;
    return applied(expr.text, std::move(*inner), expr, 1, constants);
  }
  if (expr.kind == ExprKind::subscript && expr.children.size() >= 2 &&
      expr.text.empty()) {
    // 'text'[::-1]: the one slice that is used to hide a word.
    std::optional<std::string> inner =
        fold_text(expr.children.front(), constants);
    if (!inner) return std::nullopt;
    std::ranges::reverse(*inner);
    return inner;
  }
  if (expr.kind == ExprKind::call && !expr.children.empty() &&
      expr.children.front().kind == ExprKind::attribute) {
    const Expr& method = expr.children.front();
    std::optional<std::string> inner =
        fold_text(method.children.front(), constants);
    if (!inner) return std::nullopt;
    if (method.text == "join" && expr.children.size() == 2 &&
        expr.children[1].kind == ExprKind::list) {
      return joined(expr.children[1], *inner, constants);
    }
    return applied(method.text, std::move(*inner), expr, 1, constants);
  }
  return std::nullopt;
}

std::optional<double> fold_number(const Expr& expr) {
  if (expr.kind == ExprKind::number) {
    std::string digits;
    for (const char c : expr.text) {
      if (c != '_') digits += c;
    }
    return std::strtod(digits.c_str(), nullptr);
  }
  if (expr.kind == ExprKind::filter && !expr.children.empty() &&
      (expr.text == "int" || expr.text == "float" || expr.text == "abs")) {
    const Expr& of = expr.children.front();
    if (of.kind == ExprKind::string) {
      return std::strtod(of.text.c_str(), nullptr);
    }
    return fold_number(of);
  }
  if (expr.kind != ExprKind::arithmetic || expr.children.size() < 2) {
    return std::nullopt;
  }
  std::optional<double> all;
  for (const Expr& child : expr.children) {
    const std::optional<double> part = fold_number(child);
    if (!part) return std::nullopt;
    if (!all) {
      all = part;
    } else if (expr.text == "*") {
      *all *= *part;
    } else if (expr.text == "+") {
      *all += *part;
    } else if (expr.text == "-") {
      *all -= *part;
    } else if (expr.text == "**") {
      *all = std::pow(*all, *part);
    } else {
      return std::nullopt;
    }
  }
  return all;
}

}  // namespace impound
