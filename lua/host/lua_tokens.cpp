// SPDX-License-Identifier: Apache-2.0
#include "lua/host/lua_tokens.hpp"

#include <algorithm>
#include <cctype>

namespace impound::lua {

Token Tokens::next() {
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

void Tokens::step() {
  if (source_[at_] == '\n') ++line_;
  ++at_;
}

void Tokens::skip_blank() {
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

int Tokens::long_bracket() const {
  if (at_ >= source_.size() || source_[at_] != '[') return -1;
  std::size_t i = at_ + 1;
  while (i < source_.size() && source_[i] == '=') ++i;
  if (i >= source_.size() || source_[i] != '[') return -1;
  return static_cast<int>(i - at_ - 1);
}

std::string Tokens::skip_long(int level) {
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

std::string Tokens::quoted(char quote) {
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

}  // namespace impound::lua
