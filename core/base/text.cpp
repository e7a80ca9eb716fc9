// SPDX-License-Identifier: Apache-2.0
#include "core/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.hpp"
#include "core/base/screen_text.hpp"
#include "core/base/utf8.hpp"

namespace impound {
namespace {

bool needs_escape(std::string_view bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode_utf8(bytes.substr(i));
    if (c.length == 0 || is_control_character(c.value) || c.value == '\\')
      return true;
    i += c.length;
  }
  return false;
}

std::string escape(std::string_view bytes, bool deceptive_too) {
  std::string out;
  out.reserve(bytes.size() + 8);
  for (std::size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode_utf8(bytes.substr(i));
    const std::size_t length = std::max<std::size_t>(c.length, 1);
    if (c.length == 0 || is_control_character(c.value) || c.value == '\\') {
      for (std::size_t k = 0; k < length; ++k) {
        out +=
            fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[i + k]));
      }
    } else if (deceptive_too && is_deceptive_character(c.value)) {
      out += fmt::format("\\u{{{:x}}}", c.value);
    } else {
      out.append(bytes.substr(i, length));
    }
    i += length;
  }
  return out;
}

std::size_t count_code_points(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

/// Steps a matcher may take before a pattern counts as hostile.
constexpr int kMaxGlobSteps = 1'000'000;

bool match_class(std::string_view pattern, std::size_t& at, char c) {
  // `at` stands behind '['; leaves it behind ']'.
  bool negated = false;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) {
    negated = true;
    ++at;
  }
  bool found = false;
  bool first = true;
  while (at < pattern.size() && (first || pattern[at] != ']')) {
    first = false;
    const char low = pattern[at++];
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' &&
        pattern[at + 1] != ']') {
      high = pattern[at + 1];
      at += 2;
    }
    if (c >= low && c <= high) found = true;
  }
  if (at < pattern.size()) ++at;
  return found != negated && c != '/';
}

bool match_here(std::string_view pattern, std::string_view path, int& steps) {
  if (++steps > kMaxGlobSteps) {
    throw Error(Errc::limit, "pattern takes too long: too many stars");
  }
  while (!pattern.empty()) {
    if (pattern.starts_with("**/")) {
      const std::string_view rest = pattern.substr(3);
      if (match_here(rest, path, steps)) return true;
      for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '/' && match_here(rest, path.substr(i + 1), steps)) {
          return true;
        }
      }
      return false;
    }
    if (pattern.front() == '*') {
      const bool deep = pattern.starts_with("**");
      const std::string_view rest = pattern.substr(deep ? 2 : 1);
      for (std::size_t i = 0;; ++i) {
        if (match_here(rest, path.substr(i), steps)) return true;
        if (i == path.size() || (!deep && path[i] == '/')) return false;
      }
    }
    if (path.empty()) return false;
    if (pattern.front() == '[') {
      std::size_t at = 1;
      if (!match_class(pattern, at, path.front())) return false;
      pattern.remove_prefix(at);
    } else if (pattern.front() == '?') {
      if (path.front() == '/') return false;
      pattern.remove_prefix(1);
    } else {
      if (pattern.front() != path.front()) return false;
      pattern.remove_prefix(1);
    }
    path.remove_prefix(1);
  }
  return path.empty();
}

/// `{a,b}` becomes one pattern each; braces may follow but not nest.
std::vector<std::string> expand_braces(std::string_view pattern) {
  const std::size_t open = pattern.find('{');
  const std::size_t close =
      open == pattern.npos ? pattern.npos : pattern.find('}', open);
  if (close == pattern.npos) return {std::string(pattern)};
  std::vector<std::string> all;
  const auto tails = expand_braces(pattern.substr(close + 1));
  for (const std::string& choice :
       split(pattern.substr(open + 1, close - open - 1), ',')) {
    for (const std::string& tail : tails) {
      all.push_back(std::string(pattern.substr(0, open)) + choice + tail);
      if (all.size() > 1000) {
        throw Error(Errc::limit, "pattern has more than 1000 alternatives");
      }
    }
  }
  return all;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.substr(i));
    if (c.length == 0) return false;
    i += c.length;
  }
  return true;
}

std::string lossless_utf8(std::string_view bytes) {
  if (!needs_escape(bytes)) return std::string(bytes);
  return escape(bytes, false);
}

std::string from_lossless_utf8(std::string_view text) {
  std::string out;
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
      out += static_cast<char>(value(text[i + 2]) * 16 + value(text[i + 3]));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string printable(std::string_view bytes) { return escape(bytes, true); }

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  static constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  if (!(seconds >= 0)) return "?";
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds > 10.0 * 86400) return "> 10 days";
  const auto whole = static_cast<std::int64_t>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600)
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string format_table(std::span<const std::vector<std::string>> rows) {
  // A cell that breaks its line would be a row that nobody made.
  std::vector<std::vector<std::string>> cells(rows.begin(), rows.end());
  std::vector<std::size_t> widths;
  for (auto& row : cells) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = screen_line(row[i]);
      widths[i] = std::max(widths[i], count_code_points(row[i]));
    }
  }
  std::string out;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) {
        line.append(widths[i] - count_code_points(row[i]) + 2, ' ');
      }
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  return out;
}

bool glob_match(std::string_view pattern, std::string_view path) {
  int steps = 0;
  return std::ranges::any_of(expand_braces(pattern), [&](const auto& one) {
    return match_here(one, path, steps);
  });
}

std::string_view base_name(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end - begin));
    if (end == text.npos) return parts;
    begin = end + 1;
  }
}

std::string_view trim(std::string_view text) noexcept {
  const auto blank = [](char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string to_lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace impound
