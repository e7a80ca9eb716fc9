// SPDX-License-Identifier: Apache-2.0
#include "core/formats/numpy/numpy_literal.hpp"

#include <charconv>

#include "core/base/error.hpp"
#include "core/formats/pickle/pickle_text.hpp"

namespace impound {
namespace {

constexpr int kMaxNesting = 32;

class LiteralParser {
 public:
  explicit LiteralParser(std::string_view text) : text_(text) {}

  PythonLiteral whole() {
    PythonLiteral value = parse(0);
    blanks();
    if (at_ != text_.size()) fail("nothing more");
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view wanted) const {
    throw Error(Errc::malformed, "Python literal, at " + std::to_string(at_) +
                                     ": expected " + std::string(wanted));
  }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                  text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view wanted) {
    if (!text_.substr(at_).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }

  PythonLiteral parse(int depth) {
    if (depth > kMaxNesting) {
      throw Error(Errc::limit, "Python literal nested too deep");
    }
    blanks();
    if (at_ >= text_.size()) fail("a value");
    PythonLiteral value;
    const char c = text_[at_];
    if (c == '\'' || c == '"') return quoted(c);
    if (c == '(' || c == '[') {
      ++at_;
      value.kind = PythonLiteral::Kind::list;
      sequence(value, c == '(' ? ')' : ']', depth);
      return value;
    }
    if (c == '{') {
      ++at_;
      value.kind = PythonLiteral::Kind::dict;
      while (!take('}')) {
        value.items.push_back(parse(depth + 1));
        if (!take(':')) fail("':'");
        value.items.push_back(parse(depth + 1));
        if (!take(',')) {
          if (take('}')) break;
          fail("',' or '}'");
        }
      }
      return value;
    }
    if (word("True")) {
      value.kind = PythonLiteral::Kind::boolean;
      value.number = 1;
      return value;
    }
    if (word("False")) {
      value.kind = PythonLiteral::Kind::boolean;
      return value;
    }
    if (word("None")) return value;
    // Python 2 wrote u'f8' and 3L.
    if (c == 'u' && at_ + 1 < text_.size() &&
        (text_[at_ + 1] == '\'' || text_[at_ + 1] == '"')) {
      ++at_;
      return quoted(text_[at_]);
    }
    value.kind = PythonLiteral::Kind::integer;
    const char* const first = text_.data() + at_;
    const auto parsed =
        std::from_chars(first, text_.data() + text_.size(), value.number);
    if (parsed.ec != std::errc{}) fail("a string, number, tuple, list or dict");
    at_ += static_cast<std::size_t>(parsed.ptr - first);
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;
    return value;
  }

  void sequence(PythonLiteral& into, char close, int depth) {
    while (!take(close)) {
      into.items.push_back(parse(depth + 1));
      if (!take(',')) {
        if (take(close)) return;
        fail("',' or a closing bracket");
      }
    }
  }

  PythonLiteral quoted(char quote) {
    const std::size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != quote) {
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) fail("a closing quote");
    ++at_;
    PythonLiteral value;
    value.kind = PythonLiteral::Kind::text;
    value.text = decode_quoted(text_.substr(begin, at_ - begin));
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

const PythonLiteral* PythonLiteral::find(std::string_view key) const {
  if (kind != Kind::dict) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].kind == Kind::text && items[i].text == key) {
      return &items[i + 1];
    }
  }
  return nullptr;
}

PythonLiteral parse_python_literal(std::string_view text) {
  return LiteralParser(text).whole();
}

}  // namespace impound
