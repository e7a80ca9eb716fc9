// SPDX-License-Identifier: Apache-2.0
#include "core/scan/pickle_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "core/base/text.hpp"
#include "core/scan/guarded_calls.hpp"
#include "core/scan/pickle_lists.hpp"

namespace impound {
namespace {

std::string_view deed(PickleCall::How how) {
  switch (how) {
    case PickleCall::How::call:
      return "would call";
    case PickleCall::How::create:
      return "would create an object of";
    case PickleCall::How::set_state:
      return "would set the state of an object made by";
    case PickleCall::How::mutate:
      return "would add to an object made by";
  }
  return "would call";
}

std::string plain_name(const PickleGlobal& global) {
  return global.resolved_module + "." + global.resolved_name;
}

/// What one run does, as far as several of its calls have to be seen together.
class RunReport {
 public:
  RunReport(ScanContext& context, const PickleRun& run)
      : context_(context), run_(run) {
    if (!run.calls.empty()) {
      for (const PickleGlobal& global : run.globals) {
        by_name_.emplace(global.full_name(), &global);
      }
    }
    // What was not walked to its end may do more than is seen.
    is_partial_ = !run.has_stopped || run.is_partial;
    has_caller_ = std::ranges::any_of(run.globals, calls_its_argument);
  }

  void report() {
    for (const PickleCall& call : run_.calls) report_call(call);
    for (const PickleGlobal& global : run_.globals) report_import(global);
  }

  void report_call(const PickleCall& call) {
    if (call.is_computed) {
      report_computed(call);
      return;
    }
    const PickleGlobal* const global = global_of(call);
    const GuardedNames* const guard =
        global == nullptr
            ? nullptr
            : guard_of(global->resolved_module, global->resolved_name);
    if (guard != nullptr && call.judgement.verdict == GlobalClass::unknown) {
      report_guarded(*guard, call);
      return;
    }
    if (call.judgement.verdict != GlobalClass::dangerous) {
      context_.report(
          "pickle-unknown-call", Severity::medium, call.offset,
          fmt::format("{} {}", deed(call.how), printable(call.callee)),
          call.rendering);
      return;
    }
    const std::optional<Harm> harm = harm_of_global(global);
    // An object that is made without a constructor runs nothing of a class
    // that only its module speaks against.
    const bool is_object = call.how != PickleCall::How::call &&
                           global != nullptr && !is_named(*global);
    context_.report(
        "pickle-dangerous-call",
        is_object ? Severity::high : Severity::critical, call.offset,
        fmt::format("{} {}{}", deed(call.how), printable(call.callee),
                    harm ? ", which " + std::string(to_string(*harm)) : ""),
        call.rendering);
  }

  void report_import(const PickleGlobal& global) {
    // torch replaces any name with "Storage" in it that stands for a type by
    // that type, without importing; a plain unpickler imports the module.
    const bool is_guarded = global.judgement.rule == kGuardedRule;
    if (global.name.find("Storage") != std::string::npos &&
        global.judgement.verdict == GlobalClass::unknown && !is_guarded) {
      context_.report(
          "pickle-storage-lookalike", Severity::low, global.offset,
          fmt::format("{} is a storage type to torch and an import to any "
                      "other unpickler",
                      printable(global.full_name())));
    }
    if (global.judgement.verdict <= GlobalClass::allowed) return;
    if (is_guarded) {
      report_handed_on(global);
      return;
    }
    const bool is_dangerous =
        global.judgement.verdict == GlobalClass::dangerous;
    const std::string_view rule = global.judgement.rule.empty()
                                      ? "pickle-unknown-import"
                                      : global.judgement.rule;
    std::string message =
        fmt::format("imports {}{}", printable(global.full_name()),
                    global.calls == 0 ? ", without calling it" : "");
    Severity severity = Severity::medium;
    if (is_dangerous) {
      const std::optional<Harm> harm = harm_of_global(&global);
      if (has_only_harmless_calls(global)) return;
      severity = is_harmful(global, harm) ? Severity::critical : Severity::high;
      if (harm) message += fmt::format(": it {}", to_string(*harm));
    }
    context_.report(rule, severity, global.offset, std::move(message),
                    plain_name(global));
  }

 private:
  [[nodiscard]] const PickleGlobal* global_of(const PickleCall& call) const {
    if (call.is_computed) return nullptr;
    const auto found = by_name_.find(call.callee);
    return found == by_name_.end() ? nullptr : found->second;
  }

  static std::optional<Harm> harm_of_global(const PickleGlobal* global) {
    if (global == nullptr) return std::nullopt;
    const auto harm = harm_of(global->resolved_module, global->resolved_name);
    return harm ? harm : harm_of(global->module, global->name);
  }

  /// Whether a row speaks against this very name, not against its module.
  static bool is_named(const PickleGlobal& global) {
    return is_named_danger(global.resolved_module, global.resolved_name) ||
           is_named_danger(global.module, global.name);
  }

  /// Functions of the allow-list that call a function among their arguments.
  static bool calls_its_argument(const PickleGlobal& global) {
    return global.calls != 0 &&
           global.resolved_name == "_rebuild_from_type_v2" &&
           global.resolved_module == "torch._tensor";
  }

  void report_guarded(const GuardedNames& guard, const PickleCall& call) {
    const std::optional<CallDoubt> doubt =
        doubt_call(guard, call.how, call.rendering);
    if (!doubt) return;
    const bool is_harm = doubt->severity == Severity::critical;
    context_.report(is_harm ? "pickle-dangerous-call" : kGuardedRule,
                    doubt->severity, call.offset,
                    fmt::format("{} {}: {}", deed(call.how),
                                printable(call.callee), doubt->reason),
                    call.rendering);
  }

  /// The result of a call is called: by what it is made of.
  void report_computed(const PickleCall& call) {
    const std::vector<RenderedToken> tokens = rendered_tokens(call.callee);
    const bool is_harmful =
        std::ranges::any_of(tokens, [&](const RenderedToken& token) {
          const auto found = by_name_.find(std::string(token.text));
          return token.kind == RenderedToken::Kind::name &&
                 found != by_name_.end() &&
                 found->second->judgement.verdict == GlobalClass::dangerous &&
                 found->second->known_attributes == 0;
        });
    context_.report("pickle-computed-call",
                    is_harmful ? Severity::critical : Severity::high,
                    call.offset,
                    fmt::format("{} something computed: {}", deed(call.how),
                                printable(call.callee.substr(0, 200))),
                    call.rendering);
  }

  /// Importing a dangerous name does no harm by itself: a model may keep a
  /// function. It does where something may call it.
  [[nodiscard]] bool is_harmful(const PickleGlobal& global,
                                std::optional<Harm> harm) const {
    return is_partial_ || has_caller_ || harm == Harm::acts_on_import ||
           (global.calls != 0 && calls_harm(global)) || global.is_handed_on;
  }

  /// Whether one of the calls of `global` was reported as harm.
  [[nodiscard]] bool calls_harm(const PickleGlobal& global) const {
    if (global.harmless_calls != 0 &&
        global.calls == global.harmless_calls + global.known_attributes) {
      return false;
    }
    const std::string name = global.full_name();
    bool is_seen = false;
    for (const PickleCall& call : run_.calls) {
      if (call.is_computed || call.callee != name) continue;
      is_seen = true;
      if (call.how == PickleCall::How::call || is_named(global)) return true;
    }
    return !is_seen;
  }

  /// getattr() of plain values and attributes, and nothing else done with it.
  [[nodiscard]] bool has_only_harmless_calls(const PickleGlobal& global) const {
    return global.harmless_calls != 0 && !has_caller_ && !is_partial_ &&
           global.calls == global.harmless_calls + global.known_attributes &&
           global.builds == 0 && !global.is_handed_on;
  }

  /// A guarded name is vouched for where its calls are seen.
  void report_handed_on(const PickleGlobal& global) {
    if (!has_caller_) return;
    context_.report(
        kGuardedRule, Severity::medium, global.offset,
        fmt::format("imports {} beside a function that calls its arguments",
                    printable(global.full_name())),
        plain_name(global));
  }

  ScanContext& context_;
  const PickleRun& run_;
  std::unordered_map<std::string, const PickleGlobal*> by_name_;
  bool has_caller_ = false;
  bool is_partial_ = false;
};

/// Bytes of a constant of protocol 0, a line of raw-unicode-escape: \uXXXX
/// stands for the characters that a line cannot hold.
Bytes decode_raw_unicode(ByteView line) {
  const std::string_view text = as_text(line);
  Bytes out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = static_cast<unsigned char>(text[i]);
    if (text.substr(i).starts_with("\\u00") && i + 6 <= text.size()) {
      const std::string_view digits = text.substr(i + 4, 2);
      const auto parsed = std::from_chars(
          digits.data(), digits.data() + digits.size(), value, 16);
      if (parsed.ptr == digits.data() + digits.size()) i += 5;
    }
    out.push_back(static_cast<std::byte>(value));
  }
  return out;
}

/// Whether the constant is the line of a UNICODE opcode.
bool is_line_of_unicode(const ByteSource& source,
                        const PickleConstant& constant) {
  if (constant.offset == 0) return false;
  const Bytes before = source.head(constant.offset - 1, 1);
  const Bytes behind = source.head(constant.offset + constant.size, 1);
  return as_text(before) == "V" && as_text(behind) == "\n";
}

void look_into_constants(ScanContext& context, const ByteSource& source,
                         const PickleRun& run) {
  for (const PickleConstant& constant : run.constants) {
    if (context.cancelled()) return;
    const std::string name = fmt::format("constant@{}", constant.offset);
    const bool is_line = constant.coding == PickleConstant::Coding::raw &&
                         is_line_of_unicode(source, constant);
    if (constant.coding == PickleConstant::Coding::raw && !is_line) {
      const SubSource inside(source, constant.offset, constant.size);
      context.scan_member(name, constant.offset, inside, MemberBytes::in_file);
      continue;
    }
    if (!context.spend(std::min(constant.size, kMaxDecodedConstant))) return;
    if (constant.size > kMaxDecodedConstant) {
      context.unread(constant.offset,
                     "an encoded constant of more than 64 MiB: only its "
                     "beginning was looked into");
    }
    const Bytes decoded =
        is_line ? decode_raw_unicode(
                      source.head(constant.offset,
                                  std::min(constant.size, kMaxDecodedConstant)))
                : decode_pickle_constant(source, constant, kMaxDecodedConstant);
    const SpanSource inside(decoded);
    context.scan_member(name, constant.offset, inside, MemberBytes::unpacked);
  }
}

bool has_weights_only_form(const PickleRun& run) {
  return run.has_weights_only_opcodes && run.torch_module_ids == 0 &&
         run.odd_id.empty() &&
         std::all_of(run.globals.begin(), run.globals.end(),
                     [](const PickleGlobal& global) {
                       return global.judgement.verdict ==
                              GlobalClass::weights_only;
                     });
}

/// What another way of reading the same pickle would import and call beyond
/// what was found.
void report_beyond(ScanContext& context, const PickleRun& run,
                   const PickleRun& other) {
  RunReport report(context, other);
  for (const PickleGlobal& global : other.globals) {
    const bool is_known = std::any_of(
        run.globals.begin(), run.globals.end(), [&](const PickleGlobal& each) {
          return each.module == global.module && each.name == global.name;
        });
    if (!is_known) report.report_import(global);
  }
  for (const PickleCall& call : other.calls) {
    const bool is_known = std::any_of(
        run.calls.begin(), run.calls.end(), [&](const PickleCall& each) {
          return each.rendering == call.rendering && each.how == call.how;
        });
    if (!is_known && !call.callee.empty() &&
        call.judgement.verdict == GlobalClass::dangerous) {
      report.report_call(call);
    }
  }
}

/// joblib skips the bytes of its arrays; pickle.load would run them. What that
/// would import is reported too.
void report_as_opcodes(ScanContext& context, const ByteSource& source,
                       const PickleRun& run) {
  PickleOptions options = scanning_options();
  options.arrays = PickleOptions::Arrays::as_opcodes;
  PickleMachine machine(source, options);
  report_beyond(context, run, machine.run(run.begin));
}

}  // namespace

PickleOptions scanning_options() {
  PickleOptions options;
  options.judge = judge_global;
  options.attributes = is_known_attribute;
  options.calls = judge_call;
  return options;
}

void report_pickle_run(ScanContext& context, const ByteSource& source,
                       const PickleRun& run) {
  // Problems first: thousands of names must not push them out of the report.
  context.add_problems(run.problems);
  RunReport(context, run).report();
  if (run.torch_module_ids != 0) {
    context.report(
        "torch-module-source", Severity::low, run.begin,
        "carries Python source of its classes; with dump_patches torch "
        "writes <class>.patch into the working folder");
  }
  if (!run.odd_id.empty()) {
    context.report(
        "pickle-persistent-id", Severity::medium, run.odd_id_offset,
        "a persistent id that is no torch storage: what it does is up to the "
        "loading program",
        run.odd_id);
  }
  look_into_constants(context, source, run);
  if (!run.arrays.empty()) report_as_opcodes(context, source, run);
  if (run.straddles_frame) {
    report_beyond(context, run,
                  run_dropping_frames(source, scanning_options(), run.begin));
  }
  context.judge(run.has_stopped && has_weights_only_form(run)
                    ? Verdict::weights_only_ok
                    : Verdict::allow_listed);
}

void scan_pickle_stream(ScanContext& context, const ByteSource& source) {
  const PickleStream stream =
      read_pickle_stream(source, scanning_options(), AfterStop::search_all);
  context.add_problems(stream.problems);
  for (std::size_t i = 0; i < stream.runs.size(); ++i) {
    const PickleRun& run = stream.runs[i];
    if (i == 1 && stream.first_resumed > 1) {
      context.report(
          "pickle-stacked", Severity::low, run.begin,
          fmt::format("{} pickles follow each other; one load() reads the "
                      "first only",
                      stream.first_resumed));
    }
    if (i == stream.first_resumed) {
      context.report("pickle-resumed", Severity::medium, run.begin,
                     "another pickle stands behind bytes that are none");
    }
    report_pickle_run(context, source, run);
  }
  if (stream.trailing != 0 && !stream.runs.empty() &&
      stream.runs.front().has_stopped) {
    context.report(
        "pickle-trailing", Severity::medium, source.size() - stream.trailing,
        fmt::format("{} bytes behind the last STOP", stream.trailing));
  }
}

void scan_pickle_rest(ScanContext& context, const ByteSource& rest,
                      std::uint64_t offset) {
  const PickleStream stream = find_pickles(rest, scanning_options(), 0);
  context.add_problems(stream.problems);
  for (const PickleRun& run : stream.runs) {
    context.report(
        "pickle-resumed", Severity::medium, offset + run.begin,
        "a pickle stands in bytes that the format does not account for");
    report_pickle_run(context, rest, run);
  }
}

}  // namespace impound
