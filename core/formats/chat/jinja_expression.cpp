// SPDX-License-Identifier: Apache-2.0
#include "core/formats/chat/jinja_expression.hpp"

#include <algorithm>
#include <array>

namespace impound::jinja {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 1> kOr = {"or"};
constexpr std::array<std::string_view, 1> kAnd = {"and"};
constexpr std::array<std::string_view, 6> kCompare = {"==", "!=", "<",
                                                      ">",  "<=", ">="};
constexpr std::array<std::string_view, 2> kSum = {"+", "-"};
constexpr std::array<std::string_view, 1> kConcat = {"~"};
constexpr std::array<std::string_view, 5> kProduct = {"*", "/", "//", "%",
                                                      "**"};
/// Names that end an operand: they are never a variable there.
constexpr std::array<std::string_view, 8> kKeywords = {
    "and", "or", "not", "in", "is", "if", "else", "recursive"};

bool is_keyword(std::string_view word) {
  return std::ranges::find(kKeywords, word) != kKeywords.end();
}

}  // namespace

const Token* ExpressionParser::peek() const {
  return at_end() ? nullptr : &tokens_[at_];
}

bool ExpressionParser::next_is(std::string_view text) const {
  const Token* token = peek();
  return token != nullptr && token->kind != TokenKind::string &&
         token->text == text;
}

bool ExpressionParser::accept(std::string_view text) {
  if (!next_is(text)) return false;
  ++at_;
  return true;
}

std::string ExpressionParser::name() {
  const Token* token = peek();
  if (token == nullptr || token->kind != TokenKind::name) {
    fail("expected a name");
    return {};
  }
  ++at_;
  return token->text;
}

void ExpressionParser::fail(std::string message) {
  if (error_.empty()) {
    error_ = std::move(message);
    if (!tokens_.empty()) {
      error_offset_ = at_end() ? tokens_.back().end : tokens_[at_].begin;
    }
  }
  at_ = tokens_.size();
}

Expr ExpressionParser::start(ExprKind kind) const {
  Expr expr;
  expr.kind = kind;
  if (!at_end()) {
    expr.begin = tokens_[at_].begin;
  } else if (!tokens_.empty()) {
    expr.begin = tokens_.back().end;
  }
  expr.end = expr.begin;
  return expr;
}

Expr ExpressionParser::wrap(Expr inner, ExprKind kind) const {
  Expr expr;
  expr.kind = kind;
  expr.begin = inner.begin;
  expr.end = inner.end;
  expr.children.push_back(std::move(inner));
  return expr;
}

void ExpressionParser::finish(Expr& expr) {
  if (at_ > 0 && at_ <= tokens_.size()) {
    expr.end = std::max(expr.begin, tokens_[at_ - 1].end);
  }
  expr.depth = 1;
  for (const Expr& child : expr.children) {
    expr.depth = std::max(expr.depth, child.depth + 1);
  }
  if (expr.depth > kMaxExpression) {
    fail("expression nested deeper than 128");
    expr.children.clear();
    expr.depth = 1;
    expr.kind = ExprKind::broken;
  }
}

Expr ExpressionParser::expression() { return conditional(); }

Expr ExpressionParser::expression_list() {
  Expr first = conditional();
  if (!next_is(",")) return first;
  Expr list = wrap(std::move(first), ExprKind::list);
  while (accept(",")) {
    if (at_end() || next_is("=") || next_is("in")) break;
    list.children.push_back(conditional());
  }
  finish(list);
  return list;
}

Expr ExpressionParser::unconditional() { return disjunction(); }

Expr ExpressionParser::conditional() {
  if (++depth_ > kMaxBlocks) {
    fail("expression nested deeper than 64");
    --depth_;
    return start(ExprKind::broken);
  }
  Expr value = disjunction();
  if (accept("if")) {
    value = wrap(std::move(value), ExprKind::conditional);
    value.children.push_back(disjunction());
    if (accept("else")) value.children.push_back(conditional());
    finish(value);
  }
  --depth_;
  return value;
}

Expr ExpressionParser::chain(Level next, ExprKind kind, Words operations) {
  Expr first = (this->*next)();
  const auto is_operation = [&] {
    const Token* token = peek();
    return token != nullptr && token->kind != TokenKind::string &&
           std::ranges::find(operations, token->text) != operations.end();
  };
  if (!is_operation()) return first;
  Expr all = wrap(std::move(first), kind);
  all.text = peek()->text;
  while (is_operation()) {
    ++at_;
    all.children.push_back((this->*next)());
  }
  finish(all);
  return all;
}

Expr ExpressionParser::disjunction() {
  return chain(&ExpressionParser::conjunction, ExprKind::logic, kOr);
}

Expr ExpressionParser::conjunction() {
  return chain(&ExpressionParser::negation, ExprKind::logic, kAnd);
}

Expr ExpressionParser::negation() {
  if (!next_is("not")) return comparison();
  Expr expr = start(ExprKind::logic);
  expr.text = "not";
  while (accept("not")) {
  }
  expr.children.push_back(comparison());
  finish(expr);
  return expr;
}

Expr ExpressionParser::comparison() {
  Expr first = sum();
  const auto operation = [&]() -> std::string {
    const Token* token = peek();
    if (token == nullptr || token->kind == TokenKind::string) return {};
    if (std::ranges::find(kCompare, token->text) != kCompare.end()) {
      return token->text;
    }
    if (token->text == "in") return "in";
    if (token->text == "not" && at_ + 1 < tokens_.size() &&
        tokens_[at_ + 1].text == "in") {
      return "not in";
    }
    return {};
  };
  std::string word = operation();
  if (word.empty()) return first;
  Expr all = wrap(std::move(first), ExprKind::comparison);
  all.text = word;
  while (!word.empty()) {
    at_ += word == "not in" ? 2U : 1U;
    all.children.push_back(sum());
    word = operation();
  }
  finish(all);
  return all;
}

Expr ExpressionParser::sum() {
  return chain(&ExpressionParser::concatenation, ExprKind::arithmetic, kSum);
}

Expr ExpressionParser::concatenation() {
  return chain(&ExpressionParser::product, ExprKind::arithmetic, kConcat);
}

Expr ExpressionParser::product() {
  return chain(&ExpressionParser::signed_value, ExprKind::arithmetic, kProduct);
}

Expr ExpressionParser::signed_value() {
  while (accept("-") || accept("+")) {
  }
  return postfixed();
}

Expr ExpressionParser::postfixed() {
  Expr expr = primary();
  while (!failed()) {
    if (accept(".")) {
      expr = wrap(std::move(expr), ExprKind::attribute);
      const Token* token = peek();
      if (token == nullptr || (token->kind != TokenKind::name &&
                               token->kind != TokenKind::number)) {
        fail("expected an attribute after '.'");
        break;
      }
      expr.text = token->text;
      ++at_;
    } else if (accept("[")) {
      expr = wrap(std::move(expr), ExprKind::subscript);
      read_subscript(expr);
    } else if (accept("(")) {
      expr = wrap(std::move(expr), ExprKind::call);
      read_arguments(expr, ")");
    } else if (accept("|")) {
      expr = wrap(std::move(expr), ExprKind::filter);
      expr.text = name();
      while (accept(".")) expr.text += "." + name();
      if (accept("(")) read_arguments(expr, ")");
    } else if (accept("is")) {
      expr = test_of(std::move(expr));
    } else {
      break;
    }
    finish(expr);
  }
  return expr;
}

Expr ExpressionParser::test_of(Expr subject) {
  Expr expr = wrap(std::move(subject), ExprKind::test);
  if (accept("not")) expr.keywords.emplace_back("not");
  expr.text = name();
  while (accept(".")) expr.text += "." + name();
  if (accept("(")) {
    expr.keywords.clear();
    read_arguments(expr, ")");
    return expr;
  }
  const Token* token = peek();
  if (token == nullptr) return expr;
  const bool starts_value =
      token->kind == TokenKind::string || token->kind == TokenKind::number ||
      (token->kind == TokenKind::name && !is_keyword(token->text)) ||
      (token->kind == TokenKind::operation &&
       (token->text == "[" || token->text == "{"));
  if (starts_value) expr.children.push_back(primary());
  return expr;
}

void ExpressionParser::read_subscript(Expr& into) {
  bool any = false;
  while (!failed()) {
    if (accept("]")) {
      if (!any) fail("empty subscript");
      return;
    }
    any = true;
    if (accept(":") || accept(",")) continue;
    into.children.push_back(conditional());
    if (at_end()) fail("a '[' is never closed");
  }
}

void ExpressionParser::read_arguments(Expr& into, std::string_view closing) {
  while (!failed()) {
    if (accept(closing)) return;
    while (accept("*")) {
    }
    if (accept("**")) {
    }
    std::string keyword;
    const Token* token = peek();
    if (token != nullptr && token->kind == TokenKind::name &&
        at_ + 1 < tokens_.size() &&
        tokens_[at_ + 1].kind == TokenKind::operation &&
        tokens_[at_ + 1].text == "=") {
      keyword = token->text;
      at_ += 2;
    }
    into.children.push_back(conditional());
    if (!keyword.empty()) into.keywords.push_back(std::move(keyword));
    if (!accept(",") && !next_is(closing)) fail("expected ',' or a closing");
  }
}

Expr ExpressionParser::dictionary() {
  Expr expr = start(ExprKind::dictionary);
  ++at_;
  while (!failed()) {
    if (accept("}")) break;
    expr.children.push_back(conditional());
    if (!accept(":")) {
      fail("expected ':' in a dictionary");
      break;
    }
    expr.children.push_back(conditional());
    if (!accept(",") && !next_is("}")) fail("expected ',' or '}'");
  }
  finish(expr);
  return expr;
}

Expr ExpressionParser::primary() {
  const Token* token = peek();
  if (token == nullptr) {
    fail("expected a value");
    return start(ExprKind::broken);
  }
  Expr expr = start(ExprKind::name);
  if (token->kind == TokenKind::string) {
    expr.kind = ExprKind::string;
    // Adjacent strings are one, as in Python.
    while (peek() != nullptr && peek()->kind == TokenKind::string) {
      expr.text += peek()->text;
      ++at_;
    }
  } else if (token->kind == TokenKind::number) {
    expr.kind = ExprKind::number;
    expr.text = token->text;
    ++at_;
  } else if (token->kind == TokenKind::name) {
    if (is_keyword(token->text)) {
      fail("unexpected '" + token->text + "'");
      return start(ExprKind::broken);
    }
    expr.text = token->text;
    static constexpr std::array<std::string_view, 6> kConstants = {
        "true", "false", "none", "True", "False", "None"};
    if (std::ranges::find(kConstants, token->text) != kConstants.end()) {
      expr.kind = ExprKind::constant;
    }
    ++at_;
  } else if (token->text == "(" || token->text == "[") {
    const bool round = token->text == "(";
    const std::string_view closing = round ? ")" : "]";
    ++at_;
    expr.kind = ExprKind::list;
    bool comma = false;
    while (!failed() && !accept(closing)) {
      expr.children.push_back(conditional());
      if (accept(",")) {
        comma = true;
      } else if (!next_is(closing)) {
        fail("a bracket is never closed");
      }
    }
    if (round && !comma && expr.children.size() == 1) {
      Expr inner = std::move(expr.children.front());
      return inner;
    }
  } else if (token->text == "{") {
    return dictionary();
  } else {
    fail("unexpected '" + token->text + "'");
    return start(ExprKind::broken);
  }
  finish(expr);
  return expr;
}

}  // namespace impound::jinja
