// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "core/formats/chat/jinja.hpp"
#include "core/formats/chat/jinja_expression.hpp"

namespace impound::jinja {
namespace {

/// Words that end the body they stand in, and what they end.
struct Ending {
  std::string_view opener;
  std::string_view closer;
};
constexpr std::array<Ending, 12> kEndings = {{{"if", "endif"},
                                              {"for", "endfor"},
                                              {"set", "endset"},
                                              {"macro", "endmacro"},
                                              {"call", "endcall"},
                                              {"filter", "endfilter"},
                                              {"block", "endblock"},
                                              {"with", "endwith"},
                                              {"autoescape", "endautoescape"},
                                              {"generation", "endgeneration"},
                                              {"trans", "endtrans"},
                                              {"raw", "endraw"}}};

std::string_view closer_of(std::string_view opener) {
  for (const Ending& ending : kEndings) {
    if (ending.opener == opener) return ending.closer;
  }
  return {};
}

bool ends_a_body(std::string_view word) {
  if (word == "elif" || word == "else") return true;
  return std::ranges::any_of(
      kEndings, [&](const Ending& ending) { return ending.closer == word; });
}

class TreeBuilder {
 public:
  explicit TreeBuilder(std::string_view source) {
    pieces_ = cut_pieces(source, result_.problems);
  }

  Template run() {
    while (at_ < pieces_.size()) {
      read_body(result_.nodes);
      if (at_ < pieces_.size()) {  // an ending without its beginning
        problem(pieces_[at_].begin, "'" + word_of(pieces_[at_]) +
                                        "' ends a block that was not begun");
        ++at_;
      }
    }
    return std::move(result_);
  }

 private:
  static std::string word_of(const Piece& piece) {
    if (piece.kind != PieceKind::statement || piece.tokens.empty()) return {};
    return piece.tokens.front().text;
  }

  void problem(std::uint64_t offset, std::string message) {
    if (result_.problems.size() >= 100) return;
    result_.problems.push_back(
        {"jinja-syntax", Severity::medium, offset, std::move(message)});
  }

  void check(const ExpressionParser& parser, const Piece& piece) {
    if (parser.failed()) {
      problem(std::max(parser.error_offset(), piece.begin), parser.error());
    } else if (!parser.at_end()) {
      problem(piece.begin, "words left over at the end of a block");
    }
  }

  /// Stops before a statement that ends a body, or at the end.
  void read_body(std::vector<Node>& into) {
    while (at_ < pieces_.size()) {
      const Piece& piece = pieces_[at_];
      if (piece.kind == PieceKind::statement && ends_a_body(word_of(piece))) {
        return;
      }
      ++at_;
      Node node;
      node.begin = piece.begin;
      node.end = piece.end;
      if (piece.kind == PieceKind::text) {
        node.kind = NodeKind::text;
        node.text = piece.text;
      } else if (piece.kind == PieceKind::output) {
        node.kind = NodeKind::output;
        ExpressionParser parser(piece.tokens);
        node.value = parser.expression_list();
        check(parser, piece);
      } else {
        read_statement(node, piece);
      }
      into.push_back(std::move(node));
    }
  }

  void read_statement(Node& node, const Piece& piece) {
    const std::string word = word_of(piece);
    if (word.empty()) {
      node.kind = NodeKind::statement;
      node.names.emplace_back();
      problem(piece.begin, "an empty block");
      return;
    }
    ExpressionParser parser(std::span<const Token>(piece.tokens)
                                .subspan(piece.tokens.empty() ? 0 : 1));
    std::string_view closer = closer_of(word);
    if (word == "if") {
      read_if(node, piece, parser);
      return;
    }
    if (word == "for") {
      read_names(node, parser, "in");
      node.kind = NodeKind::loop;
      node.value = parser.unconditional();
      if (parser.accept("if")) node.extra.push_back(parser.expression());
      static_cast<void>(parser.accept("recursive"));
    } else if (word == "set") {
      node.kind = NodeKind::set;
      read_targets(node, parser);
      if (node.names.empty()) problem(piece.begin, "a set without a name");
      if (parser.accept("=")) {
        node.value = parser.expression_list();
        closer = {};
      } else {
        while (parser.accept("|")) {
          node.extra.push_back(parser.unconditional());
        }
      }
    } else if (word == "macro") {
      node.kind = NodeKind::macro;
      node.names.push_back(parser.name());
      if (parser.accept("(")) {
        while (!parser.failed() && !parser.accept(")")) {
          node.names.push_back(parser.name());
          if (parser.accept("=")) node.extra.push_back(parser.expression());
          static_cast<void>(parser.accept(","));
        }
      }
    } else if (word == "with") {
      node.kind = NodeKind::with;
      while (!parser.failed() && !parser.at_end()) {
        node.names.push_back(parser.name());
        if (!parser.accept("=")) break;
        node.extra.push_back(parser.expression());
        static_cast<void>(parser.accept(","));
      }
    } else if (word == "call" || word == "filter") {
      node.kind = word == "call" ? NodeKind::call : NodeKind::filter;
      if (word == "call" && parser.accept("(")) {
        while (!parser.failed() && !parser.accept(")")) {
          node.names.push_back(parser.name());
          static_cast<void>(parser.accept(","));
        }
      }
      node.value = parser.expression();
    } else if (word == "include" || word == "import" || word == "from" ||
               word == "extends") {
      node.kind = NodeKind::load;
      node.names.push_back(word);
      node.value = parser.unconditional();
      check_failure(parser, piece);
      return;  // "as", "ignore missing" … follow
    } else {
      node.kind = NodeKind::statement;
      node.names.push_back(word);
      if (word == "do" || word == "autoescape") {
        node.value = parser.expression();
      } else {
        check_failure(parser, piece);
        read_closed_body(node, piece, closer);
        return;
      }
    }
    check(parser, piece);
    read_closed_body(node, piece, closer);
  }

  void check_failure(const ExpressionParser& parser, const Piece& piece) {
    if (parser.failed()) check(parser, piece);
  }

  void read_closed_body(Node& node, const Piece& piece,
                        std::string_view closer) {
    if (closer.empty()) return;
    if (++depth_ > kMaxBlocks) {
      problem(piece.begin, "blocks nested deeper than 64");
      at_ = pieces_.size();
      --depth_;
      return;
    }
    node.branches.emplace_back();
    read_body(node.branches.back().body);
    if (at_ < pieces_.size() && word_of(pieces_[at_]) == "else") {
      ++at_;
      node.branches.emplace_back();
      read_body(node.branches.back().body);
    }
    close(piece, closer);
    --depth_;
  }

  void close(const Piece& opener, std::string_view closer) {
    if (at_ >= pieces_.size()) {
      problem(opener.begin,
              "the block '" + word_of(opener) + "' is never closed");
      return;
    }
    if (word_of(pieces_[at_]) != closer) {
      problem(pieces_[at_].begin, "expected '" + std::string(closer) +
                                      "', found '" + word_of(pieces_[at_]) +
                                      "'");
      return;  // left for the block it belongs to
    }
    ++at_;
  }

  void read_if(Node& node, const Piece& piece, ExpressionParser& first) {
    node.kind = NodeKind::branches;
    if (++depth_ > kMaxBlocks) {
      problem(piece.begin, "blocks nested deeper than 64");
      at_ = pieces_.size();
      --depth_;
      return;
    }
    node.branches.emplace_back();
    node.branches.back().condition = first.expression_list();
    check(first, piece);
    read_body(node.branches.back().body);
    while (at_ < pieces_.size()) {
      const Piece& next = pieces_[at_];
      const std::string word = word_of(next);
      if (word != "elif" && word != "else") break;
      ++at_;
      node.branches.emplace_back();
      if (word == "elif") {
        ExpressionParser parser(std::span<const Token>(next.tokens).subspan(1));
        node.branches.back().condition = parser.expression_list();
        check(parser, next);
      }
      read_body(node.branches.back().body);
    }
    close(piece, "endif");
    --depth_;
  }

  /// "a, b in": the names before `stop`, which is consumed.
  static void read_names(Node& node, ExpressionParser& parser,
                         std::string_view stop) {
    while (!parser.failed() && !parser.accept(stop)) {
      if (parser.accept("(") || parser.accept(")") || parser.accept(",")) {
        continue;
      }
      node.names.push_back(parser.name());
    }
  }

  /// "x", "a, b" or "ns.field" before '='.
  static void read_targets(Node& node, ExpressionParser& parser) {
    while (!parser.failed() && !parser.at_end() && !parser.next_is("=") &&
           !parser.next_is("|")) {
      if (parser.accept(",") || parser.accept("(") || parser.accept(")")) {
        continue;
      }
      std::string name = parser.name();
      while (parser.accept(".")) name += "." + parser.name();
      node.names.push_back(std::move(name));
    }
  }

  std::vector<Piece> pieces_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Template result_;
};

}  // namespace

Template parse(std::string_view source) {
  if (source.size() > kMaxTemplate) {
    Template result;
    result.problems.push_back(
        {"jinja-too-large", Severity::high, 0,
         "a template of " + std::to_string(source.size()) +
             " bytes is not read; templates have some kilobytes"});
    return result;
  }
  return TreeBuilder(source).run();
}

}  // namespace impound::jinja
