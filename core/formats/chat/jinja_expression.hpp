// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The expression half of the Jinja parser: operators by their precedence.

#include <span>
#include <string>
#include <string_view>

#include "core/formats/chat/jinja.hpp"

namespace impound::jinja {

/// Reads expressions from the words of one block. After the first thing it
/// does not understand it stands at the end and every further expression is
/// `broken`; error() says what it was.
class ExpressionParser {
 public:
  explicit ExpressionParser(std::span<const Token> tokens) : tokens_(tokens) {}

  [[nodiscard]] Expr expression();
  /// Expressions joined by commas: a list if there is more than one.
  [[nodiscard]] Expr expression_list();
  /// A value without a trailing if-else, as `for x in …` needs it.
  [[nodiscard]] Expr unconditional();

  [[nodiscard]] bool at_end() const { return at_ >= tokens_.size(); }
  [[nodiscard]] bool next_is(std::string_view text) const;
  /// Consumes the word if it comes next.
  bool accept(std::string_view text);
  /// The next name, consumed; empty (and an error) if it is none.
  [[nodiscard]] std::string name();

  [[nodiscard]] bool failed() const { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] std::uint64_t error_offset() const { return error_offset_; }

 private:
  using Level = Expr (ExpressionParser::*)();

  [[nodiscard]] Expr conditional();
  [[nodiscard]] Expr disjunction();
  [[nodiscard]] Expr conjunction();
  [[nodiscard]] Expr negation();
  [[nodiscard]] Expr comparison();
  [[nodiscard]] Expr sum();
  [[nodiscard]] Expr concatenation();
  [[nodiscard]] Expr product();
  [[nodiscard]] Expr signed_value();
  [[nodiscard]] Expr postfixed();
  [[nodiscard]] Expr primary();
  [[nodiscard]] Expr dictionary();
  [[nodiscard]] Expr test_of(Expr subject);
  void read_subscript(Expr& into);
  void read_arguments(Expr& into, std::string_view closing);
  [[nodiscard]] Expr chain(Level next, ExprKind kind,
                           std::span<const std::string_view> operations);

  [[nodiscard]] const Token* peek() const;
  [[nodiscard]] Expr start(ExprKind kind) const;
  [[nodiscard]] Expr wrap(Expr inner, ExprKind kind) const;
  /// Sets the end and the depth; too deep is an error.
  void finish(Expr& expr);
  void fail(std::string message);

  std::span<const Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string error_;
  std::uint64_t error_offset_ = 0;
};

}  // namespace impound::jinja
