// SPDX-License-Identifier: Apache-2.0
#include "core/scan/pickle_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
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

void report_call(ScanContext& context, const PickleCall& call) {
  if (call.is_computed) {
    context.report("pickle-computed-call", Severity::high, call.offset,
                   fmt::format("{} something computed: {}", deed(call.how),
                               printable(call.callee.substr(0, 200))),
                   call.rendering);
    return;
  }
  const bool is_dangerous = call.judgement.verdict == GlobalClass::dangerous;
  context.report(is_dangerous ? "pickle-dangerous-call" : "pickle-unknown-call",
                 is_dangerous ? Severity::critical : Severity::medium,
                 call.offset,
                 fmt::format("{} {}", deed(call.how), printable(call.callee)),
                 call.rendering);
}

void report_import(ScanContext& context, const PickleGlobal& global) {
  // torch replaces any name with "Storage" in it that stands for a type by
  // that type, without importing; a plain unpickler imports the module.
  if (global.name.find("Storage") != std::string::npos &&
      global.judgement.verdict == GlobalClass::unknown) {
    context.report(
        "pickle-storage-lookalike", Severity::low, global.offset,
        fmt::format("{} is a storage type to torch and an import to any other "
                    "unpickler",
                    printable(global.full_name())));
  }
  if (global.judgement.verdict <= GlobalClass::allowed) return;
  const bool is_dangerous = global.judgement.verdict == GlobalClass::dangerous;
  const std::string_view rule = global.judgement.rule.empty()
                                    ? "pickle-unknown-import"
                                    : global.judgement.rule;
  context.report(rule, is_dangerous ? Severity::critical : Severity::medium,
                 global.offset,
                 fmt::format("imports {}{}", printable(global.full_name()),
                             global.calls == 0 ? ", without calling it" : ""),
                 global.resolved_module + "." + global.resolved_name);
}

void look_into_constants(ScanContext& context, const ByteSource& source,
                         const PickleRun& run) {
  for (const PickleConstant& constant : run.constants) {
    if (context.cancelled()) return;
    const std::string name = fmt::format("constant@{}", constant.offset);
    if (constant.coding == PickleConstant::Coding::raw) {
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
        decode_pickle_constant(source, constant, kMaxDecodedConstant);
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

/// joblib skips the bytes of its arrays; pickle.load would run them. What that
/// would import is reported too.
void report_as_opcodes(ScanContext& context, const ByteSource& source,
                       const PickleRun& run) {
  PickleOptions options = scanning_options();
  options.arrays = PickleOptions::Arrays::as_opcodes;
  PickleMachine machine(source, options);
  const PickleRun plain = machine.run(run.begin);
  for (const PickleGlobal& global : plain.globals) {
    const bool is_known = std::any_of(
        run.globals.begin(), run.globals.end(), [&](const PickleGlobal& other) {
          return other.module == global.module && other.name == global.name;
        });
    if (!is_known) report_import(context, global);
  }
  for (const PickleCall& call : plain.calls) {
    const bool is_known = std::any_of(
        run.calls.begin(), run.calls.end(), [&](const PickleCall& other) {
          return other.rendering == call.rendering && other.how == call.how;
        });
    if (!is_known && !call.callee.empty() &&
        call.judgement.verdict == GlobalClass::dangerous) {
      report_call(context, call);
    }
  }
}

}  // namespace

PickleOptions scanning_options() {
  PickleOptions options;
  options.judge = judge_global;
  options.attributes = is_known_attribute;
  return options;
}

void report_pickle_run(ScanContext& context, const ByteSource& source,
                       const PickleRun& run) {
  // Problems first: thousands of names must not push them out of the report.
  context.add_problems(run.problems);
  for (const PickleCall& call : run.calls) report_call(context, call);
  for (const PickleGlobal& global : run.globals) {
    report_import(context, global);
  }
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
