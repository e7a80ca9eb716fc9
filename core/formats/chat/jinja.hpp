// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Jinja templates as a tree: enough of the language to say what a chat
/// template would write, and when. Nothing is ever rendered or evaluated.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/problem.hpp"

namespace impound::jinja {

/// What stands between the delimiters, cut into words.
enum class TokenKind : std::uint8_t { name, string, number, operation };

struct Token {
  TokenKind kind = TokenKind::operation;
  std::string text;  ///< strings: without quotes, escapes decoded
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// One piece of a template: literal text, {{ … }} or {% … %}.
enum class PieceKind : std::uint8_t { text, output, statement };

struct Piece {
  PieceKind kind = PieceKind::text;
  std::string text;  ///< text pieces: after whitespace control
  std::vector<Token> tokens;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Cuts a template into pieces. Comments are dropped; {% raw %} becomes text.
[[nodiscard]] std::vector<Piece> cut_pieces(std::string_view source,
                                            Problems& problems);

enum class ExprKind : std::uint8_t {
  string,
  number,
  constant,     ///< true, false, none; in `text`
  name,         ///< `text`
  attribute,    ///< children[0].text
  subscript,    ///< children[0][children[1]], or a slice with more children
  call,         ///< children[0](children[1…]); keyword names in `keywords`
  filter,       ///< children[0] | text(children[1…])
  test,         ///< children[0] is text(children[1…])
  logic,        ///< and, or, not over the children; operator in `text`
  comparison,   ///< children joined by ==, in, …; first operator in `text`
  arithmetic,   ///< + - ~ * / over the children; first operator in `text`
  conditional,  ///< children: value, condition[, other value]
  list,         ///< also tuples
  dictionary,   ///< key, value, key, value …
  broken,       ///< could not be parsed
};

struct Expr {
  ExprKind kind = ExprKind::broken;
  std::string text;
  std::vector<Expr> children;
  std::vector<std::string> keywords;  ///< aligned with the last children
  std::uint64_t begin = 0;            ///< bytes in the template
  std::uint64_t end = 0;
  int depth = 1;
};

enum class NodeKind : std::uint8_t {
  text,       ///< literal output
  output,     ///< {{ value }}
  branches,   ///< if / elif / else
  loop,       ///< for: names, value = iterable, extra[0] = filter
  set,        ///< set names = value, or of its body
  macro,      ///< names[0](names[1…])
  with,       ///< names = extra; body
  call,       ///< call block: value
  filter,     ///< filter block: value
  load,       ///< include, import, from, extends: names[0] is the word
  statement,  ///< do, break, continue and unknown words; names[0] is the word
};

struct Node;

struct Branch {
  std::optional<Expr> condition;  ///< empty for else and for plain bodies
  std::vector<Node> body;
};

struct Node {
  NodeKind kind = NodeKind::text;
  std::string text;
  std::vector<std::string> names;
  std::optional<Expr> value;
  std::vector<Expr> extra;
  std::vector<Branch> branches;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct Template {
  std::vector<Node> nodes;
  Problems problems;  ///< "jinja-…": what could not be parsed
};

/// Nesting of blocks and of expressions; deeper is a problem and not read.
inline constexpr int kMaxBlocks = 64;
inline constexpr int kMaxExpression = 128;

/// Bytes of one template. The longest in use have 50 kB; a longer one is a
/// problem and not parsed.
inline constexpr std::size_t kMaxTemplate = 2 * 1024 * 1024;

/// Never throws for anything in `source`.
[[nodiscard]] Template parse(std::string_view source);

/// The expression as it was written, on one line.
[[nodiscard]] std::string as_written(const Expr& expr, std::string_view source);

}  // namespace impound::jinja
