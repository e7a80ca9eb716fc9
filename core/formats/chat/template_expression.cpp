// SPDX-License-Identifier: Apache-2.0
/// What the expressions of a chat template may be made of.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/formats/chat/template_flow.hpp"
#include "core/formats/chat/template_follower.hpp"

namespace impound {
namespace flow {
namespace {

using jinja::ExprKind;

/// Literal text kept of one string.
constexpr std::size_t kMaxFragment = 16 * 1024;

template <std::size_t N>
bool is_one_of(std::string_view word,
               const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

/// Methods of text whose answer is a decision about it.
constexpr std::array<std::string_view, 14> kQuestions = {
    "startswith", "endswith", "find",    "rfind",    "index",
    "rindex",     "count",    "isupper", "islower",  "isdigit",
    "isalpha",    "istitle",  "isascii", "isnumeric"};

/// Methods and filters that cut or rewrite text at literals.
constexpr std::array<std::string_view, 10> kCutters = {
    "split", "rsplit", "partition", "rpartition",   "replace",
    "strip", "lstrip", "rstrip",    "removeprefix", "removesuffix"};

/// Tests about the kind of a value, not about what it says.
constexpr std::array<std::string_view, 17> kKindTests = {
    "defined",  "undefined", "none",    "string", "mapping", "iterable",
    "sequence", "number",    "integer", "float",  "boolean", "true",
    "false",    "callable",  "sameas",  "even",   "odd"};

}  // namespace

Value Follower::evaluate(const Expr& expr) {
  if (exhausted()) return {};
  switch (expr.kind) {
    case ExprKind::string: {
      Value value;
      value.literals.push_back(expr.text.substr(0, 4096));
      value.fragments.push_back(
          {.text = expr.text.substr(0, kMaxFragment), .conditions = {}});
      return value;
    }
    case ExprKind::number:
    case ExprKind::constant:
    case ExprKind::broken:
      return {};
    case ExprKind::name:
      return variable(expr.text);
    case ExprKind::attribute:
      return member(expr, expr.text);
    case ExprKind::subscript:
      return subscript(expr);
    case ExprKind::call:
      return call(expr);
    case ExprKind::filter:
      return filter(expr);
    case ExprKind::test:
      return test(expr);
    case ExprKind::logic:
    case ExprKind::arithmetic:
      return combine(expr);
    case ExprKind::comparison:
      return compare(expr);
    case ExprKind::conditional: {
      Value decision = evaluate(expr.children[1]);
      decide(expr.children[1], decision);
      Value value = evaluate(expr.children[0]);
      if (expr.children.size() > 2) {
        flow::merge(value, evaluate(expr.children[2]));
      }
      depend(value, decision.conditions);
      return value;
    }
    case ExprKind::list:
    case ExprKind::dictionary: {
      Value value;
      for (const Expr& child : expr.children) {
        flow::merge(value, evaluate(child));
      }
      return value;
    }
  }
  return {};
}

void Follower::depend(Value& value, const std::vector<std::size_t>& on) {
  flow::add_unique(value.conditions, on);
  for (Fragment& fragment : value.fragments) {
    flow::add_unique(fragment.conditions, on);
  }
}

Value Follower::variable(const std::string& name) {
  const auto found = variables_.find(name);
  if (found != variables_.end()) {
    for (const Fragment& fragment : found->second.fragments) {
      work_ += fragment.text.size();
    }
    return found->second;
  }
  if (name == "date_string" || name == "current_date") {
    Value value;
    value.origin = flow::kClock;
    return value;
  }
  return {};
}

Value Follower::member(const Expr& expr, std::string_view name) {
  const Expr& of = expr.children.front();
  if (of.kind == ExprKind::name) {
    const auto found = variables_.find(of.text + "." + std::string(name));
    if (found != variables_.end()) return found->second;
  }
  const Value base = evaluate(of);
  Value value;
  if (name == "content" ||
      (name == "text" && base.has(flow::kPart | flow::kMessages)) ||
      (name == "reasoning_content" && base.has(flow::kMessages))) {
    value.origin = flow::kContent;
    value.whose = base.whose.empty() ? roles_ : base.whose;
    return value;
  }
  if (name == "role" || name == "from") {
    value.origin = flow::kRole;
    return value;
  }
  if (base.has(flow::kCount) && base.origin == flow::kCount) {
    if (name == "index" || name == "index0" || name == "revindex" ||
        name == "length") {
      value.origin = flow::kCount;
    }
    return value;
  }
  value.fragments = base.fragments;  // a field of a dictionary of texts
  value.literals = base.literals;
  value.conditions = base.conditions;
  return value;
}

Value Follower::subscript(const Expr& expr) {
  Value base = evaluate(expr.children.front());
  if (expr.children.size() == 2 && expr.children[1].kind == ExprKind::string) {
    return member(expr, expr.children[1].text);
  }
  Value key;
  for (std::size_t i = 1; i < expr.children.size(); ++i) {
    flow::merge(key, evaluate(expr.children[i]));
  }
  if (key.has(flow::kContent | flow::kPart) && !base.fragments.empty()) {
    // {'word': 'text'}[content]: a condition in the form of a table.
    key.literals = base.literals;
    depend(base, {condition(expr, key)});
  }
  return base;  // an element or a slice
}

Value Follower::combine(const Expr& expr) {
  Value all;
  std::vector<std::size_t> conditions;
  for (const Expr& child : expr.children) {
    Value part = evaluate(child);
    flow::add_unique(conditions, part.conditions);
    flow::merge(all, part);
  }
  // 'word' in content and 'text': the text depends on the condition.
  depend(all, conditions);
  if (expr.kind == ExprKind::logic) {
    all.origin &= ~std::uint32_t{flow::kContent | flow::kLength | flow::kPart |
                                 flow::kMessages};
    if (expr.text == "not") all.fragments.clear();
  }
  return all;
}

Value Follower::compare(const Expr& expr) {
  Value all;
  bool content = false;
  bool only_empty = true;
  std::vector<std::string> literals;
  for (const Expr& child : expr.children) {
    const Value part = evaluate(child);
    const bool of_content =
        part.has(flow::kContent | flow::kPart | flow::kLength);
    content |= of_content;
    if (!of_content || part.is_function_of_literals) {
      flow::add_unique(literals, part.literals);
    }
    if (part.is_function_of_literals) only_empty = false;
    if (!of_content && !is_nothing(child)) only_empty = false;
    flow::merge(all, part);
  }
  Value result;
  result.conditions = all.conditions;
  const bool counts_parts = all.has(flow::kPart) && !all.has(flow::kContent) &&
                            !literals.empty() &&
                            std::ranges::all_of(literals, flow::is_part_key);
  if (content && !only_empty && !counts_parts) {
    all.literals = literals;
    result.conditions.push_back(condition(expr, all));
    return result;
  }
  if (all.has(flow::kClock | flow::kRandom)) {
    report_.reads_clock |= all.has(flow::kClock);
    all.literals = literals;
    result.conditions.push_back(condition(expr, all));
  } else if (all.has(flow::kCount) && counts_far(expr)) {
    all.literals.clear();
    result.conditions.push_back(condition(expr, all));
  }
  return result;
}

bool Follower::is_nothing(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::constant:
      return true;
    case ExprKind::number:
      return expr.text == "0" || expr.text == "1";
    case ExprKind::string:
      return trim(expr.text).empty();
    case ExprKind::list:
    case ExprKind::dictionary:
      return expr.children.empty();
    default:
      return false;
  }
}

bool Follower::counts_far(const Expr& expr) {
  return std::ranges::any_of(expr.children, [](const Expr& child) {
    return child.kind == ExprKind::number &&
           (child.text.size() > 1 || child.text > "2");
  });
}

Value Follower::test(const Expr& expr) {
  Value of = evaluate(expr.children.front());
  Value result;
  result.conditions = of.conditions;
  if (is_one_of(expr.text, kKindTests)) return result;
  for (std::size_t i = 1; i < expr.children.size(); ++i) {
    const Value argument = evaluate(expr.children[i]);
    flow::add_unique(of.literals, argument.literals);
    of.origin |= argument.origin;
  }
  const bool number_only =
      expr.children.size() == 2 && is_nothing(expr.children[1]);
  if (of.has(flow::kContent | flow::kPart | flow::kLength | flow::kClock |
             flow::kRandom) &&
      !(number_only && of.literals.empty())) {
    result.conditions.push_back(condition(expr, of));
  }
  return result;
}

Value Follower::filter(const Expr& expr) {
  Value value = evaluate(expr.children.front());
  Value arguments;
  for (std::size_t i = 1; i < expr.children.size(); ++i) {
    flow::merge(arguments, evaluate(expr.children[i]));
  }
  const std::string& name = expr.text;
  if (name == "length" || name == "count" || name == "wordcount") {
    if (value.has(flow::kContent | flow::kPart)) {
      value.origin = flow::kLength;
    } else if (value.has(flow::kMessages)) {
      value.origin = flow::kCount;
    }
    value.fragments.clear();
    return value;
  }
  if (name == "random") value.origin |= flow::kRandom;
  if ((name == "tojson" || name == "string" || name == "join" ||
       name == "list" || name == "pprint") &&
      value.has(flow::kMessages)) {
    if (name != "list") value.origin = flow::kContent;
    return value;
  }
  if (name == "map") return mapped(expr, std::move(value), arguments);
  if (name == "selectattr" || name == "rejectattr" || name == "select" ||
      name == "reject") {
    return selected(expr, std::move(value), arguments);
  }
  if (name == "default" || name == "d" || name == "join") {
    flow::merge(value, arguments);
  } else if (name == "replace") {
    rewrite(expr, value, arguments, 1);
  } else if (is_one_of(name, kCutters)) {
    cut(value, arguments);
  }
  return value;
}

std::uint32_t Follower::attribute_origin(const Value& of,
                                         std::string_view attribute) {
  const std::string_view name = attribute.substr(0, attribute.find('.'));
  if (name == "content" || name == "reasoning_content" || name == "text" ||
      name == "thinking" || name == "value") {
    return flow::kContent;
  }
  if (name == "role" || name == "from") return flow::kRole;
  // What kind of part it is, its address, its number: no words of anybody.
  return of.has(flow::kMessages | flow::kContent | flow::kPart) ? 0U
                                                                : of.origin;
}

Value Follower::mapped(const Expr& expr, Value value, const Value& arguments) {
  // map('upper') is a filter for each; map(attribute='x') and x.y are members.
  const bool is_attribute =
      std::ranges::find(expr.keywords, "attribute") != expr.keywords.end();
  if (!is_attribute || arguments.literals.empty()) return value;
  const std::string attribute = arguments.literals.front();
  if (value.has(flow::kMessages | flow::kContent | flow::kPart)) {
    value.origin = attribute_origin(value, attribute);
  }
  return value;
}

Value Follower::selected(const Expr& expr, Value value,
                         const Value& arguments) {
  if (arguments.literals.empty()) return value;
  const bool by_attribute =
      expr.text == "selectattr" || expr.text == "rejectattr";
  const bool is_constant =
      expr.children.size() > 1 && expr.children[1].kind == ExprKind::string;
  std::string attribute;
  if (by_attribute && is_constant) {
    attribute = expr.children[1].text;
    // Parts by their type, messages by their role, tools by their name: which
    // of them there are is the form of a message, not what it says.
    if (attribute_origin(value, attribute) != flow::kContent) return value;
    if (expr.children.size() <= 2) return value;  // whether there is any
  }
  if (!value.has(flow::kContent | flow::kPart) &&
      !(by_attribute && value.has(flow::kMessages))) {
    return value;
  }
  value.literals = arguments.literals;
  std::erase(value.literals, attribute);
  value.origin |= flow::kContent;
  depend(value, {condition(expr, value)});
  return value;
}

void Follower::cut(Value& value, const Value& arguments) {
  if (arguments.literals.empty()) return;
  value.is_function_of_literals = true;
  flow::add_unique(value.literals, arguments.literals);
}

void Follower::rewrite(const Expr& expr, Value& value, const Value& arguments,
                       std::size_t first) {
  const bool literal_pair = expr.children.size() >= first + 2 &&
                            expr.children[first].kind == ExprKind::string &&
                            expr.children[first + 1].kind == ExprKind::string;
  if (literal_pair && value.has(flow::kContent)) {
    const std::string& from = expr.children[first].text;
    const std::string& to = expr.children[first + 1].text;
    if (!flow::is_markup(to)) {
      add_finding(report_, source_, "template-rewrites-content", Severity::high,
                  expr.begin,
                  "replaces words in what somebody wrote before the model "
                  "sees it",
                  fmt::format("every '{}' becomes '{}': {}", printable(from),
                              printable(to), jinja::as_written(expr, source_)));
    } else if (!flow::is_markup(from)) {
      add_finding(report_, source_, "template-rewrites-content",
                  Severity::medium, expr.begin,
                  "removes words from what somebody wrote before the model "
                  "sees it",
                  jinja::as_written(expr, source_));
    }
  }
  cut(value, arguments);
  for (const Fragment& fragment : arguments.fragments) {
    if (value.fragments.size() < flow::kMaxFragments) {
      value.fragments.push_back(fragment);
    }
  }
}

Value Follower::call(const Expr& expr) {
  const Expr& callee = expr.children.front();
  Value arguments;
  std::vector<Value> each;
  for (std::size_t i = 1; i < expr.children.size(); ++i) {
    each.push_back(evaluate(expr.children[i]));
    flow::merge(arguments, each.back());
  }
  if (callee.kind == ExprKind::name) {
    if (callee.text == "raise_exception") return {};
    if (callee.text == "strftime_now") {
      Value value;
      value.origin = flow::kClock;
      return value;
    }
    const auto macro = macros_.find(callee.text);
    if (macro != macros_.end()) {
      bind_and_walk(*macro->second, expr, each);
      arguments.fragments.clear();  // written by the body
      arguments.literals.clear();
      return arguments;
    }
    return arguments;
  }
  if (callee.kind != ExprKind::attribute) return arguments;
  Value object = evaluate(callee.children.front());
  const std::string& method = callee.text;
  if (method == "get" && expr.children.size() > 1 &&
      expr.children[1].kind == ExprKind::string) {
    Expr as_member = callee;
    Value value = member(as_member, expr.children[1].text);
    for (std::size_t i = 1; i < each.size(); ++i) {
      flow::merge(value, each[i]);
    }
    return value;
  }
  if (method == "get" && arguments.has(flow::kContent | flow::kPart) &&
      !object.fragments.empty()) {
    arguments.literals = object.literals;
    depend(object, {condition(expr, arguments)});
    return object;
  }
  if (is_one_of(method, kQuestions)) {
    Value result;
    result.conditions = object.conditions;
    if (object.has(flow::kContent | flow::kPart)) {
      object.literals = arguments.literals;
      result.conditions.push_back(condition(expr, object));
    }
    return result;
  }
  if (method == "replace") {
    rewrite(expr, object, arguments, 1);
  } else if (is_one_of(method, kCutters)) {
    cut(object, arguments);
  } else {
    flow::merge(object, arguments);  // format, join, items, append …
  }
  return object;
}

}  // namespace flow

}  // namespace impound
