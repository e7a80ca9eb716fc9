// SPDX-License-Identifier: Apache-2.0
#include "lua/host/field_lines.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>
#include <vector>

namespace impound::lua {
namespace {

struct Token {
  enum class Kind : std::uint8_t { name, text, symbol, end };
  Kind kind = Kind::end;
  std::string value;
  int line = 0;
};

/// Words, strings and symbols of Lua source; comments are skipped. Numbers are
/// names, which is all that this file needs to know of them.
class Tokens {
 public:
  explicit Tokens(std::string_view source) : source_(source) {}

  Token next() {
    skip_blank();
    if (at_ >= source_.size()) return {Token::Kind::end, {}, line_};
    const char c = source_[at_];
    const int line = line_;
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      const std::size_t from = at_;
      while (at_ < source_.size() &&
             (std::isalnum(static_cast<unsigned char>(source_[at_])) != 0 ||
              source_[at_] == '_')) {
        ++at_;
      }
      return {Token::Kind::name, std::string(source_.substr(from, at_ - from)),
              line};
    }
    if (c == '"' || c == '\'') return {Token::Kind::text, quoted(c), line};
    if (c == '[') {
      if (const int level = long_bracket(); level >= 0) {
        return {Token::Kind::text, skip_long(level), line};
      }
    }
    ++at_;
    if (c == '=' && at_ < source_.size() && source_[at_] == '=') {
      ++at_;
      return {Token::Kind::symbol, "==", line};
    }
    return {Token::Kind::symbol, std::string(1, c), line};
  }

 private:
  void step() {
    if (source_[at_] == '\n') ++line_;
    ++at_;
  }

  void skip_blank() {
    while (at_ < source_.size()) {
      if (std::isspace(static_cast<unsigned char>(source_[at_])) != 0) {
        step();
      } else if (source_.substr(at_, 2) == "--") {
        at_ += 2;
        const int level = long_bracket();
        if (level >= 0) {
          static_cast<void>(skip_long(level));
        } else {
          while (at_ < source_.size() && source_[at_] != '\n') ++at_;
        }
      } else {
        return;
      }
    }
  }

  /// Level of the long bracket that begins here ("[==[" is 2); -1 if none does.
  [[nodiscard]] int long_bracket() const {
    if (at_ >= source_.size() || source_[at_] != '[') return -1;
    std::size_t i = at_ + 1;
    while (i < source_.size() && source_[i] == '=') ++i;
    if (i >= source_.size() || source_[i] != '[') return -1;
    return static_cast<int>(i - at_ - 1);
  }

  std::string skip_long(int level) {
    const std::string close =
        "]" + std::string(static_cast<std::size_t>(level), '=') + "]";
    const std::size_t from = at_ + close.size();
    while (at_ < source_.size() &&
           (at_ < from || source_.substr(at_, close.size()) != close)) {
      step();
    }
    const std::size_t to = at_;
    at_ = std::min(source_.size(), at_ + close.size());
    return from <= to ? std::string(source_.substr(from, to - from)) : "";
  }

  std::string quoted(char quote) {
    std::string value;
    ++at_;
    while (at_ < source_.size() && source_[at_] != quote &&
           source_[at_] != '\n') {
      if (source_[at_] == '\\' && at_ + 1 < source_.size()) step();
      value.push_back(source_[at_]);
      step();
    }
    if (at_ < source_.size() && source_[at_] == quote) ++at_;
    return value;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
};

/// An open table constructor.
struct Frame {
  std::string path;
  int elements = 0;
  int parentheses = 0;
  int blocks = 0;       ///< open function … end, if … end inside a value
  bool at_item = true;  ///< the next token begins an item
};

class Walk {
 public:
  Walk(std::string_view source, int from) : tokens_(source), from_(from) {}

  std::map<std::string, int> run() {
    Token token = tokens_.next();
    for (;;) {
      while (token.kind != Token::Kind::end &&
             (token.line < from_ || token.value != "playbook")) {
        token = tokens_.next();
      }
      if (token.kind == Token::Kind::end) return {};
      lines_[""] = token.line;
      token = tokens_.next();
      if (token.value == "(") token = tokens_.next();
      if (token.kind == Token::Kind::symbol && token.value == "{") break;
    }
    frames_.push_back({});
    token = tokens_.next();
    while (!frames_.empty() && token.kind != Token::Kind::end) {
      token = take(token);
    }
    return std::move(lines_);
  }

 private:
  static std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  /// Handles one token and returns the next.
  Token take(const Token& token) {
    Frame& frame = frames_.back();
    const bool symbol = token.kind == Token::Kind::symbol;
    if (frame.blocks == 0 && frame.parentheses == 0) {
      if (symbol && token.value == "}") {
        frames_.pop_back();
        return tokens_.next();
      }
      if (symbol && (token.value == "," || token.value == ";")) {
        frame.at_item = true;
        return tokens_.next();
      }
      if (frame.at_item) return begin_item(token);
      if (symbol && token.value == "{") {
        const std::string path = value_path_;
        frames_.push_back({.path = path});
        return tokens_.next();
      }
    }
    if (symbol && token.value == "(") ++frame.parentheses;
    if (symbol && token.value == ")" && frame.parentheses > 0) {
      --frame.parentheses;
    }
    if (token.kind == Token::Kind::name) {
      if (token.value == "function" || token.value == "if" ||
          token.value == "do" || token.value == "repeat") {
        ++frame.blocks;
      } else if ((token.value == "end" || token.value == "until") &&
                 frame.blocks > 0) {
        --frame.blocks;
      }
    }
    return tokens_.next();
  }

  Token begin_item(const Token& token) {
    Frame& frame = frames_.back();
    frame.at_item = false;
    if (token.kind == Token::Kind::name && token.value != "function") {
      const Token after = tokens_.next();
      if (after.value == "=") return name_item(token.value, token.line);
      number_item(token.line);
      return after;
    }
    if (token.value == "[" && token.kind == Token::Kind::symbol) {
      const Token key = tokens_.next();
      const Token close = tokens_.next();
      const Token equals = tokens_.next();
      if (key.kind == Token::Kind::text && close.value == "]" &&
          equals.value == "=") {
        return name_item(key.value, key.line);
      }
      return equals;
    }
    number_item(token.line);
    return take(token);
  }

  Token name_item(const std::string& key, int line) {
    value_path_ = join(frames_.back().path, key);
    lines_.emplace(value_path_, line);
    return tokens_.next();
  }

  void number_item(int line) {
    Frame& frame = frames_.back();
    value_path_ = frame.path + "[" + std::to_string(++frame.elements) + "]";
    lines_.emplace(value_path_, line);
  }

  Tokens tokens_;
  int from_;
  std::vector<Frame> frames_;
  std::string value_path_;
  std::map<std::string, int> lines_;
};

}  // namespace

std::map<std::string, int> field_lines(std::string_view source, int from) {
  return Walk(source, from).run();
}

int line_of_field(const std::map<std::string, int>& lines, std::string path,
                  int otherwise) {
  for (;;) {
    if (const auto found = lines.find(path); found != lines.end()) {
      return found->second;
    }
    if (path.empty()) return otherwise;
    const std::size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
}

}  // namespace impound::lua
