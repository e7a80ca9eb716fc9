// SPDX-License-Identifier: Apache-2.0
/// impound diff: what changed between two models.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/data_options.hpp"
#include "core/cli/json_list.hpp"
#include "core/cli/looking.hpp"
#include "core/compare/delta/heat_map.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/model_sides.hpp"

namespace impound {
namespace {

struct Options {
  std::string before;
  std::string after;
  unsigned threads = 0;
  std::string save;
  std::string svg;
  DataOptions data;
};

/// Evidence about the changes goes into a folder where one is named.
ExplainOptions explain_options(const Options& options) {
  ExplainOptions explain;
  explain.threads = options.threads;
  if (!options.save.empty()) {
    const fs::path folder(options.save);
    create_folders(folder);
    explain.save = [folder](const std::string& name, ByteView bytes) {
      write_file_durably(folder / name, bytes);
    };
  }
  return explain;
}

/// What was not compared is not known to be the same: a part that is identical
/// is an incomplete answer about the whole.
ExitCode exit_code_of(const SideDiff& result, const LookRecord& recording) {
  if (!result.identical()) return ExitCode::findings;
  if (!result.dataset && !result.diff.is_complete()) return ExitCode::failed;
  return recording.has_failed() ? ExitCode::failed : ExitCode::clean;
}

ExitCode show(const Globals& globals, const Options& options,
              const SideDiff& result, const LookRecord& recording) {
  if (!options.svg.empty()) {
    write_file_durably(options.svg, as_bytes(heat_map_svg(result.diff)));
  }
  if (result.dataset && !options.data.as_dataset) {
    print_note(globals,
               "compared as training data, row by row; --model compares files");
  }
  if (globals.json) {
    Json document = result.to_json_without_tensors();
    recording.add_to(document);
    const std::vector<TensorChange>& tensors = result.diff.tensors;
    std::size_t at = 0;
    print_json_with_list(document, "tensors", [&]() -> std::optional<Json> {
      if (at == tensors.size()) return std::nullopt;
      return tensors[at++].to_json();
    });
  } else {
    std::string text = result.to_text();
    if (recording.is_missing()) text += "\n" + recording.in_words();
    print_text(globals, text);
  }
  if (!result.provenance.empty()) {
    print_note(globals, printable(result.provenance));
  }
  return exit_code_of(result, recording);
}

/// Exhibits belong to a case, and looking at them is recorded; two things on
/// disk can be compared without a case.
ExitCode diff(const Globals& globals, const Options& options) {
  const bool is_before_here = is_path_on_disk(options.before);
  const bool is_after_here = is_path_on_disk(options.after);
  if (is_before_here && is_after_here) {
    const auto progress = make_progress(globals, Events::no);
    const ModelSide before = open_model_side(options.before, nullptr);
    const ModelSide after = open_model_side(options.after, nullptr);
    return show(globals, options,
                compare_sides(before, after, explain_options(options),
                              data_choice(options.data), *progress,
                              *globals.cancellation, nullptr),
                LookRecord{});
  }
  Looking looking(globals, Looking::AfterClose::refused);
  if (!looking.why_not().empty()) {
    print_note(globals,
               looking.why_not() + ": this comparison will not be recorded");
  }
  const ModelSide before = open_model_side(options.before, &looking.file());
  const ModelSide after = open_model_side(options.after, &looking.file());
  const SideDiff result = compare_sides(
      before, after, explain_options(options), data_choice(options.data),
      looking.progress(), *globals.cancellation, nullptr);
  return show(globals, options, result, looking.record([&](Session& session) {
    record_comparison(session, before, after, result);
  }));
}

}  // namespace

void add_diff(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, Group::look, "diff",
      "What changed between two models or datasets, and what kind of change.",
      "impound diff good.json E001 --svg changes.svg");
  auto options = std::make_shared<Options>();
  command->footer(
      "Tensors of safetensors, GGUF, PyTorch, NumPy, ONNX, Keras (HDF5), "
      "pickle and joblib files are compared across formats; a format is "
      "recognised by what a file holds, not by its name.\n"
      "Exit codes: 0 nothing differs and all was compared; 1 something "
      "differs; 3 what was compared is the same, and the rest was not "
      "compared (one file against a model of several).");
  takes(ValueKind::model,
        command->add_option("a", options->before,
                            "Exhibit (E001), item (E001/17), bundle, baseline, "
                            "folder, file, snapshot."))
      ->required();
  takes(ValueKind::model, command->add_option("b", options->after,
                                              "The other side, any of these."))
      ->required();
  command->add_option("--threads", options->threads, "Cores to use; 0 = all.");
  takes(ValueKind::folder,
        command->add_option(
            "--save", options->save,
            "Folder for the evidence: singular vectors (.npy) of "
            "edits, payloads (.bin) of low bits; of training data: "
            "the rows that differ (.jsonl)."));
  takes(ValueKind::file,
        command->add_option(
            "--svg", options->svg,
            "File for a picture: layers against modules, by relative "
            "change."));
  add_data_options(*command, options->data);
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return diff(globals, *options); };
  });
}

}  // namespace impound
