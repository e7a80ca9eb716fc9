// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle/pickle_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/text.hpp"
#include "core/base/utf8.hpp"

namespace impound {
namespace {

std::optional<std::uint32_t> hex_number(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return std::nullopt;
    }
    value = value << 4U | digit;
  }
  return value;
}

/// One escape of a quoted string; `at` stands behind the backslash.
void decode_escape(std::string_view line, std::size_t& at, std::string& out) {
  const char c = line[at++];
  switch (c) {
    case 'n':
      out += '\n';
      return;
    case 't':
      out += '\t';
      return;
    case 'r':
      out += '\r';
      return;
    case 'a':
      out += '\a';
      return;
    case 'b':
      out += '\b';
      return;
    case 'f':
      out += '\f';
      return;
    case 'v':
      out += '\v';
      return;
    case '\\':
    case '\'':
    case '"':
      out += c;
      return;
    default:
      break;
  }
  if (c == 'x' && at + 2 <= line.size()) {
    if (const auto value = hex_number(line.substr(at, 2))) {
      out += static_cast<char>(*value);
      at += 2;
      return;
    }
  }
  if (c >= '0' && c <= '7') {
    unsigned value = static_cast<unsigned>(c - '0');
    for (int i = 0;
         i < 2 && at < line.size() && line[at] >= '0' && line[at] <= '7'; ++i) {
      value = value * 8 + static_cast<unsigned>(line[at++] - '0');
    }
    out += static_cast<char>(value & 0xffU);
    return;
  }
  out += '\\';
  out += c;
}

}  // namespace

std::string decode_raw_unicode_escape(std::string_view line) {
  std::string out;
  std::size_t backslashes = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\') {
      ++backslashes;
      out += c;
      continue;
    }
    const std::size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (backslashes % 2 == 1 && digits != 0 && i + digits < line.size()) {
      if (const auto code = hex_number(line.substr(i + 1, digits))) {
        out.pop_back();
        append_utf8(out, *code);
        i += digits;
        backslashes = 0;
        continue;
      }
    }
    backslashes = 0;
    append_utf8(out, static_cast<unsigned char>(c));
  }
  return out;
}

std::string decode_quoted(std::string_view line) {
  line = trim(line);
  if (line.size() < 2 || (line.front() != '\'' && line.front() != '"') ||
      line.back() != line.front()) {
    return std::string(line);
  }
  line = line.substr(1, line.size() - 2);
  std::string out;
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == '\\' && at + 1 < line.size()) {
      ++at;
      decode_escape(line, at, out);
    } else {
      out += line[at++];
    }
  }
  return out;
}

std::string python_repr(std::string_view value, ReprOf what) {
  const bool has_single = value.find('\'') != std::string_view::npos;
  const bool has_double = value.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  const bool is_text = what == ReprOf::text && is_utf8(value);
  std::string out(1, quote);
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += quote;
  return out;
}

bool is_python_path(std::string_view name) noexcept {
  if (name.empty() || name.size() > 512) return false;
  bool at_start = true;
  for (const char c : name) {
    if (c == '.') {
      if (at_start) return false;
      at_start = true;
      continue;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        c == '_' || static_cast<unsigned char>(c) >= 0x80;
    const bool digit = c >= '0' && c <= '9';
    if (!letter && (!digit || at_start) && c != '<' && c != '>') return false;
    at_start = false;
  }
  return !at_start;
}

}  // namespace impound
