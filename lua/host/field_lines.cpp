// SPDX-License-Identifier: Apache-2.0
#include "lua/host/field_lines.hpp"

#include <string>
#include <vector>

#include "lua/host/lua_tokens.hpp"

namespace impound::lua {
namespace {

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
