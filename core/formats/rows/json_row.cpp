// SPDX-License-Identifier: Apache-2.0
#include "core/formats/rows/json_row.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/bytes.hpp"
#include "core/base/utf8.hpp"

namespace impound {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void skip_space(std::string_view text, std::size_t& at) noexcept {
  while (at < text.size() && is_space(text[at])) ++at;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Four hexadecimal digits at `at`, or -1.
int unit_at(std::string_view text, std::size_t at) noexcept {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_value(text[at + i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_unit(int unit, std::string& out) {
  out += "\\u";
  for (const unsigned shift : {12U, 8U, 4U, 0U}) {
    out += kHex[(static_cast<unsigned>(unit) >> shift) & 15U];
  }
}

/// A character as it stands in a canonical string.
void append_escaped(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20) {
    append_unit(static_cast<unsigned char>(c), out);
  } else {
    out += c;
  }
}

char simple_escape(char c) noexcept {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;  // " \ /
  }
}

}  // namespace

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) append_escaped(c, out);
  out += '"';
}

bool JsonRow::fail(std::string_view why) {
  error_ = why;
  nodes_.resize(1);
  return false;
}

std::uint32_t JsonRow::add(const Node& node) {
  nodes_.push_back(node);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

bool JsonRow::quoted(std::size_t& at, Node& node) {
  node.kind = JsonKind::text;
  node.begin = static_cast<std::uint32_t>(++at);
  while (at < text_.size()) {
    const char c = text_[at];
    if (c == '"') {
      node.end = static_cast<std::uint32_t>(at++);
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      return fail("a control character inside a string");
    }
    if (c == '\\') {
      node.has_escape = true;
      if (++at >= text_.size()) break;
      constexpr std::string_view kEscapes = "\"\\/bfnrtu";
      if (kEscapes.find(text_[at]) == std::string_view::npos) {
        return fail("an unknown escape inside a string");
      }
      if (text_[at] == 'u') {
        if (unit_at(text_, at + 1) < 0) return fail("a broken \\u escape");
        at += 4;
      }
    }
    ++at;
  }
  return fail("a string without end");
}

bool JsonRow::digits(std::size_t& at, Node& node) {
  node.kind = JsonKind::number;
  const auto run = [&] {
    const std::size_t first = at;
    while (at < text_.size() && is_digit(text_[at])) ++at;
    return at - first;
  };
  if (text_[at] == '-') ++at;
  if (text_.substr(at, 8) == "Infinity") {
    at += 8;
    return true;
  }
  const std::size_t first = at;
  const std::size_t whole = run();
  if (whole == 0 || (whole > 1 && text_[first] == '0')) {
    return fail("a broken number");
  }
  if (at < text_.size() && text_[at] == '.') {
    ++at;
    if (run() == 0) return fail("a broken number");
  }
  if (at < text_.size() && (text_[at] == 'e' || text_[at] == 'E')) {
    ++at;
    if (at < text_.size() && (text_[at] == '+' || text_[at] == '-')) ++at;
    if (run() == 0) return fail("a broken number");
  }
  return true;
}

bool JsonRow::scalar(std::size_t& at, Node& node) {
  node.begin = static_cast<std::uint32_t>(at);
  constexpr std::array<std::pair<std::string_view, JsonKind>, 5> kWords{
      {{"true", JsonKind::boolean},
       {"false", JsonKind::boolean},
       {"null", JsonKind::null},
       {"NaN", JsonKind::number},
       {"Infinity", JsonKind::number}}};
  bool is_word = false;
  for (const auto& [word, kind] : kWords) {
    if (text_.substr(at, word.size()) != word) continue;
    node.kind = kind;
    at += word.size();
    is_word = true;
    break;
  }
  if (!is_word) {
    if (text_[at] != '-' && !is_digit(text_[at])) {
      return fail("something that is no value");
    }
    if (!digits(at, node)) return false;
  }
  node.end = static_cast<std::uint32_t>(at);
  return true;
}

bool JsonRow::parse(std::string_view text) {
  text_ = text;
  error_ = {};
  nodes_.assign(1, Node{});
  struct Open {
    std::uint32_t container;
    std::uint32_t last;  // latest child
  };
  std::array<Open, kMaxNesting> open;
  std::size_t depth = 0;
  std::size_t at = 0;
  if (text.size() > 0xffffffffU) return fail("too large");

  while (true) {
    skip_space(text, at);
    // An object wants a key, or ends; a list may end.
    std::uint32_t key = 0;
    bool is_closed = false;
    if (depth > 0) {
      const Open& top = open[depth - 1];
      const bool is_object = nodes_[top.container].kind == JsonKind::object;
      const char closer = is_object ? '}' : ']';
      if (at >= text.size()) return fail("it ends early");
      is_closed = top.last == 0 && text[at] == closer;
      if (is_object && !is_closed) {
        if (text[at] != '"') return fail("a key that is no string");
        Node name;
        if (!quoted(at, name)) return false;
        key = add(name);
        skip_space(text, at);
        if (at >= text.size() || text[at] != ':') return fail("a lost colon");
        ++at;
        skip_space(text, at);
      }
    }
    if (is_closed) {
      ++at;
      --depth;
    } else {
      if (at >= text.size()) return fail("it ends early");
      if (nodes_.size() >= kMaxNodes) return fail("too many values");
      Node value;
      const char c = text[at];
      const bool is_container = c == '{' || c == '[';
      if (is_container) {
        value.kind = c == '{' ? JsonKind::object : JsonKind::list;
        value.begin = static_cast<std::uint32_t>(at++);
      } else if (c == '"') {
        if (!quoted(at, value)) return false;
      } else if (!scalar(at, value)) {
        return false;
      }
      value.key = key;
      const std::uint32_t number = add(value);
      if (depth > 0) {
        Open& top = open[depth - 1];
        if (top.last == 0) {
          nodes_[top.container].child = number;
        } else {
          nodes_[top.last].next = number;
        }
        top.last = number;
      }
      if (is_container) {
        if (depth == kMaxNesting) return fail("nested too deep");
        open[depth++] = {number, 0};
        continue;
      }
    }
    while (true) {
      skip_space(text, at);
      if (depth == 0) {
        return at == text.size() ? true : fail("something behind the value");
      }
      if (at >= text.size()) return fail("it ends early");
      const char c = text[at];
      const bool is_object =
          nodes_[open[depth - 1].container].kind == JsonKind::object;
      if (c == ',') {
        ++at;
        skip_space(text, at);
        // A container must not end behind a comma.
        if (at < text.size() && (text[at] == '}' || text[at] == ']')) {
          return fail("a comma with nothing behind it");
        }
        break;
      }
      if (c != (is_object ? '}' : ']')) return fail("a lost comma");
      ++at;
      --depth;
    }
  }
}

std::string JsonRow::key_of(const Node& member) const {
  std::string key;
  if (member.key != 0) append_string(nodes_[member.key], As::text, key);
  return key;
}

std::string_view JsonRow::raw_key(const Node& member) const {
  const Node& key = nodes_[member.key];
  return text_.substr(key.begin, key.end - key.begin);
}

/// Members stand in their canonical order, without escapes and without one name
/// twice: what most writers write.
bool JsonRow::is_in_order(const Node& object) const {
  std::string_view before;
  for (std::uint32_t n = object.child; n != 0; n = nodes_[n].next) {
    const std::string_view key = raw_key(nodes_[n]);
    if (nodes_[nodes_[n].key].has_escape) return false;
    if (n != object.child && key <= before) return false;
    before = key;
  }
  return true;
}

bool JsonRow::has_duplicate_keys() const {
  if (nodes_.size() < 2 || root().kind != JsonKind::object) return false;
  // Few members without escapes are compared as they stand.
  std::size_t members = 0;
  bool is_plain = true;
  bool is_twice = false;
  for (std::uint32_t n = root().child; n != 0; n = nodes_[n].next) {
    is_plain = is_plain && ++members <= 16 && !nodes_[nodes_[n].key].has_escape;
    if (!is_plain) break;
    for (std::uint32_t m = root().child; m != n; m = nodes_[m].next) {
      is_twice = is_twice || raw_key(nodes_[m]) == raw_key(nodes_[n]);
    }
  }
  if (is_plain) return is_twice;
  std::vector<std::string> keys;
  for (std::uint32_t n = root().child; n != 0; n = nodes_[n].next) {
    keys.push_back(key_of(nodes_[n]));
  }
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) != keys.end();
}

std::uint32_t JsonRow::find(std::string_view name) const {
  if (nodes_.size() < 2) return 0;
  const auto member = [this](std::uint32_t object, std::string_view key) {
    std::uint32_t found = 0;
    if (nodes_[object].kind != JsonKind::object) return found;
    for (std::uint32_t n = nodes_[object].child; n != 0; n = nodes_[n].next) {
      const Node& name_node = nodes_[nodes_[n].key];
      const bool same =
          name_node.has_escape
              ? key_of(nodes_[n]) == key
              : text_.substr(name_node.begin,
                             name_node.end - name_node.begin) == key;
      if (same) found = n;
    }
    return found;
  };
  if (const std::uint32_t whole = member(1, name); whole != 0) return whole;
  std::uint32_t at = 1;
  while (true) {
    const std::size_t dot = name.find('.');
    at = member(at, name.substr(0, dot));
    if (at == 0 || dot == std::string_view::npos) return at;
    name.remove_prefix(dot + 1);
  }
}

void JsonRow::append_string(const Node& node, As as, std::string& out) const {
  const std::string_view raw = text_.substr(node.begin, node.end - node.begin);
  if (!node.has_escape) {
    out += raw;
    return;
  }
  const auto put = [&](char c) {
    if (as == As::canonical) {
      append_escaped(c, out);
    } else {
      out += c;
    }
  };
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      put(raw[i]);
      continue;
    }
    if (raw[++i] != 'u') {
      put(simple_escape(raw[i]));
      continue;
    }
    const int unit = unit_at(raw, i + 1);
    i += 4;
    const bool is_high = unit >= 0xd800 && unit <= 0xdbff;
    const int low =
        is_high && raw.substr(i + 1, 2) == "\\u" ? unit_at(raw, i + 3) : -1;
    if (is_high && low >= 0xdc00 && low <= 0xdfff) {
      const int joined = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      append_utf8(out, static_cast<std::uint32_t>(joined));
      i += 6;
    } else if (unit >= 0xd800 && unit <= 0xdfff) {
      // Half a pair is no character: kept as it is, shown as U+FFFD.
      if (as == As::canonical) {
        append_unit(unit, out);
      } else {
        append_utf8(out, 0xfffd);
      }
    } else if (unit < 0x80) {
      put(static_cast<char>(unit));
    } else {
      append_utf8(out, static_cast<std::uint32_t>(unit));
    }
  }
}

void JsonRow::append_strings(const Node& value, std::string& out) const {
  if (value.kind == JsonKind::text) {
    if (!out.empty() && out.back() != '\n') out += '\n';
    append_string(value, As::text, out);
    return;
  }
  if (value.kind != JsonKind::list && value.kind != JsonKind::object) return;
  for (std::uint32_t n = value.child; n != 0; n = nodes_[n].next) {
    append_strings(nodes_[n], out);
  }
}

void JsonRow::append_text(const Node& value, std::string& out) const {
  switch (value.kind) {
    case JsonKind::null:
      return;
    case JsonKind::boolean:
    case JsonKind::number:
      out += text_.substr(value.begin, value.end - value.begin);
      return;
    case JsonKind::text:
      append_string(value, As::text, out);
      return;
    case JsonKind::list:
    case JsonKind::object: {
      std::string inside;
      append_strings(value, inside);
      out += inside;
      return;
    }
  }
}

void JsonRow::append_value(const Node& value, std::string& out) const {
  switch (value.kind) {
    case JsonKind::null:
    case JsonKind::boolean:
    case JsonKind::number:
      out += text_.substr(value.begin, value.end - value.begin);
      return;
    case JsonKind::text:
      out += '"';
      append_string(value, As::canonical, out);
      out += '"';
      return;
    case JsonKind::list: {
      out += '[';
      for (std::uint32_t n = value.child; n != 0; n = nodes_[n].next) {
        if (n != value.child) out += ',';
        append_value(nodes_[n], out);
      }
      out += ']';
      return;
    }
    case JsonKind::object:
      break;
  }
  if (is_in_order(value)) {
    out += '{';
    for (std::uint32_t n = value.child; n != 0; n = nodes_[n].next) {
      out += n == value.child ? "\"" : ",\"";
      out += raw_key(nodes_[n]);
      out += "\":";
      append_value(nodes_[n], out);
    }
    out += '}';
    return;
  }
  std::vector<std::pair<std::string, std::uint32_t>> members;
  for (std::uint32_t n = value.child; n != 0; n = nodes_[n].next) {
    members.emplace_back(key_of(nodes_[n]), n);
  }
  std::stable_sort(
      members.begin(), members.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  out += '{';
  bool is_first = true;
  for (const auto& [key, number] : members) {
    if (!is_first) out += ',';
    is_first = false;
    out += '"';
    append_string(nodes_[nodes_[number].key], As::canonical, out);
    out += "\":";
    append_value(nodes_[number], out);
  }
  out += '}';
}

void JsonRow::append_canonical(std::string& out) const {
  if (nodes_.size() > 1) append_value(root(), out);
}

}  // namespace impound
