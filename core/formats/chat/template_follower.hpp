// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The walk behind follow_content(): statements, conditions and judgement stand
/// in template_flow.cpp, the values of expressions in template_expression.cpp.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/chat/chat_template.hpp"
#include "core/formats/chat/jinja.hpp"
#include "core/formats/chat/template_value.hpp"

namespace impound::flow {

using jinja::Expr;
using jinja::Node;

class Follower {
 public:
  Follower(std::string_view source, TemplateReport& report);
  void run(const std::vector<Node>& nodes);

 private:
  void collect_macros(const std::vector<Node>& nodes);
  /// True once the template has taken more work than any honest one.
  bool exhausted();
  void walk(const std::vector<Node>& nodes);
  void walk(const Node& node);
  void walk_bodies(const Node& node);
  void walk_branches(const Node& node);
  /// Conditions that cannot be met as written: `false`, `false == true`, and
  /// conjunctions with one. Converters leave them behind (Llama 2).
  static bool never(const Expr& expr);
  void walk_loop(const Node& node);
  [[nodiscard]] std::optional<Value> stored(const std::string& name) const;
  void walk_set(const Node& node);
  void assign(const std::string& name, Value value);
  void write_value(const Value& value);
  void write(Fragment fragment);
  std::size_t condition(const Expr& expr, const Value& about);
  /// A condition that is no comparison: truth of a random or clock value.
  void decide(const Expr& expr, Value& value);
  /// Roles that a condition demands: message.role == 'user', role in [...].
  std::vector<std::string> roles_named(const Expr& expr);
  Value evaluate(const Expr& expr);
  static void depend(Value& value, const std::vector<std::size_t>& on);
  Value variable(const std::string& name);
  Value member(const Expr& expr, std::string_view name);
  Value subscript(const Expr& expr);
  Value combine(const Expr& expr);
  Value compare(const Expr& expr);
  /// Emptiness is an ordinary question: '' none [] 0 1 and length > 0.
  static bool is_nothing(const Expr& expr);
  /// A turn beyond the third as a condition: templates look at the first and
  /// the last message and at odd and even ones.
  static bool counts_far(const Expr& expr);
  Value test(const Expr& expr);
  Value filter(const Expr& expr);
  /// Where a named attribute of messages and parts comes from.
  static std::uint32_t attribute_origin(const Value& of,
                                        std::string_view attribute);
  static Value mapped(const Expr& expr, Value value, const Value& arguments);
  Value selected(const Expr& expr, Value value, const Value& arguments);
  /// content.split('word'): what is left depends on the word being there.
  static void cut(Value& value, const Value& arguments);
  void rewrite(const Expr& expr, Value& value, const Value& arguments,
               std::size_t first);
  Value call(const Expr& expr);
  void bind_and_walk(const Node& macro, const Expr& call,
                     const std::vector<Value>& arguments);
  void walk_macro(const Node& macro,
                  const std::map<std::string, Value, std::less<>>& bound);
  void finish();
  void judge(const TemplateCondition& found, std::size_t words);

  std::string_view source_;
  TemplateReport& report_;
  std::vector<std::uint64_t> ends_;  // of the conditions, to tell them apart
  std::map<std::string, Value, std::less<>> variables_;
  std::map<std::string, const Node*, std::less<>> macros_;
  std::map<std::string, bool, std::less<>> walked_;
  std::vector<std::size_t> active_;
  std::vector<std::string> roles_;
  std::vector<Value> captured_;
  int uncertain_ = 0;
  int macro_depth_ = 0;
  int macro_walks_ = 0;
  std::uint64_t work_ = 0;
  bool gave_up_ = false;
};

}  // namespace impound::flow
