// SPDX-License-Identifier: Apache-2.0
/// Statements, conditions, and what is said about them in the end.

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

}  // namespace

Follower::Follower(std::string_view source, TemplateReport& report)
    : source_(source), report_(report) {
  variables_["messages"].origin = flow::kMessages;
  variables_["conversation"].origin = flow::kMessages;
}

void Follower::run(const std::vector<Node>& nodes) {
  collect_macros(nodes);
  walk(nodes);
  // Macros that nothing calls are still part of the template.
  for (const auto& [name, node] : macros_) {
    if (!walked_.contains(name)) walk_macro(*node, {});
  }
  finish();
}

void Follower::collect_macros(const std::vector<Node>& nodes) {
  for (const Node& node : nodes) {
    if (node.kind == NodeKind::macro && !node.names.empty()) {
      macros_.emplace(node.names.front(), &node);
    }
    for (const jinja::Branch& branch : node.branches) {
      collect_macros(branch.body);
    }
  }
}

bool Follower::exhausted() {
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

void Follower::walk(const std::vector<Node>& nodes) {
  for (const Node& node : nodes) walk(node);
}

void Follower::walk(const Node& node) {
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

void Follower::walk_bodies(const Node& node) {
  for (const jinja::Branch& branch : node.branches) walk(branch.body);
}

void Follower::walk_branches(const Node& node) {
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

bool Follower::never(const Expr& expr) {
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

void Follower::walk_loop(const Node& node) {
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

[[nodiscard]] std::optional<Value> Follower::stored(
    const std::string& name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

void Follower::walk_set(const Node& node) {
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

void Follower::assign(const std::string& name, Value value) {
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

void Follower::write_value(const Value& value) {
  if (!captured_.empty()) {
    Value here = value;
    here.conditions.clear();
    flow::merge(captured_.back(), here);
    return;
  }
  if (value.has(flow::kClock)) report_.reads_clock = true;
  for (const Fragment& fragment : value.fragments) write(fragment);
}

void Follower::write(Fragment fragment) {
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
      std::ranges::find(report_.texts, fragment.text) == report_.texts.end()) {
    report_.texts.push_back(fragment.text);
  }
}

std::size_t Follower::condition(const Expr& expr, const Value& about) {
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

void Follower::decide(const Expr& expr, Value& value) {
  if (value.conditions.empty() && value.has(flow::kRandom)) {
    value.conditions.push_back(condition(expr, value));
  }
}

std::vector<std::string> Follower::roles_named(const Expr& expr) {
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

void Follower::bind_and_walk(const Node& macro, const Expr& call,
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

void Follower::walk_macro(
    const Node& macro, const std::map<std::string, Value, std::less<>>& bound) {
  walked_.insert_or_assign(macro.names.front(), true);
  if (macro_depth_ >= kMaxMacroDepth || ++macro_walks_ > kMaxMacroWalks) {
    return;
  }
  ++macro_depth_;
  std::map<std::string, Value, std::less<>> saved = variables_;
  for (std::size_t i = 1; i < macro.names.size(); ++i) {
    const auto found = bound.find(macro.names[i]);
    variables_[macro.names[i]] = found == bound.end() ? Value{} : found->second;
  }
  walk_bodies(macro);
  variables_ = std::move(saved);
  --macro_depth_;
}

void Follower::finish() {
  for (const TemplateCondition& found : report_.conditions) {
    std::size_t words = 0;
    for (const std::string& text : found.writes) words += count_words(text);
    judge(found, words);
  }
}

void Follower::judge(const TemplateCondition& found, std::size_t words) {
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
    // own prompt: some honest templates do that, and it needs a look. A tag in
    // the operator's own prompt ('/no_think') is a switch of theirs.
    const bool only_markup =
        !found.triggers.empty() &&
        std::ranges::all_of(found.triggers, flow::is_markup);
    const bool is_system = found.whose == "system";
    const Severity severity = only_markup && is_system   ? Severity::low
                              : only_markup || is_system ? Severity::medium
                                                         : Severity::high;
    add_finding(report_, source_, "template-content-trigger", severity,
                found.offset,
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

}  // namespace flow

void follow_content(const jinja::Template& parsed, std::string_view source,
                    TemplateReport& report) {
  flow::Follower(source, report).run(parsed.nodes);
}

}  // namespace impound
