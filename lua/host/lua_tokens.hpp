// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Lua source as words, for what is looked up in it without running it.

#include <cstdint>
#include <string>
#include <string_view>

namespace impound::lua {

struct Token {
  enum class Kind : std::uint8_t { name, text, symbol, end };
  Kind kind = Kind::end;
  std::string value;  ///< of text: without quotes and escapes
  int line = 0;

  [[nodiscard]] bool is_symbol(std::string_view symbol) const {
    return kind == Kind::symbol && value == symbol;
  }
};

/// Words, strings and symbols of Lua source; comments are skipped. Numbers are
/// names, and every symbol but "==" is one character, which is all that its
/// readers need to know of them. Never fails: what is no Lua gives odd tokens.
class Tokens {
 public:
  explicit Tokens(std::string_view source) : source_(source) {}

  [[nodiscard]] Token next();

 private:
  void step();
  void skip_blank();
  /// Level of the long bracket that begins here ("[==[" is 2); -1 if none does.
  [[nodiscard]] int long_bracket() const;
  std::string skip_long(int level);
  std::string quoted(char quote);

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace impound::lua
