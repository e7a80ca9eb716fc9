// SPDX-License-Identifier: Apache-2.0
#include "core/scan/guarded_calls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/base/text.hpp"

namespace impound {
namespace {

using Kind = RenderedToken::Kind;
using Tokens = std::span<const RenderedToken>;

bool is_name_char(char c) {
  return c == '_' || c == '.' || (c >= '0' && c <= '9') ||
         (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Where the string that begins with a quote at `at` ends: at its last quote.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return i;
    }
  }
  return text.size();
}

/// The arguments of the first call in `tokens`, one span each.
std::vector<Tokens> arguments_of(Tokens tokens) {
  std::vector<Tokens> found;
  std::size_t at = 0;
  while (at < tokens.size() && !tokens[at].is_mark('(')) ++at;
  if (at == tokens.size()) return found;
  std::size_t begin = ++at;
  int depth = 0;
  for (; at < tokens.size(); ++at) {
    const RenderedToken& token = tokens[at];
    if (token.kind != Kind::mark) continue;
    const char mark = token.text.front();
    if (mark == '(' || mark == '[' || mark == '{') ++depth;
    const bool closes = mark == ')' || mark == ']' || mark == '}';
    if (depth == 0 && (mark == ',' || closes)) {
      if (at > begin) found.push_back(tokens.subspan(begin, at - begin));
      begin = at + 1;
      if (closes) break;
    }
    if (closes) --depth;
  }
  return found;
}

bool has_kind(Tokens tokens, Kind kind) {
  return std::ranges::any_of(
      tokens, [&](const RenderedToken& token) { return token.kind == kind; });
}

/// The name that an argument is, if it is nothing but a name.
std::string_view only_name(Tokens argument) {
  return argument.size() == 1 && argument[0].kind == Kind::name
             ? argument[0].text
             : std::string_view();
}

std::pair<std::string_view, std::string_view> split_name(
    std::string_view full) {
  const std::size_t dot = full.rfind('.');
  if (dot == std::string_view::npos) return {"", full};
  return {full.substr(0, dot), full.substr(dot + 1)};
}

std::optional<CallDoubt> review(std::string reason) {
  return CallDoubt{Severity::medium, std::move(reason)};
}

std::optional<CallDoubt> harm(Harm harm) {
  return CallDoubt{Severity::critical, std::string(to_string(harm))};
}

/// nn.SiLU(), torch.nn.LeakyReLU(0.1): what an activation is made with.
bool is_plain_activation(std::string_view text) {
  if (text.starts_with("torch.")) text.remove_prefix(6);
  if (!text.starts_with("nn.") || !text.ends_with(')')) return false;
  const std::size_t open = text.find('(');
  const auto is_of = [](std::string_view part, std::string_view more) {
    return std::ranges::all_of(part, [&](char c) {
      return (is_name_char(c) && c != '_') || more.find(c) != more.npos;
    });
  };
  if (open == std::string_view::npos || !is_of(text.substr(3, open - 3), "")) {
    return false;
  }
  return is_of(text.substr(open + 1, text.size() - open - 2), "=, -");
}

std::optional<CallDoubt> doubt_settings(Tokens tokens) {
  const std::vector<Tokens> arguments = arguments_of(tokens);
  if (arguments.empty()) return std::nullopt;
  const auto is_code = [&](std::size_t i) {
    const std::string_view text = tokens[i].text;
    const bool is_activation = i >= 2 && tokens[i - 1].is_mark(':') &&
                               tokens[i - 2].text == "activation";
    if (is_activation) return !is_plain_activation(text);
    return text.find('(') != text.npos || text.find("__") != text.npos;
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind == Kind::text && is_code(i)) {
      return CallDoubt{Severity::critical,
                       fmt::format("the constructor evaluates '{}' as code",
                                   printable(tokens[i].text.substr(0, 200)))};
    }
  }
  return review("the constructor evaluates words of its settings as code");
}

std::optional<CallDoubt> doubt_text(Tokens tokens) {
  const auto text = std::ranges::find(tokens, Kind::text, &RenderedToken::kind);
  if (text != tokens.end()) {
    const bool is_address = text->text.find("://") != text->text.npos;
    return CallDoubt{
        Severity::high,
        fmt::format("opens the {} '{}'", is_address ? "address" : "file",
                    printable(text->text.substr(0, 200)))};
  }
  if (has_kind(tokens, Kind::cut)) {
    return review("its arguments are not shown to their end");
  }
  return std::nullopt;
}

bool is_plain_type(std::string_view name) {
  static constexpr std::array<std::string_view, 13> kPlain = {
      "builtins.object",   "builtins.dict",      "builtins.list",
      "builtins.tuple",    "builtins.set",       "builtins.frozenset",
      "builtins.int",      "builtins.float",     "builtins.str",
      "builtins.bytes",    "builtins.bytearray", "builtins.complex",
      "builtins.Exception"};
  return std::ranges::find(kPlain, name) != kPlain.end();
}

std::optional<CallDoubt> doubt_base(Tokens tokens) {
  const std::vector<Tokens> arguments = arguments_of(tokens);
  if (arguments.size() < 2 || only_name(arguments[0]).empty()) {
    return review("the class is computed");
  }
  const std::string_view base = only_name(arguments[1]);
  if (is_plain_type(base)) return std::nullopt;
  const auto [module, name] = split_name(base);
  const GlobalClass verdict = judge_global(module, name).verdict;
  if (verdict <= GlobalClass::allowed) return std::nullopt;
  if (const auto what = harm_of(module, name)) return harm(*what);
  const GuardedNames* const row = guard_of(module, name);
  if (row != nullptr && row->guard == Guard::settings && arguments.size() > 2) {
    return doubt_settings(tokens);
  }
  return review(fmt::format("runs the constructor of {}", printable(base)));
}

std::optional<CallDoubt> doubt_torch_bytes(std::string_view rendering) {
  constexpr std::string_view kCall = "torch.storage._load_from_bytes(";
  std::string_view rest = rendering.substr(
      std::min(rendering.size(),
               rendering.starts_with(kCall) ? kCall.size() : std::size_t{0}));
  // Protocols 0 to 2 write bytes as text, one character a byte.
  constexpr std::string_view kEncode = "_codecs.encode(";
  const bool is_text = rest.starts_with(kEncode);
  if (is_text) rest.remove_prefix(kEncode.size());
  if (!is_text && rest.starts_with('b')) rest.remove_prefix(1);
  if (rest.empty() || (rest.front() != '\'' && rest.front() != '"')) {
    return review("the bytes that it loads are computed");
  }
  rest.remove_prefix(1);
  // Every pickle that torch.save writes begins with PROTO 2; a zip is one too.
  // What begins so is looked into as a constant of the pickle.
  const auto begins = [&](std::string_view proto) {
    return rest.starts_with(proto) && rest.size() > proto.size() &&
           rest[proto.size()] >= '0' && rest[proto.size()] <= '5';
  };
  const bool is_torch = rest.starts_with("PK\\x03\\x04") ||
                        begins(is_text ? "\xc2\x80\\x0" : "\\x80\\x0");
  if (is_torch) return std::nullopt;
  return review(
      "the bytes that it loads begin as nothing that torch.save "
      "writes");
}

/// The text that scipy.stats makes for the arguments of a distribution: three
/// functions that return what they are given.
bool is_plain_shapes(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kLines = {
      "def _parse_args(self, ",       "return (",
      "def _parse_args_rvs(self, ",   "return self._argcheck_rvs(",
      "def _parse_args_stats(self, ", ""};
  static constexpr std::string_view kMore = "=, ()\"':[].";
  std::string_view rest = text;
  while (true) {
    const std::size_t end = rest.find("\\n");
    const std::string_view line = trim(rest.substr(0, end));
    const auto* const begin =
        std::ranges::find_if(kLines, [&](std::string_view known) {
          return known.empty() ? line.empty() : line.starts_with(known);
        });
    if (begin == kLines.end()) return false;
    const std::string_view tail = line.substr(begin->size());
    const bool is_plain = std::ranges::all_of(tail, [](char c) {
      return is_name_char(c) || kMore.find(c) != kMore.npos;
    });
    // No further call: a bracket opens nothing behind the first one, but the
    // empty tuple "()," that a distribution without shapes has.
    if (!is_plain || tail.find('(') != tail.npos ||
        tail.find("__") != tail.npos) {
      return false;
    }
    if (end == std::string_view::npos) return true;
    rest.remove_prefix(end + 2);
  }
}

std::optional<CallDoubt> doubt_shapes(Tokens tokens) {
  constexpr std::string_view kKey = "_parse_arg_template";
  const auto undecided = [] {
    return review(
        "its state holds a text that __setstate__ executes, and that is not "
        "shown to its end");
  };
  bool seen = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].text.find(kKey) == std::string_view::npos) continue;
    if (seen || tokens[i].kind != Kind::text || tokens[i].text != kKey ||
        i + 2 >= tokens.size() || !tokens[i + 1].is_mark(':') ||
        tokens[i + 2].kind != Kind::text ||
        (i + 3 < tokens.size() && tokens[i + 3].kind == Kind::cut_text)) {
      return undecided();
    }
    if (!is_plain_shapes(tokens[i + 2].text)) {
      return CallDoubt{Severity::critical,
                       "__setstate__ executes a text of the state that SciPy "
                       "did not write"};
    }
    seen = true;
  }
  return seen ? std::nullopt : undecided();
}

std::optional<CallDoubt> doubt_reduce(const GuardedNames& row,
                                      std::string_view rendering,
                                      Tokens tokens) {
  const std::vector<Tokens> arguments = arguments_of(tokens);
  const std::string_view first =
      arguments.empty() ? std::string_view() : only_name(arguments[0]);
  const auto all_names = [&](auto is_good) {
    return std::ranges::all_of(
        tokens.subspan(std::min<std::size_t>(1, tokens.size())),
        [&](const RenderedToken& token) {
          return token.kind != Kind::name || is_good(token.text);
        });
  };
  switch (row.guard) {
    case Guard::object:
      if (arguments.empty() && !has_kind(tokens, Kind::cut)) {
        return std::nullopt;
      }
      return review("nobody vouched for its constructor with arguments");
    case Guard::shapes:
      if (arguments.empty()) return std::nullopt;
      return review("nobody vouched for its constructor with arguments");
    case Guard::settings:
      return doubt_settings(tokens);
    case Guard::no_text:
      return doubt_text(tokens);
    case Guard::singleton:
      if (arguments.size() == 1 &&
          (first == "None" || first == "builtins.Ellipsis" ||
           first == "builtins.NotImplemented")) {
        return std::nullopt;
      }
      return harm(Harm::reaches_anything);
    case Guard::iterable:
      if (arguments.size() == 1) return std::nullopt;
      return harm(Harm::reaches_anything);
    case Guard::base:
      return doubt_base(tokens);
    case Guard::new_object:
      if (!first.empty()) return std::nullopt;
      return review("the class is computed");
    case Guard::binds:
      return std::nullopt;
    case Guard::annotation:
      if (first.starts_with("typing.")) return std::nullopt;
      return harm(Harm::reaches_anything);
    case Guard::torch_bytes:
      return doubt_torch_bytes(rendering);
    case Guard::bit_generator:
      if (all_names([](std::string_view name) {
            return name.starts_with("numpy.random.");
          }) &&
          !has_kind(tokens, Kind::cut)) {
        return std::nullopt;
      }
      return harm(Harm::reaches_anything);
    case Guard::own_module:
      if (arguments.size() == 2 && arguments[0].size() == 1 &&
          arguments[0][0].kind == Kind::text &&
          (arguments[0][0].text == "numpy" ||
           arguments[0][0].text.starts_with("numpy.core") ||
           arguments[0][0].text.starts_with("scipy.special"))) {
        return std::nullopt;
      }
      return harm(Harm::loads_code);
    case Guard::ctypes_number:
      if (first.starts_with("ctypes.c_") && !first.ends_with("_p")) {
        return std::nullopt;
      }
      return harm(Harm::reaches_anything);
    case Guard::attribute:
      if (all_names([](std::string_view name) { return name == "None"; }) &&
          !has_kind(tokens, Kind::cut)) {
        return std::nullopt;
      }
      return review("what it asks for is computed");
  }
  return review("nobody vouched for it");
}

/// How many arguments there are, if they are a tuple that is kept.
std::optional<std::size_t> argument_count(const PickleHeap& heap,
                                          const PickleValue& arguments) {
  const auto tuple = heap.container(arguments);
  if (!tuple || tuple->kind != PickleContainer::Kind::tuple || tuple->is_cut) {
    return std::nullopt;
  }
  return tuple->count;
}

/// What the first look at a call of a guarded name says.
CallClass at_sight(const PickleHeap& heap, const GuardedNames& row,
                   const PickleCallParts& parts) {
  switch (parts.how) {
    case PickleCall::How::create:
      return row.guard == Guard::singleton ? CallClass::harmful
                                           : CallClass::harmless;
    case PickleCall::How::set_state:
      return row.guard == Guard::shapes ? CallClass::by_text
                                        : CallClass::harmless;
    case PickleCall::How::mutate:
      return CallClass::harmless;
    case PickleCall::How::call:
      break;
  }
  const auto count = argument_count(heap, parts.arguments);
  const auto is_name = [&](std::size_t i) {
    return heap.global(heap.child(parts.arguments, i)) != nullptr;
  };
  switch (row.guard) {
    case Guard::object:
    case Guard::shapes:
      return count == 0 ? CallClass::harmless : CallClass::doubtful;
    case Guard::settings:
      if (count == 0) return CallClass::harmless;
      break;
    case Guard::iterable:
      if (count == 1) return CallClass::harmless;
      break;
    case Guard::binds:
      return CallClass::harmless;
    case Guard::new_object:
      if (count >= 1 && is_name(0)) return CallClass::harmless;
      break;
    case Guard::base: {
      if (count < 2 || !is_name(0) || !is_name(1)) break;
      const PickleGlobal& base = *heap.global(heap.child(parts.arguments, 1));
      if (base.judgement.verdict <= GlobalClass::allowed) {
        return CallClass::harmless;
      }
      break;
    }
    default:
      break;
  }
  return CallClass::by_text;
}

bool is_getattr(const PickleGlobal& global) {
  return global.resolved_name == "getattr" &&
         global.resolved_module == "builtins";
}

bool is_plain_getattr(std::string_view rendering) {
  if (!rendering.starts_with("builtins.getattr(")) return false;
  const std::vector<RenderedToken> tokens = rendered_tokens(rendering);
  const std::vector<Tokens> arguments = arguments_of(tokens);
  return arguments.size() == 2 && !has_kind(arguments[0], Kind::name) &&
         arguments[1].size() == 1 && arguments[1][0].kind == Kind::text &&
         is_plain_attribute(arguments[1][0].text);
}

bool is_scalar(const PickleValue& value) {
  return value.is_text() || value.kind == PickleValue::Kind::bytes ||
         value.kind == PickleValue::Kind::integer ||
         value.kind == PickleValue::Kind::real;
}

/// A text, a number, or a few of them in a list, a tuple, a set or a dict.
bool is_few_scalars(const PickleHeap& heap, const PickleValue& value) {
  constexpr std::uint32_t kFew = 8;
  if (is_scalar(value)) return true;
  const auto holder = heap.container(value);
  if (!holder || holder->kind > PickleContainer::Kind::set ||
      holder->count > kFew) {
    return false;
  }
  return std::ranges::all_of(heap.children(value, kFew), is_scalar);
}

/// `doubtful` if the call is no getattr(), or none of a plain value and a plain
/// attribute.
CallClass plain_getattr(const PickleHeap& heap, const PickleCallParts& parts,
                        std::string_view rendering) {
  if (parts.how != PickleCall::How::call || !is_getattr(*parts.type) ||
      argument_count(heap, parts.arguments) != 2) {
    return CallClass::doubtful;
  }
  if (rendering.empty()) {
    const bool is_plain =
        is_few_scalars(heap, heap.child(parts.arguments, 0)) &&
        heap.child(parts.arguments, 1).is_text() &&
        is_plain_attribute(heap.text(heap.child(parts.arguments, 1), 256));
    return is_plain ? CallClass::harmless : CallClass::by_text;
  }
  return is_plain_getattr(rendering) ? CallClass::harmless
                                     : CallClass::doubtful;
}

bool is_known_method_call(const PickleHeap& heap, const PickleValue& callee) {
  const PickleGlobal* const getter = heap.callee(callee);
  if (getter == nullptr || !is_getattr(*getter)) return false;
  const PickleValue& arguments = heap.call(callee)->arguments;
  if (argument_count(heap, arguments) != 2) return false;
  const PickleGlobal* const type = heap.global(heap.child(arguments, 0));
  return type != nullptr &&
         is_known_method(type->resolved_module + "." + type->resolved_name,
                         heap.text(heap.child(arguments, 1), 256));
}

}  // namespace

std::vector<RenderedToken> rendered_tokens(std::string_view text) {
  std::vector<RenderedToken> tokens;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const bool is_bytes = c == 'b' && at + 1 < text.size() &&
                          (text[at + 1] == '\'' || text[at + 1] == '"');
    if (c == ' ') {
      ++at;
    } else if (c == '\'' || c == '"' || is_bytes) {
      const std::size_t quote = at + (is_bytes ? 1 : 0);
      const std::size_t end = end_of_string(text, quote);
      tokens.push_back({is_bytes ? Kind::bytes : Kind::text,
                        text.substr(quote + 1, end - quote - 1)});
      at = std::min(end + 1, text.size());
      if (end >= text.size()) tokens.push_back({Kind::cut, {}});
    } else if (text.substr(at).starts_with("…")) {
      const bool is_string = at > 0 && !tokens.empty() &&
                             (text[at - 1] == '\'' || text[at - 1] == '"') &&
                             (tokens.back().kind == Kind::text ||
                              tokens.back().kind == Kind::bytes);
      tokens.push_back({is_string ? Kind::cut_text : Kind::cut, {}});
      at += std::string_view("…").size();
    } else if (c == '<') {
      // "<?>", "<integer of 9 bytes>"
      const std::size_t end = std::min(text.find('>', at), text.size() - 1);
      const std::string_view inside = text.substr(at, end + 1 - at);
      tokens.push_back(
          {inside.starts_with("<integer") ? Kind::number : Kind::cut, inside});
      at = end + 1;
    } else if ((c >= '0' && c <= '9') || c == '-') {
      const std::size_t begin = at++;
      while (at < text.size() &&
             (is_name_char(text[at]) || text[at] == '+' || text[at] == '-')) {
        ++at;
      }
      tokens.push_back({Kind::number, text.substr(begin, at - begin)});
    } else if (is_name_char(c)) {
      const std::size_t begin = at;
      while (at < text.size() && is_name_char(text[at]) &&
             !text.substr(at).starts_with("…")) {
        ++at;
      }
      tokens.push_back({Kind::name, text.substr(begin, at - begin)});
    } else {
      tokens.push_back({Kind::mark, text.substr(at, 1)});
      ++at;
    }
  }
  return tokens;
}

std::optional<CallDoubt> doubt_call(const GuardedNames& row,
                                    PickleCall::How how,
                                    std::string_view rendering) {
  switch (how) {
    case PickleCall::How::call:
      return doubt_reduce(row, rendering, rendered_tokens(rendering));
    case PickleCall::How::create:
      if (row.guard == Guard::singleton) return harm(Harm::reaches_anything);
      return std::nullopt;
    case PickleCall::How::set_state:
      if (row.guard == Guard::shapes) {
        return doubt_shapes(rendered_tokens(rendering));
      }
      return std::nullopt;
    case PickleCall::How::mutate:
      return std::nullopt;
  }
  return std::nullopt;
}

CallClass judge_call(const PickleHeap& heap, const PickleCallParts& parts,
                     std::string_view rendering) {
  if (is_known_method_call(heap, parts.callee)) return CallClass::harmless;
  if (parts.type == nullptr) return CallClass::doubtful;
  const GlobalJudgement& judgement = parts.type->judgement;
  if (judgement.verdict == GlobalClass::dangerous) {
    const CallClass plain = plain_getattr(heap, parts, rendering);
    return plain == CallClass::doubtful ? CallClass::harmful : plain;
  }
  if (judgement.guard == nullptr) return CallClass::doubtful;
  if (rendering.empty()) return at_sight(heap, *judgement.guard, parts);
  const auto doubt = doubt_call(*judgement.guard, parts.how, rendering);
  if (!doubt) return CallClass::harmless;
  return doubt->severity == Severity::critical ? CallClass::harmful
                                               : CallClass::doubtful;
}

}  // namespace impound
