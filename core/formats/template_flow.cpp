// SPDX-License-Identifier: Apache-2.0
#include "core/formats/template_flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/base/text.hpp"
#include "core/formats/template_value.hpp"

namespace impound {
namespace {

using flow::Fragment;
using flow::Value;
using jinja::Expr;
using jinja::ExprKind;
using jinja::Node;
using jinja::NodeKind;

constexpr std::size_t kMaxConditions = 500;
/// Walks of macro bodies, all together: macros may call each other.
constexpr int kMaxMacroWalks = 200;
constexpr int kMaxMacroDepth = 8;
constexpr std::size_t kMaxVariables = 2'000;
/// Literal text kept of one string.
constexpr std::size_t kMaxFragment = 16 * 1024;
/// Steps and bytes of text moved before the walk gives up. The longest
/// templates in use need some hundred thousand.
constexpr std::uint64_t kMaxWork = 200'000'000;

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

class Follower {
 public:
  Follower(std::string_view source, TemplateReport& report)
      : source_(source), report_(report) {
    variables_["messages"].origin = flow::kMessages;
    variables_["conversation"].origin = flow::kMessages;
  }

  void run(const std::vector<Node>& nodes) {
    collect_macros(nodes);
    walk(nodes);
    // Macros that nothing calls are still part of the template.
    for (const auto& [name, node] : macros_) {
      if (!walked_.contains(name)) walk_macro(*node, {});
    }
    finish();
  }

 private:
  void collect_macros(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (node.kind == NodeKind::macro && !node.names.empty()) {
        macros_.emplace(node.names.front(), &node);
      }
      for (const jinja::Branch& branch : node.branches) {
        collect_macros(branch.body);
      }
    }
  }

  /// True once the template has taken more work than any honest one.
  bool exhausted() {
    if (++work_ < kMaxWork) return false;
    if (!gave_up_) {
      gave_up_ = true;
      add_finding(report_, source_, "template-too-complex", Severity::high, 0,
                  "following the template took too many steps: it was not "
                  "followed to its end",
                  {});
    }
    return true;
  }

  // --- statements -----------------------------------------------------------

  void walk(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) walk(node);
  }

  void walk(const Node& node) {
    if (exhausted()) return;
    switch (node.kind) {
      case NodeKind::text:
        write({.text = node.text.substr(0, kMaxFragment), .conditions = {}});
        break;
      case NodeKind::output:
        write_value(evaluate(*node.value));
        break;
      case NodeKind::branches:
        walk_branches(node);
        break;
      case NodeKind::loop:
        walk_loop(node);
        break;
      case NodeKind::set:
        walk_set(node);
        break;
      case NodeKind::with:
        for (std::size_t i = 0;
             i < std::min(node.names.size(), node.extra.size()); ++i) {
          assign(node.names[i], evaluate(node.extra[i]));
        }
        walk_bodies(node);
        break;
      case NodeKind::macro:
        break;  // walked where it is called
      case NodeKind::call:
      case NodeKind::filter:
      case NodeKind::statement:
        if (node.value) write_value(evaluate(*node.value));
        walk_bodies(node);
        break;
      case NodeKind::load:
        break;
    }
  }

  void walk_bodies(const Node& node) {
    for (const jinja::Branch& branch : node.branches) walk(branch.body);
  }

  void walk_branches(const Node& node) {
    // A branch also depends on the conditions before it: they were not met.
    const std::vector<std::size_t> outer = active_;
    const std::vector<std::string> outer_roles = roles_;
    ++uncertain_;
    for (const jinja::Branch& branch : node.branches) {
      roles_ = outer_roles;
      if (branch.condition) {
        if (never(*branch.condition)) continue;
        if (std::vector<std::string> named = roles_named(*branch.condition);
            !named.empty()) {
          roles_ = std::move(named);
        }
        Value decision = evaluate(*branch.condition);
        decide(*branch.condition, decision);
        flow::add_unique(active_, decision.conditions);
      }
      walk(branch.body);
    }
    --uncertain_;
    active_ = outer;
    roles_ = outer_roles;
  }

  /// Conditions that cannot be met as written: `false`, `false == true`, and
  /// conjunctions with one. Converters leave them behind (Llama 2).
  static bool never(const Expr& expr) {
    if (expr.kind == ExprKind::constant) {
      const std::string word = to_lower_ascii(expr.text);
      return word == "false" || word == "none";
    }
    if (expr.kind == ExprKind::comparison && expr.text == "==" &&
        expr.children.size() == 2 &&
        expr.children[0].kind == ExprKind::constant &&
        expr.children[1].kind == ExprKind::constant) {
      return to_lower_ascii(expr.children[0].text) !=
             to_lower_ascii(expr.children[1].text);
    }
    return expr.kind == ExprKind::logic && expr.text == "and" &&
           std::ranges::any_of(expr.children, never);
  }

  void walk_loop(const Node& node) {
    Value over = evaluate(*node.value);
    const std::vector<std::size_t> outer = active_;
    if (over.has(flow::kContent) && over.is_function_of_literals) {
      // {% for _ in content.split('word')[1:] %} runs only if 'word' is there.
      over.conditions.push_back(condition(*node.value, over));
    }
    flow::add_unique(active_, over.conditions);
    Value element = over;
    if (over.has(flow::kContent)) {
      element.origin =
          (over.origin & ~std::uint32_t{flow::kContent}) | flow::kPart;
    }
    std::map<std::string, std::optional<Value>> saved;
    for (const std::string& name : node.names) saved[name] = stored(name);
    saved["loop"] = stored("loop");
    for (const std::string& name : node.names) variables_[name] = element;
    variables_["loop"] = {};
    if (over.has(flow::kMessages)) {
      variables_["loop"].origin = flow::kCount;
    }
    for (const Expr& filter : node.extra) {
      Value decision = evaluate(filter);
      decide(filter, decision);
      flow::add_unique(active_, decision.conditions);
    }
    ++uncertain_;
    walk_bodies(node);
    --uncertain_;
    for (auto& [name, value] : saved) {
      if (value) {
        variables_[name] = std::move(*value);
      } else {
        variables_.erase(name);
      }
    }
    active_ = outer;
  }

  [[nodiscard]] std::optional<Value> stored(const std::string& name) const {
    const auto found = variables_.find(name);
    if (found == variables_.end()) return std::nullopt;
    return found->second;
  }

  void walk_set(const Node& node) {
    Value value;
    if (node.value) {
      if (node.names.size() > 1 && node.value->kind == ExprKind::list &&
          node.value->children.size() == node.names.size()) {
        for (std::size_t i = 0; i < node.names.size(); ++i) {
          assign(node.names[i], evaluate(node.value->children[i]));
        }
        return;
      }
      if (node.value->kind == ExprKind::call &&
          node.value->children.front().kind == ExprKind::name &&
          node.value->children.front().text == "namespace" &&
          node.names.size() == 1) {
        const Expr& call = *node.value;
        const std::size_t first = call.children.size() - call.keywords.size();
        for (std::size_t i = 0; i < call.keywords.size(); ++i) {
          assign(node.names.front() + "." + call.keywords[i],
                 evaluate(call.children[first + i]));
        }
        return;
      }
      value = evaluate(*node.value);
    } else {
      captured_.emplace_back();
      walk_bodies(node);
      value = std::move(captured_.back());
      captured_.pop_back();
    }
    for (const std::string& name : node.names) assign(name, value);
  }

  void assign(const std::string& name, Value value) {
    for (Fragment& fragment : value.fragments) {
      flow::add_unique(fragment.conditions, active_);
    }
    // A flag set because of a condition carries it; content stays content.
    if (!value.has(flow::kContent | flow::kPart | flow::kMessages)) {
      flow::add_unique(value.conditions, active_);
    }
    if (value.has(flow::kContent) && value.whose.empty()) value.whose = roles_;
    if (variables_.size() >= kMaxVariables && !variables_.contains(name)) {
      return;
    }
    if (uncertain_ > 0) {
      flow::merge(variables_[name], value);
    } else {
      variables_[name] = std::move(value);
    }
  }

  // --- output ---------------------------------------------------------------

  void write_value(const Value& value) {
    if (!captured_.empty()) {
      Value here = value;
      here.conditions.clear();
      flow::merge(captured_.back(), here);
      return;
    }
    if (value.has(flow::kClock)) report_.reads_clock = true;
    for (const Fragment& fragment : value.fragments) write(fragment);
  }

  void write(Fragment fragment) {
    if (!captured_.empty()) {
      flow::add_unique(fragment.conditions, active_);
      Value value;
      value.fragments.push_back(std::move(fragment));
      flow::merge(captured_.back(), value);
      return;
    }
    if (trim(fragment.text).empty()) return;
    flow::add_unique(fragment.conditions, active_);
    for (const std::size_t index : fragment.conditions) {
      auto& writes = report_.conditions[index].writes;
      if (writes.size() < flow::kMaxFragments &&
          std::ranges::find(writes, fragment.text) == writes.end()) {
        writes.push_back(fragment.text);
      }
    }
    if (count_words(fragment.text) >= 4 && report_.texts.size() < 200 &&
        std::ranges::find(report_.texts, fragment.text) ==
            report_.texts.end()) {
      report_.texts.push_back(fragment.text);
    }
  }

  // --- conditions -----------------------------------------------------------

  std::size_t condition(const Expr& expr, const Value& about) {
    for (std::size_t i = 0; i < report_.conditions.size(); ++i) {
      if (report_.conditions[i].offset == expr.begin && ends_[i] == expr.end) {
        flow::add_unique(report_.conditions[i].triggers, about.literals);
        return i;
      }
    }
    if (report_.conditions.size() >= kMaxConditions) {
      return report_.conditions.size() - 1;
    }
    TemplateCondition made;
    made.condition = jinja::as_written(expr, source_);
    made.triggers = about.literals;
    const std::vector<std::string>& whose =
        about.whose.empty() ? roles_ : about.whose;
    for (const std::string& role : whose) {
      made.whose += (made.whose.empty() ? "" : " or ") + role;
    }
    if (about.has(flow::kClock)) made.whose = "clock";
    if (about.has(flow::kRandom)) made.whose = "random";
    if (about.has(flow::kCount)) made.whose = "count";
    if (made.whose.empty()) made.whose = "any";
    made.offset = expr.begin;
    made.line = line_of(source_, expr.begin);
    report_.conditions.push_back(std::move(made));
    ends_.push_back(expr.end);
    return report_.conditions.size() - 1;
  }

  /// A condition that is no comparison: truth of a random or clock value.
  void decide(const Expr& expr, Value& value) {
    if (value.conditions.empty() && value.has(flow::kRandom)) {
      value.conditions.push_back(condition(expr, value));
    }
  }

  /// Roles that a condition demands: message.role == 'user', role in [...].
  std::vector<std::string> roles_named(const Expr& expr) {
    std::vector<std::string> roles;
    if (expr.kind == ExprKind::logic && expr.text == "and") {
      for (const Expr& child : expr.children) {
        flow::add_unique(roles, roles_named(child));
      }
    }
    if (expr.kind != ExprKind::comparison ||
        (expr.text != "==" && expr.text != "in") || expr.children.size() != 2) {
      return roles;
    }
    const bool first_is_role = evaluate(expr.children[0]).has(flow::kRole);
    const bool second_is_role = evaluate(expr.children[1]).has(flow::kRole);
    if (first_is_role == second_is_role) return roles;
    const Expr& other = expr.children[first_is_role ? 1 : 0];
    if (other.kind == ExprKind::string) roles.push_back(other.text);
    if (other.kind == ExprKind::list) {
      for (const Expr& child : other.children) {
        if (child.kind == ExprKind::string) roles.push_back(child.text);
      }
    }
    return roles;
  }

  // --- expressions ----------------------------------------------------------

  Value evaluate(const Expr& expr) {
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

  static void depend(Value& value, const std::vector<std::size_t>& on) {
    flow::add_unique(value.conditions, on);
    for (Fragment& fragment : value.fragments) {
      flow::add_unique(fragment.conditions, on);
    }
  }

  Value variable(const std::string& name) {
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

  Value member(const Expr& expr, std::string_view name) {
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

  Value subscript(const Expr& expr) {
    Value base = evaluate(expr.children.front());
    if (expr.children.size() == 2 &&
        expr.children[1].kind == ExprKind::string) {
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

  Value combine(const Expr& expr) {
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
      all.origin &= ~std::uint32_t{flow::kContent | flow::kLength |
                                   flow::kPart | flow::kMessages};
      if (expr.text == "not") all.fragments.clear();
    }
    return all;
  }

  Value compare(const Expr& expr) {
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
    const bool counts_parts = all.has(flow::kPart) &&
                              !all.has(flow::kContent) && !literals.empty() &&
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

  /// Emptiness is an ordinary question: '' none [] 0 1 and length > 0.
  static bool is_nothing(const Expr& expr) {
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

  /// A turn beyond the third as a condition: templates look at the first and
  /// the last message and at odd and even ones.
  static bool counts_far(const Expr& expr) {
    return std::ranges::any_of(expr.children, [](const Expr& child) {
      return child.kind == ExprKind::number &&
             (child.text.size() > 1 || child.text > "2");
    });
  }

  Value test(const Expr& expr) {
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

  Value filter(const Expr& expr) {
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
    if (name == "map" && value.has(flow::kMessages)) {
      if (std::ranges::find(arguments.literals, "content") !=
          arguments.literals.end()) {
        value.origin = flow::kContent;
      } else if (std::ranges::find(arguments.literals, "role") !=
                 arguments.literals.end()) {
        value.origin = flow::kRole;
      }
      return value;
    }
    if (name == "selectattr" || name == "rejectattr" || name == "select" ||
        name == "reject") {
      const bool asks_content =
          value.has(flow::kContent | flow::kPart) ||
          (value.has(flow::kMessages) && expr.children.size() > 2 &&
           std::ranges::find(arguments.literals, "content") !=
               arguments.literals.end());
      if (asks_content && !arguments.literals.empty()) {
        value.literals = arguments.literals;
        std::erase(value.literals, "content");
        value.origin |= flow::kContent;
        depend(value, {condition(expr, value)});
      }
      return value;
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

  /// content.split('word'): what is left depends on the word being there.
  static void cut(Value& value, const Value& arguments) {
    if (arguments.literals.empty()) return;
    value.is_function_of_literals = true;
    flow::add_unique(value.literals, arguments.literals);
  }

  void rewrite(const Expr& expr, Value& value, const Value& arguments,
               std::size_t first) {
    const bool literal_pair = expr.children.size() >= first + 2 &&
                              expr.children[first].kind == ExprKind::string &&
                              expr.children[first + 1].kind == ExprKind::string;
    if (literal_pair && value.has(flow::kContent)) {
      const std::string& from = expr.children[first].text;
      const std::string& to = expr.children[first + 1].text;
      if (!flow::is_markup(to)) {
        add_finding(
            report_, source_, "template-rewrites-content", Severity::high,
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

  Value call(const Expr& expr) {
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

  // --- macros ---------------------------------------------------------------

  void bind_and_walk(const Node& macro, const Expr& call,
                     const std::vector<Value>& arguments) {
    std::map<std::string, Value, std::less<>> bound;
    const std::size_t positional =
        arguments.size() - std::min(arguments.size(), call.keywords.size());
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (i < positional) {
        if (i + 1 < macro.names.size()) {
          bound[macro.names[i + 1]] = arguments[i];
        }
      } else {
        bound[call.keywords[i - positional]] = arguments[i];
      }
    }
    walk_macro(macro, bound);
  }

  void walk_macro(const Node& macro,
                  const std::map<std::string, Value, std::less<>>& bound) {
    walked_.insert_or_assign(macro.names.front(), true);
    if (macro_depth_ >= kMaxMacroDepth || ++macro_walks_ > kMaxMacroWalks) {
      return;
    }
    ++macro_depth_;
    std::map<std::string, Value, std::less<>> saved = variables_;
    for (std::size_t i = 1; i < macro.names.size(); ++i) {
      const auto found = bound.find(macro.names[i]);
      variables_[macro.names[i]] =
          found == bound.end() ? Value{} : found->second;
    }
    walk_bodies(macro);
    variables_ = std::move(saved);
    --macro_depth_;
  }

  // --- judgement ------------------------------------------------------------

  void finish() {
    for (const TemplateCondition& found : report_.conditions) {
      std::size_t words = 0;
      for (const std::string& text : found.writes) words += count_words(text);
      judge(found, words);
    }
  }

  void judge(const TemplateCondition& found, std::size_t words) {
    const bool speaks = words >= 4;
    if (found.whose == "clock" || found.whose == "random") {
      if (!speaks) return;
      add_finding(report_, source_,
                  found.whose == "clock" ? "template-clock" : "template-random",
                  Severity::high, found.offset,
                  found.whose == "clock"
                      ? "writes other text depending on the date"
                      : "writes other text at random",
                  describe(found));
      return;
    }
    if (found.whose == "count") {
      if (!speaks) return;
      add_finding(report_, source_, "template-turn-trigger", Severity::medium,
                  found.offset,
                  "writes other text from a certain turn of the conversation "
                  "on",
                  describe(found));
      return;
    }
    if (speaks) {
      // Written because of a tag ('<<SYS>>', '/think') or of the operator's
      // own prompt: some honest templates do that, and it needs a look.
      const bool only_markup =
          !found.triggers.empty() &&
          std::ranges::all_of(found.triggers, flow::is_markup);
      const bool milder = only_markup || found.whose == "system";
      add_finding(report_, source_, "template-content-trigger",
                  milder ? Severity::medium : Severity::high, found.offset,
                  "writes text of its own into the prompt because of what a "
                  "message says",
                  describe(found));
      return;
    }
    const auto word =
        std::ranges::find_if(found.triggers, [](const std::string& trigger) {
          return !flow::is_markup(trigger) && trigger.size() >= 3;
        });
    if (word != found.triggers.end()) {
      add_finding(report_, source_, "template-word-condition", Severity::medium,
                  found.offset,
                  "behaves differently when a message contains a certain word",
                  describe(found));
    }
  }

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

}  // namespace

void follow_content(const jinja::Template& parsed, std::string_view source,
                    TemplateReport& report) {
  Follower(source, report).run(parsed.nodes);
}

}  // namespace impound
