// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One JSON value of a row of training data: its fields as text, and one form
/// for all ways of writing it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

enum class JsonKind : std::uint8_t {
  null,
  boolean,
  number,
  text,
  list,
  object
};

/// Parses one value (RFC 8259, and Python's NaN and Infinity). One object
/// serves any number of rows; it keeps the memory of the largest.
class JsonRow {
 public:
  /// Containers in containers; deeper is not parsed.
  static constexpr std::size_t kMaxNesting = 64;
  /// Values and keys of one row: 32 bytes each. More is not parsed.
  static constexpr std::size_t kMaxNodes = std::size_t{1} << 20U;

  struct Node {
    JsonKind kind = JsonKind::null;
    bool has_escape = false;
    std::uint32_t begin = 0;  ///< of the text between quotes, or of the token
    std::uint32_t end = 0;
    std::uint32_t key = 0;    ///< node of the key, in objects; 0 = none
    std::uint32_t next = 0;   ///< next in the same container; 0 = none
    std::uint32_t child = 0;  ///< first in this container; 0 = none
  };

  /// False if `text`, which must stay alive while the result is used, is not
  /// one JSON value; error() then says why.
  [[nodiscard]] bool parse(std::string_view text);
  [[nodiscard]] std::string_view error() const noexcept { return error_; }
  [[nodiscard]] bool has_duplicate_keys() const;

  /// The root; nodes are numbered from 1.
  [[nodiscard]] const Node& root() const { return nodes_[1]; }
  [[nodiscard]] const Node& node(std::uint32_t number) const {
    return nodes_[number];
  }
  /// The value of a top-level member, the last one of that name as parsers
  /// take it, else of a dotted path into nested objects; 0 if there is none.
  [[nodiscard]] std::uint32_t find(std::string_view name) const;
  /// Decoded key of a member.
  [[nodiscard]] std::string key_of(const Node& member) const;

  /// Appends the text of a value: strings decoded, scalars as written, of lists
  /// and objects every string in them, one a line.
  void append_text(const Node& value, std::string& out) const;
  /// Appends the canonical form: no white space, members sorted by the bytes
  /// of their decoded names (equal names in their order), strings as UTF-8
  /// with only \" \\ and control characters escaped, numbers as written.
  void append_canonical(std::string& out) const;

 private:
  enum class As : std::uint8_t { text, canonical };

  bool fail(std::string_view why);
  bool scalar(std::size_t& at, Node& node);
  bool quoted(std::size_t& at, Node& node);
  bool digits(std::size_t& at, Node& node);
  std::uint32_t add(const Node& node);
  [[nodiscard]] std::string_view raw_key(const Node& member) const;
  [[nodiscard]] bool is_in_order(const Node& object) const;
  void append_string(const Node& node, As as, std::string& out) const;
  void append_strings(const Node& value, std::string& out) const;
  void append_value(const Node& value, std::string& out) const;

  std::string_view text_;
  std::string_view error_;
  std::vector<Node> nodes_;
};

/// Appends `text` quoted as append_canonical() quotes.
void append_quoted(std::string_view text, std::string& out);

}  // namespace impound
