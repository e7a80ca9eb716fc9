// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle/pickle_number.hpp"

#include <charconv>
#include <limits>
#include <optional>

#include "core/formats/pickle/pickle_opcodes.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kMostPositive =
    static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

unsigned digit_of(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A') + 10;
  return 99;
}

std::string_view skip_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view strip(std::string_view text) {
  text = skip_space(text);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// What a C function sees of a line.
std::string_view up_to_nul(std::string_view line) {
  return line.substr(0, line.find('\0'));
}

/// A sign and digits.
struct Integer {
  bool is_negative = false;
  bool is_big = false;
  std::uint64_t magnitude = 0;
  std::string_view digits;  ///< as written, with underscores

  void add(unsigned digit, unsigned base) {
    if (magnitude > (std::numeric_limits<std::uint64_t>::max() - digit) / base)
      is_big = true;
    magnitude = magnitude * base + digit;
  }
  [[nodiscard]] bool fits() const {
    return !is_big && magnitude <= kMostPositive + (is_negative ? 1U : 0U);
  }
  [[nodiscard]] bool is_zero() const { return !is_big && magnitude == 0; }
  [[nodiscard]] std::int64_t value() const {
    return static_cast<std::int64_t>(is_negative ? 0 - magnitude : magnitude);
  }
};

bool take_sign(std::string_view& text) {
  if (text.empty() || (text.front() != '+' && text.front() != '-')) {
    return false;
  }
  const bool is_negative = text.front() == '-';
  text.remove_prefix(1);
  return is_negative;
}

/// The base that the prefix of a literal names; 0 if it has none.
unsigned base_of_prefix(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  switch (text[1]) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
    case 'O':
      return 8;
    case 'b':
    case 'B':
      return 2;
    default:
      return 0;
  }
}

/// PyLong_FromString, for base 0 or 10.
std::optional<Integer> python_int(std::string_view text, unsigned base) {
  Integer number;
  text = strip(text);
  number.is_negative = take_sign(text);
  bool must_be_zero = false;
  if (base == 0) {
    base = base_of_prefix(text);
    if (base != 0) {
      text.remove_prefix(2);
      if (text.starts_with('_')) text.remove_prefix(1);
    } else {
      // An octal number of old: refused, unless it is zero.
      must_be_zero = text.starts_with('0');
      base = 10;
    }
  }
  number.digits = text;
  bool may_underscore = false;  // between two digits only
  for (const char c : text) {
    if (c == '_') {
      if (!may_underscore) return std::nullopt;
      may_underscore = false;
      continue;
    }
    const unsigned digit = digit_of(c);
    if (digit >= base) return std::nullopt;
    number.add(digit, base);
    may_underscore = true;
  }
  if (!may_underscore) return std::nullopt;  // none at all, or a last "_"
  if (must_be_zero && !number.is_zero()) return std::nullopt;
  return number;
}

/// strtol(…, 0), if it ends where the line or its first NUL is.
std::optional<Integer> c_strtol(std::string_view line) {
  const std::string_view whole = up_to_nul(line);
  Integer number;
  // Nothing converted, and the end is the beginning: "\0…" is 0.
  if (whole.empty()) return number;
  std::string_view text = skip_space(whole);
  number.is_negative = take_sign(text);
  unsigned base = 10;
  if (base_of_prefix(text) == 16 && text.size() > 2 && digit_of(text[2]) < 16) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.starts_with('0')) {
    base = 8;
  }
  if (text.empty()) return std::nullopt;
  for (const char c : text) {
    const unsigned digit = digit_of(c);
    if (digit >= base) return std::nullopt;
    number.add(digit, base);
  }
  if (!number.fits()) return std::nullopt;  // ERANGE: read as a Python int
  return number;
}

/// [+-] (digits [. digits] | . digits) [e [+-] digits], inf, infinity, nan.
bool is_float(std::string_view text) {
  static_cast<void>(take_sign(text));
  std::string lower(text.substr(0, 9));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (text.size() == lower.size() &&
      (lower == "inf" || lower == "infinity" || lower == "nan")) {
    return true;
  }
  std::size_t digits = 0;
  const auto take_digits = [&] {
    while (!text.empty() && is_digit(text.front())) {
      text.remove_prefix(1);
      ++digits;
    }
  };
  take_digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    take_digits();
  }
  if (digits == 0) return false;
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  static_cast<void>(take_sign(text));
  digits = 0;
  take_digits();
  return digits != 0 && text.empty();
}

/// The value of a text that is_float().
double float_value(std::string_view text, bool& is_too_large) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc::result_out_of_range) {
    const bool is_small = text.find("e-") != std::string_view::npos ||
                          text.find("E-") != std::string_view::npos;
    is_too_large = !is_small;
    value = is_small ? 0 : std::numeric_limits<double>::infinity();
    if (text.starts_with('-')) value = -value;
  }
  return value;
}

/// float(): white space around, underscores between digits.
std::optional<std::string> without_underscores(std::string_view line) {
  const std::string_view text = strip(line);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
    } else if (i == 0 || !is_digit(text[i - 1]) || i + 1 == text.size() ||
               !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return plain;
}

PickleNumber from(const Integer& integer) {
  PickleNumber number;
  if (integer.fits()) {
    number.kind = PickleNumber::Kind::integer;
    number.integer = integer.value();
  } else {
    number.kind = PickleNumber::Kind::big_integer;
  }
  return number;
}

/// What the two loaders make of a line; the C one's value where both take it.
PickleNumber either(const std::optional<Integer>& in_c,
                    const std::optional<Integer>& in_python) {
  if (!in_c && !in_python) return {};
  PickleNumber number = from(in_c ? *in_c : *in_python);
  number.is_disputed = !in_c || !in_python;
  return number;
}

PickleNumber read_int(std::string_view line) {
  if (line == "00" || line == "01") {
    PickleNumber number;
    number.kind = PickleNumber::Kind::boolean;
    number.integer = line == "01" ? 1 : 0;
    return number;
  }
  std::optional<Integer> in_c;
  if (!line.empty()) {
    in_c = c_strtol(line);
    if (!in_c) in_c = python_int(up_to_nul(line), 0);
  }
  return either(in_c, python_int(line, 0));
}

PickleNumber read_long(std::string_view line) {
  if (line.ends_with('L')) line.remove_suffix(1);
  return either(python_int(up_to_nul(line), 0), python_int(line, 0));
}

PickleNumber read_float(std::string_view line) {
  PickleNumber number;
  bool is_too_large = false;
  const std::string_view in_c = up_to_nul(line);
  if (is_float(in_c)) {
    number.real = float_value(in_c, is_too_large);
    // OverflowError in C, infinity in Python, if that takes it at all.
    if (!is_too_large) {
      number.kind = PickleNumber::Kind::real;
      number.is_disputed = in_c.size() != line.size();
      return number;
    }
  }
  const std::optional<std::string> plain = without_underscores(line);
  if (!plain || !is_float(*plain)) return number;
  number.kind = PickleNumber::Kind::real;
  number.real = float_value(*plain, is_too_large);
  number.is_disputed = true;
  return number;
}

PickleNumber read_memo_index(std::string_view line) {
  const std::optional<Integer> in_c = python_int(up_to_nul(line), 10);
  const std::optional<Integer> in_python = python_int(line, 10);
  const std::optional<Integer>& taken = in_c ? in_c : in_python;
  if (!taken || (taken->is_negative && !taken->is_zero())) return {};
  PickleNumber number = either(in_c, in_python);
  if (number.kind != PickleNumber::Kind::big_integer) return number;
  // The C loader's index is a machine word, Python's memo takes any integer.
  number.is_disputed = true;
  if (!in_python) return {};
  for (const char c : taken->digits) {
    if (c == '_' || (c == '0' && number.digits.empty())) continue;
    number.digits += c;
  }
  return number;
}

}  // namespace

PickleNumber read_pickle_number(std::uint8_t opcode, std::string_view line) {
  switch (opcode) {
    case pickle_op::kInt:
      return read_int(line);
    case pickle_op::kLong:
      return read_long(line);
    case pickle_op::kFloat:
      return read_float(line);
    default:
      return read_memo_index(line);
  }
}

}  // namespace impound
