// SPDX-License-Identifier: Apache-2.0
/// impound scan: what a model file would do to whoever loads it.

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/looking.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/scans.hpp"
#include "core/engine/weak_signal_scan.hpp"
#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

struct Options {
  std::string subject;
  bool rules = false;
  bool sarif = false;
  bool weak_signals = false;
  bool code_only = false;

  [[nodiscard]] ScanOptions::Depth depth() const {
    return code_only ? ScanOptions::Depth::code_only
                     : ScanOptions::Depth::every_byte;
  }
};

Json answer_of(const ScanReport& report,
               const std::optional<WeakSignals>& weak) {
  Json answer = to_json(report);
  if (!weak) return answer;
  answer["weak_signals"] = Json::array();
  for (const WeakSignal& each : weak->signals) {
    answer["weak_signals"].push_back(each.to_json());
  }
  return answer;
}

ExitCode show(const Globals& globals, const Options& options,
              const ScanReport& report, const std::optional<WeakSignals>& weak,
              const LookRecord& recording) {
  if (options.sarif) {
    print_json(to_sarif(report, IMPOUND_VERSION));
  } else if (globals.json) {
    Json document = answer_of(report, weak);
    recording.add_to(document);
    print_json(document);
  } else {
    print_text(globals, to_text(report) + (weak ? to_text(*weak) : "") +
                            recording.in_words());
  }
  const auto code = static_cast<ExitCode>(report.exit_code());
  return code == ExitCode::clean && recording.has_failed() ? ExitCode::failed
                                                           : code;
}

std::optional<WeakSignals> weak_signals(const Options& options,
                                        const CaseFile* case_file,
                                        Progress& progress,
                                        const Globals& globals) {
  if (!options.weak_signals) return std::nullopt;
  return weak_signals_of(options.subject, case_file, progress,
                         *globals.cancellation);
}

ExitCode scan(const Globals& globals, const Options& options) {
  if (options.rules) {
    if (globals.json) {
      print_json(rules_to_json());
    } else {
      print_text(globals, rules_to_text());
    }
    return ExitCode::clean;
  }
  if (options.subject.empty()) {
    throw Error(Errc::bad_input, "scan needs a path or an exhibit, or --rules");
  }
  if (is_path_on_disk(options.subject)) {
    const auto progress = make_progress(globals, Events::no);
    const ScanReport report =
        scan_subject(options.subject, nullptr, *progress, *globals.cancellation,
                     options.depth());
    return show(globals, options, report,
                weak_signals(options, nullptr, *progress, globals),
                LookRecord{});
  }
  if (!parse_exhibit_reference(options.subject)) {
    throw Error(Errc::io,
                "cannot read " + printable(options.subject) +
                    ": no such file or folder, and no exhibit (E001, E001/17)");
  }
  Looking looking(globals, Looking::AfterClose::refused);
  const ScanReport report =
      scan_subject(options.subject, &looking.file(), looking.progress(),
                   *globals.cancellation, options.depth());
  const std::optional<WeakSignals> weak =
      weak_signals(options, &looking.file(), looking.progress(), globals);
  return show(globals, options, report, weak,
              looking.record([&](Session& session) {
                record_scan(session, options.subject, answer_of(report, weak));
              }));
}

}  // namespace

void add_scan(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(app, Group::look, "scan",
                                  "What would run if these files were loaded.",
                                  "impound scan downloads/model.safetensors");
  auto options = std::make_shared<Options>();
  takes(ValueKind::model,
        command->add_option(
            "subject", options->subject,
            "File, folder, snapshot, bundle, exhibit (E001) or item "
            "(E001/17)."));
  command->add_flag("--rules", options->rules,
                    "Print the rules and lists, with their version.");
  command->add_flag("--weak-signals", options->weak_signals,
                    "Look at the weights too, without a baseline: bits, rows, "
                    "magics. Signals, no proof; the exit code stays.");
  command->add_flag("--sarif", options->sarif, "Print SARIF 2.1.0.");
  command->add_flag("--code-only", options->code_only,
                    "Read only what a loader would run or parse: no digests, "
                    "no search of weights for programs and secrets.");
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return scan(globals, *options); };
  });
}

}  // namespace impound
