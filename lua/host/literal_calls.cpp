// SPDX-License-Identifier: Apache-2.0
#include "lua/host/literal_calls.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "lua/host/calls.hpp"
#include "lua/host/lua_tokens.hpp"

namespace impound::lua {
namespace {

/// A value as far as it is written out.
struct Literal {
  enum class Kind : std::uint8_t {
    computed,  ///< anything but a literal
    value,     ///< text, a whole number, true, false, or nil (null)
    table,
  };
  struct Field;

  Kind kind = Kind::computed;
  int line = 0;
  Json value = {};
  std::vector<Field> fields = {};  ///< of a table: those with a written name
  std::vector<Literal> list = {};  ///< of a table: the others, in their order
  bool has_other_names = false;    ///< of a table: [computed] = …
};

struct Literal::Field {
  std::string name;
  int line = 0;
  Literal value;
};

/// A literal list of literals as JSON; null if part of it is computed.
Json list_of(const Literal& table) {
  Json list = Json::array();
  for (const Literal& one : table.list) {
    if (one.kind != Literal::Kind::value) return nullptr;
    list.push_back(one.value);
  }
  return list;
}

/// ctx:function(…), or ctx.params.function.
struct Use {
  bool is_parameter = false;
  std::string name;
  int line = 0;
  std::vector<Literal> arguments;
};

/// Finds the uses of ctx in one file. Reads expressions only as far as to know
/// whether they are literals, and where they end.
class Source {
 public:
  explicit Source(std::string_view text) {
    Tokens tokens(text);
    for (Token token = tokens.next(); token.kind != Token::Kind::end;
         token = tokens.next()) {
      tokens_.push_back(std::move(token));
    }
    tokens_.push_back({});
    end_ = tokens_.size();
  }

  std::vector<Use> uses() {
    for (at_ = 0; !at_end();) {
      const bool is_member = at_ > 0 && (tokens_[at_ - 1].is_symbol(".") ||
                                         tokens_[at_ - 1].is_symbol(":"));
      if (is_member || !is_name("ctx", 0)) {
        ++at_;
      } else if (peek(1).is_symbol(":") && peek(3).is_symbol("(")) {
        call();
      } else if (peek(1).is_symbol(".") && is_name("params", 2)) {
        parameter();
      } else {
        ++at_;
      }
    }
    return std::move(uses_);
  }

 private:
  /// Nesting of tables that is followed; deeper ones count as computed.
  static constexpr int kMaxDepth = 20;
  /// Tokens of one call that are looked at, so that calls inside calls inside
  /// calls take no longer than the file is; longer ones are left to the run.
  static constexpr std::size_t kMaxCall = 1000;

  [[nodiscard]] bool at_end() const { return at_ + 1 >= end_; }
  [[nodiscard]] const Token& peek(std::size_t ahead) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  [[nodiscard]] bool is_name(std::string_view name, std::size_t ahead) const {
    const Token& token = peek(ahead);
    return token.kind == Token::Kind::name && token.value == name;
  }

  void parameter() {
    if (peek(3).is_symbol(".")) {
      uses_.push_back({true, peek(4).value, peek(4).line, {}});
    } else if (peek(3).is_symbol("[") && peek(4).kind == Token::Kind::text &&
               peek(5).is_symbol("]")) {
      uses_.push_back({true, peek(4).value, peek(4).line, {}});
    }
    at_ += 3;
  }

  void call() {
    Use use{.name = peek(2).value, .line = peek(2).line, .arguments = {}};
    at_ += 4;
    const std::size_t inside = at_;
    end_ = std::min(tokens_.size(), at_ + kMaxCall);
    bool goes_on = !peek(0).is_symbol(")");
    while (goes_on) {
      use.arguments.push_back(expression(0));
      goes_on = peek(0).is_symbol(",");
      if (goes_on) ++at_;
    }
    if (peek(0).is_symbol(")")) uses_.push_back(std::move(use));
    // Calls inside the arguments are looked at as well.
    at_ = inside;
    end_ = tokens_.size();
  }

  [[nodiscard]] bool ends_expression() const {
    const Token& token = peek(0);
    return at_end() || token.is_symbol(",") || token.is_symbol(";") ||
           token.is_symbol(")") || token.is_symbol("}") || token.is_symbol("]");
  }

  Literal expression(int depth) {
    Literal literal = depth < kMaxDepth ? operand(depth) : Literal{};
    if (ends_expression()) return literal;
    skip_rest();
    return {.line = literal.line};
  }

  /// The literal that begins here, if one does.
  Literal operand(int depth) {
    const Token token = peek(0);
    Literal literal{.line = token.line};
    if (token.kind == Token::Kind::text) {
      literal.value = token.value;
    } else if (token.is_symbol("{")) {
      return table(depth);
    } else if (token.kind == Token::Kind::name &&
               (token.value == "true" || token.value == "false")) {
      literal.value = token.value == "true";
    } else if (std::int64_t number = 0;
               token.kind == Token::Kind::name && is_number(token, number)) {
      literal.value = number;
    } else if (token.kind != Token::Kind::name || token.value != "nil") {
      return literal;
    }
    literal.kind = Literal::Kind::value;
    ++at_;
    return literal;
  }

  static bool is_number(const Token& token, std::int64_t& number) {
    const char* const end = token.value.data() + token.value.size();
    const auto [stop, failure] =
        std::from_chars(token.value.data(), end, number);
    return failure == std::errc() && stop == end;
  }

  Literal table(int depth) {
    Literal table{.kind = Literal::Kind::table, .line = peek(0).line};
    ++at_;
    while (!at_end() && !peek(0).is_symbol("}")) {
      if (peek(0).kind == Token::Kind::name && peek(1).is_symbol("=")) {
        const Token name = peek(0);
        at_ += 2;
        table.fields.push_back({name.value, name.line, expression(depth + 1)});
      } else if (peek(0).is_symbol("[")) {
        bracketed(table, depth);
      } else {
        table.list.push_back(expression(depth + 1));
      }
      if (peek(0).is_symbol(",") || peek(0).is_symbol(";")) {
        ++at_;
      } else if (!peek(0).is_symbol("}")) {
        break;  // no table of Lua
      }
    }
    if (!at_end()) ++at_;
    return table;
  }

  /// ["name"] = value, [expression] = value.
  void bracketed(Literal& table, int depth) {
    const Token name = peek(1);
    const bool is_written =
        name.kind == Token::Kind::text && peek(2).is_symbol("]");
    ++at_;
    static_cast<void>(expression(depth + 1));
    if (peek(0).is_symbol("]")) ++at_;
    if (peek(0).is_symbol("=")) ++at_;
    Literal value = expression(depth + 1);
    if (is_written) {
      table.fields.push_back({name.value, name.line, std::move(value)});
    } else {
      table.has_other_names = true;
    }
  }

  /// To the end of an expression that is no literal.
  void skip_rest() {
    int open = 0;
    int blocks = 0;
    for (; !at_end(); ++at_) {
      const Token& token = peek(0);
      if (open == 0 && blocks == 0 && ends_expression()) return;
      if (token.kind == Token::Kind::symbol) {
        if (token.value == "(" || token.value == "{" || token.value == "[") {
          ++open;
        } else if (token.value == ")" || token.value == "}" ||
                   token.value == "]") {
          --open;
        }
      } else if (token.kind == Token::Kind::name) {
        if (token.value == "function" || token.value == "if" ||
            token.value == "do" || token.value == "repeat") {
          ++blocks;
        } else if (token.value == "end" || token.value == "until") {
          --blocks;
        }
      }
    }
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;  ///< behind the last token to look at
  std::vector<Use> uses_;
};

class Judge {
 public:
  Judge(const LoadedPlaybook& playbook, const Instruments& instruments)
      : playbook_(playbook), instruments_(instruments) {}

  std::vector<Problem> run() {
    for (const auto& [name, text] : playbook_.sources) {
      if (name == "test.lua") continue;  // its ctx is none of a step
      file_ = playbook_.folder / name;
      for (const Use& use : Source(text).uses()) {
        if (use.is_parameter) {
          parameter(use);
        } else {
          call(use);
        }
      }
    }
    return std::move(problems_);
  }

 private:
  void problem(int line, const std::string& message) {
    if (seen_.emplace(file_.native(), line).second) {
      problems_.push_back({file_, line, message});
    }
  }

  void parameter(const Use& use) {
    const std::vector<std::string> names = names_of(playbook_.parameters);
    if (std::ranges::find(names, use.name) != names.end()) return;
    problem(use.line,
            "ctx.params: " + no_such_word(use.name, names, "there are"));
  }

  void call(const Use& use) {
    const CallRule* const rule = find_call_rule(use.name);
    if (rule == nullptr || !rule->is_journaled()) {
      std::vector<std::string> names;
      for (const CallRule& one : call_rules()) {
        if (one.is_journaled()) names.emplace_back(one.name);
      }
      names.emplace_back("worst_verdict");
      if (std::ranges::find(names, use.name) == names.end()) {
        problem(use.line, "ctx: " + no_such_word(use.name, names, "there are"));
      }
      return;
    }
    switch (rule->shape) {
      case CallShape::instrument:
        return instrument(use, *rule);
      case CallShape::subject:
        if (use.arguments.size() > 1) {
          fields(use.name, rule->arguments, use.arguments[1], false);
        }
        return;
      case CallShape::table:
        if (!use.arguments.empty()) {
          fields(use.name, rule->arguments, use.arguments[0], true);
        }
        return;
      case CallShape::values:
        return values(use, *rule);
      case CallShape::anything:
        return;
    }
  }

  void values(const Use& use, const CallRule& rule) {
    for (std::size_t i = 0; i < use.arguments.size(); ++i) {
      if (i >= rule.arguments.size()) {
        problem(use.line, use.name + ": takes no more than " +
                              std::to_string(rule.arguments.size()) +
                              " arguments");
        return;
      }
      value(use.name, rule.arguments[i], use.arguments[i]);
    }
  }

  void instrument(const Use& use, const CallRule& rule) {
    switch (rule.instrument) {
      case InstrumentKind::collector:
        return instrument(use, instruments_.collectors, "collector");
      case InstrumentKind::containment:
        return instrument(use, instruments_.containments, "containment");
      case InstrumentKind::none:
        return;
    }
  }

  /// collect(name, { … }), contain(name, { … }), contain({ … }).
  template <typename Instrument>
  void instrument(const Use& use, std::span<const Instrument* const> all,
                  std::string_view kind) {
    const Literal nothing;
    const auto argument = [&use, &nothing](std::size_t i) -> const Literal& {
      return i < use.arguments.size() ? use.arguments[i] : nothing;
    };
    const Literal& name = argument(0);
    if (name.kind != Literal::Kind::value || !name.value.is_string()) return;
    std::vector<std::string> names;
    for (const Instrument* const one : all) {
      names.emplace_back(one->name);
      if (one->name != name.value) continue;
      Literal given = argument(1);
      // Lua names cannot hold dashes; lua/lib/impound/context.lua.
      for (Literal::Field& field : given.fields) {
        std::ranges::replace(field.name, '_', '-');
      }
      fields(std::string(kind) + " " + std::string(one->name), one->parameters,
             given, false);
      return;
    }
    problem(name.line, std::string(kind) + ": " +
                           no_such_word(name.value.get<std::string>(), names,
                                        "there are"));
  }

  void fields(const std::string& owner, std::span<const Parameter> declared,
              const Literal& table, bool must_be_whole) {
    if (table.kind != Literal::Kind::table) return;
    for (const Literal::Field& field : table.fields) {
      const auto found =
          std::ranges::find(declared, field.name, &Parameter::name);
      if (found == declared.end()) {
        problem(field.line,
                owner + ": " +
                    no_such_word(field.name, names_of(declared), "it takes"));
      } else {
        value(owner, *found, field.value);
      }
    }
    if (!must_be_whole || table.has_other_names) return;
    for (const Parameter& parameter : declared) {
      if (parameter.is_required &&
          std::ranges::find(table.fields, parameter.name,
                            &Literal::Field::name) == table.fields.end()) {
        problem(table.line, owner + ": " + parameter.name + ": expected " +
                                parameter.expectation() + ", found nothing");
      }
    }
  }

  void value(const std::string& owner, const Parameter& parameter,
             const Literal& literal) {
    Json given;
    if (literal.kind == Literal::Kind::value) {
      given = literal.value;
    } else if (literal.kind == Literal::Kind::table && literal.fields.empty() &&
               !literal.has_other_names) {
      given = list_of(literal);
    }
    if (given.is_null()) return;
    try {
      static_cast<void>(convert_value(parameter, given, Spelling::values, 0));
    } catch (const Error& error) {
      problem(literal.line,
              owner + ": " + parameter.name + ": " + error.what());
    }
  }

  const LoadedPlaybook& playbook_;
  const Instruments& instruments_;
  std::filesystem::path file_;
  std::set<std::pair<std::string, int>> seen_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> literal_problems(const LoadedPlaybook& playbook,
                                      const Instruments& instruments) {
  return Judge(playbook, instruments).run();
}

}  // namespace impound::lua
