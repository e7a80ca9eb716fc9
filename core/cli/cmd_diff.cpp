// SPDX-License-Identifier: Apache-2.0
/// impound diff: what changed between two models.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/data_options.hpp"
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

/// Whether a comparison became an entry of the case, and why not.
struct Recording {
  enum class State : std::uint8_t {
    not_asked,  ///< two things on disk, no case
    recorded,
    case_is_closed,  ///< known before anything was computed
    failed,          ///< tried, with the result in hand
  };
  State state = State::not_asked;
  std::string case_id;
  std::string why;

  [[nodiscard]] bool is_missing() const {
    return state == State::case_is_closed || state == State::failed;
  }
};

ExitCode exit_code_of(const SideDiff& result, const Recording& recording) {
  if (!result.identical()) return ExitCode::findings;
  return recording.state == Recording::State::failed ? ExitCode::failed
                                                     : ExitCode::clean;
}

ExitCode show(const Globals& globals, const Options& options,
              const SideDiff& result, const Recording& recording) {
  if (!options.svg.empty()) {
    write_file_durably(options.svg, as_bytes(heat_map_svg(result.diff)));
  }
  if (result.dataset && !options.data.as_dataset) {
    print_note(globals,
               "compared as training data, row by row; --model compares files");
  }
  if (globals.json) {
    Json document = result.to_json();
    if (recording.state != Recording::State::not_asked) {
      document["recorded"] = !recording.is_missing();
    }
    if (recording.is_missing()) document["not_recorded"] = recording.why;
    print_json(document);
  } else {
    std::string text = result.to_text();
    if (recording.is_missing()) {
      text +=
          fmt::format("\nNOT RECORDED in case {}: {}\n",
                      printable(recording.case_id), printable(recording.why));
    }
    print_text(globals, text);
  }
  if (!result.provenance.empty()) {
    print_note(globals, printable(result.provenance));
  }
  return exit_code_of(result, recording);
}

/// What was computed is shown whatever becomes of its record: an hour's work
/// and its result are not lost to a full disk.
Recording record(OpenCase& open, const ModelSide& before,
                 const ModelSide& after, const SideDiff& result) {
  Recording recording{.state = Recording::State::recorded,
                      .case_id = open.file().id(),
                      .why = {}};
  try {
    record_comparison(open.session(), before, after, result);
  } catch (const Error& error) {
    recording.state = Recording::State::failed;
    recording.why = error.what();
  }
  return recording;
}

/// Nothing can be recorded in it any more; looking is still possible, and needs
/// no key.
ExitCode diff_in_closed_case(const Globals& globals, const Options& options,
                             const CaseFile& case_file) {
  const Recording recording{
      .state = Recording::State::case_is_closed,
      .case_id = case_file.id(),
      .why = "the case is closed since " + case_file.summary().closed_at};
  print_note(globals, recording.why + ": this comparison will not be recorded");
  const auto progress = make_progress(globals, Events::no);
  const ModelSide before = open_model_side(options.before, &case_file);
  const ModelSide after = open_model_side(options.after, &case_file);
  return show(globals, options,
              compare_sides(before, after, explain_options(options),
                            data_choice(options.data), *progress,
                            *globals.cancellation, nullptr),
              recording);
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
                Recording{});
  }
  {
    const CaseFile case_file = open_case_to_read(globals);
    if (!case_file.summary().closed_at.empty()) {
      return diff_in_closed_case(globals, options, case_file);
    }
  }
  OpenCase open(globals);
  const ModelSide before = open_model_side(options.before, &open.file());
  const ModelSide after = open_model_side(options.after, &open.file());
  const SideDiff result = compare_sides(
      before, after, explain_options(options), data_choice(options.data),
      open.progress(), *globals.cancellation, nullptr);
  return show(globals, options, result, record(open, before, after, result));
}

}  // namespace

void add_diff(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, "diff",
      "What changed between two models or datasets, and what kind of change.");
  auto options = std::make_shared<Options>();
  command->footer(
      "Tensors of safetensors, GGUF, PyTorch, NumPy, ONNX, Keras (HDF5), "
      "pickle\n"
      "and joblib files are compared across formats; a format is recognised "
      "by\n"
      "what a file holds, not by its name.");
  command
      ->add_option("a", options->before,
                   "Exhibit (E001), item (E001/17), bundle, baseline, "
                   "folder, file, snapshot.")
      ->required();
  command->add_option("b", options->after, "The other side, any of these.")
      ->required();
  command->add_option("--threads", options->threads, "Cores to use; 0 = all.");
  command->add_option("--save", options->save,
                      "Folder for the evidence: singular vectors (.npy) of "
                      "edits, payloads (.bin) of low bits; of training data: "
                      "the rows that differ (.jsonl).");
  command->add_option("--svg", options->svg,
                      "File for a picture: layers against modules, by relative "
                      "change.");
  add_data_options(*command, options->data);
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return diff(globals, *options); };
  });
}

}  // namespace impound
