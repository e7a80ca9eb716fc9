// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/bytes.hpp"
#include "core/base/text.hpp"
#include "core/base/utf8.hpp"
#include "core/formats/chat/jinja.hpp"

namespace impound::jinja {
namespace {

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_name_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_char(char c) { return is_name_start(c) || is_digit(c); }

/// Python's string escapes, because Jinja decodes them: '\x5f' hides '_'.
std::string decode_escapes(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 >= raw.size()) {
      out.push_back(raw[i]);
      continue;
    }
    const char kind = raw[++i];
    std::size_t digits = 0;
    if (kind == 'x') digits = 2;
    if (kind == 'u') digits = 4;
    if (kind == 'U') digits = 8;
    if (digits != 0) {
      std::uint32_t value = 0;
      bool valid = i + digits < raw.size();
      for (std::size_t d = 1; valid && d <= digits; ++d) {
        const int nibble = hex_value(raw[i + d]);
        valid = nibble >= 0;
        value = (value << 4U) | static_cast<std::uint32_t>(valid ? nibble : 0);
      }
      if (valid && value <= 0x10ffff) {
        append_utf8(out, value);
        i += digits;
        continue;
      }
    }
    if (kind >= '0' && kind <= '7') {
      std::uint32_t value = 0;
      std::size_t used = 0;
      while (used < 3 && i + used < raw.size() && raw[i + used] >= '0' &&
             raw[i + used] <= '7') {
        value = value * 8 + static_cast<std::uint32_t>(raw[i + used] - '0');
        ++used;
      }
      append_utf8(out, value);
      i += used - 1;
      continue;
    }
    switch (kind) {
      case 'n':
        out.push_back('\n');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case '\n':
        break;
      case '\\':
      case '\'':
      case '"':
        out.push_back(kind);
        break;
      default:
        out.push_back('\\');
        out.push_back(kind);
    }
  }
  return out;
}

class Cutter {
 public:
  Cutter(std::string_view source, Problems& problems)
      : source_(source), problems_(problems) {}

  std::vector<Piece> run() {
    while (at_ < source_.size()) {
      const std::size_t open = next_delimiter(at_);
      add_text(at_, open);
      if (open == source_.size()) break;
      at_ = open;
      read_block();
    }
    return std::move(pieces_);
  }

 private:
  [[nodiscard]] std::size_t next_delimiter(std::size_t from) const {
    for (std::size_t i = source_.find('{', from); i != std::string_view::npos;
         i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' ||
           source_[i + 1] == '#')) {
        return i;
      }
    }
    return source_.size();
  }

  void add_text(std::size_t begin, std::size_t end) {
    std::string_view text = source_.substr(begin, end - begin);
    std::size_t first = begin;
    if (trim_next_) {
      while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
        ++first;
      }
    }
    trim_next_ = false;
    // The block that follows decides about the blanks before it: "{%-".
    if (end + 2 < source_.size() && source_[end + 2] == '-') {
      while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    }
    if (text.empty()) return;
    pieces_.push_back({.kind = PieceKind::text,
                       .text = std::string(text),
                       .tokens = {},
                       .begin = first,
                       .end = first + text.size()});
  }

  void problem(std::string_view rule, std::size_t offset,
               std::string_view message) {
    if (problems_.size() >= 100) return;
    problems_.push_back(
        {std::string(rule), Severity::medium, offset, std::string(message)});
  }

  void read_block() {
    const std::size_t begin = at_;
    const char kind = source_[at_ + 1];
    at_ += 2;
    if (kind == '#') {
      const std::size_t close = source_.find("#}", at_);
      if (close == std::string_view::npos) {
        problem("jinja-unclosed", begin, "a comment is never closed");
        at_ = source_.size();
        return;
      }
      trim_next_ = close > at_ && source_[close - 1] == '-';
      at_ = close + 2;
      return;
    }
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) {
      ++at_;
    }
    Piece piece{.kind = kind == '{' ? PieceKind::output : PieceKind::statement,
                .text = {},
                .tokens = {},
                .begin = begin,
                .end = begin};
    read_tokens(piece, kind == '{' ? '}' : '%');
    piece.end = at_;
    if (piece.kind == PieceKind::statement && piece.tokens.size() == 1 &&
        piece.tokens.front().text == "raw") {
      read_raw();
      return;
    }
    pieces_.push_back(std::move(piece));
  }

  /// Everything up to {% endraw %} is text.
  void read_raw() {
    const std::size_t begin = at_;
    for (std::size_t open = source_.find("{%", at_);
         open != std::string_view::npos; open = source_.find("{%", open + 2)) {
      std::size_t word = open + 2;
      while (word < source_.size() &&
             (is_space(source_[word]) || source_[word] == '-' ||
              source_[word] == '+')) {
        ++word;
      }
      if (source_.substr(word, 6) != "endraw") continue;
      const std::size_t close = source_.find("%}", word);
      if (close == std::string_view::npos) break;
      add_text(begin, open);
      trim_next_ = source_[close - 1] == '-';
      at_ = close + 2;
      return;
    }
    problem("jinja-unclosed", begin, "a raw block is never closed");
    add_text(begin, source_.size());
    at_ = source_.size();
  }

  void read_tokens(Piece& piece, char closing) {
    int brackets = 0;
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (is_space(c)) {
        ++at_;
        continue;
      }
      if (brackets == 0 && closes_here(closing)) return;
      const std::size_t begin = at_;
      Token token{.kind = TokenKind::operation,
                  .text = {},
                  .begin = begin,
                  .end = begin};
      if (c == '"' || c == '\'') {
        if (!read_string(token)) return;
      } else if (is_name_start(c)) {
        token.kind = TokenKind::name;
        while (at_ < source_.size() && is_name_char(source_[at_])) ++at_;
      } else if (is_digit(c)) {
        token.kind = TokenKind::number;
        while (at_ < source_.size() &&
               (is_name_char(source_[at_]) ||
                (source_[at_] == '.' && at_ + 1 < source_.size() &&
                 is_digit(source_[at_ + 1])))) {
          ++at_;
        }
      } else {
        if (c == '(' || c == '[' || c == '{') ++brackets;
        if ((c == ')' || c == ']' || c == '}') && brackets > 0) --brackets;
        at_ += operator_length();
      }
      token.end = at_;
      if (token.kind != TokenKind::string) {
        token.text = std::string(source_.substr(begin, at_ - begin));
      }
      piece.tokens.push_back(std::move(token));
    }
    problem("jinja-unclosed", piece.begin, "a block is never closed");
  }

  /// Consumes "%}", "-%}" or "+%}" (and "}}" likewise).
  bool closes_here(char closing) {
    std::size_t i = at_;
    const bool trims = source_[i] == '-';
    if (source_[i] == '-' || source_[i] == '+') ++i;
    if (i + 1 >= source_.size() || source_[i] != closing ||
        source_[i + 1] != '}') {
      return false;
    }
    trim_next_ = trims;
    at_ = i + 2;
    return true;
  }

  bool read_string(Token& token) {
    token.kind = TokenKind::string;
    const char quote = source_[at_];
    std::size_t i = at_ + 1;
    while (i < source_.size() && source_[i] != quote) {
      i += source_[i] == '\\' ? 2U : 1U;
    }
    if (i >= source_.size()) {
      problem("jinja-unclosed", at_, "a string is never closed");
      at_ = source_.size();
      return false;
    }
    token.text = decode_escapes(source_.substr(at_ + 1, i - at_ - 1));
    at_ = i + 1;
    return true;
  }

  [[nodiscard]] std::size_t operator_length() const {
    static constexpr std::array<std::string_view, 6> kTwo = {
        "==", "!=", "<=", ">=", "//", "**"};
    const std::string_view two = source_.substr(at_, 2);
    return std::ranges::find(kTwo, two) != kTwo.end() ? 2U : 1U;
  }

  std::string_view source_;
  Problems& problems_;
  std::vector<Piece> pieces_;
  std::size_t at_ = 0;
  bool trim_next_ = false;
};

}  // namespace

std::vector<Piece> cut_pieces(std::string_view source, Problems& problems) {
  return Cutter(source, problems).run();
}

std::string as_written(const Expr& expr, std::string_view source) {
  if (expr.begin >= expr.end || expr.end > source.size()) return {};
  std::string line;
  bool blank = false;
  for (const char c : source.substr(expr.begin, expr.end - expr.begin)) {
    if (is_space(c)) {
      blank = !line.empty();
      continue;
    }
    if (blank) line.push_back(' ');
    blank = false;
    line.push_back(c);
  }
  return printable(line);
}

}  // namespace impound::jinja
