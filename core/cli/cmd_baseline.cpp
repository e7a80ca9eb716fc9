// SPDX-License-Identifier: Apache-2.0
/// impound baseline: what a known-good model looks like.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/data_options.hpp"
#include "core/engine/data_sides.hpp"
#include "core/engine/model_sides.hpp"

namespace impound {
namespace {

struct CreateOptions {
  std::string what;
  std::string name;
  fs::path out;
  unsigned threads = 0;
  DataOptions data;
};

/// The case, where one is named or obvious and `what` is an exhibit of it.
std::optional<CaseFile> case_if_needed(const Globals& globals,
                                       const std::string& what) {
  if (stat_path(what, Links::follow)) return std::nullopt;
  return open_case_to_read(globals);
}

/// What a baseline of training data says, for a person; its row file is checked
/// on the way.
std::string dataset_text(const Baseline& baseline, const fs::path& file) {
  const DatasetView view = open_remembered(baseline, file);
  const auto shown = [](const std::string& name) {
    return name.empty() ? std::string("none") : printable(name);
  };
  std::string text = fmt::format(
      "  {} rows in {} files, row file of {}\n"
      "  fields: key {}, label {}, text {}\n",
      view.table.rows(), view.shards.size(),
      human_bytes(kRowFileHeader + view.table.rows() * kRowRecordSize),
      shown(view.fields.key), shown(view.fields.label),
      shown(fmt::format("{}", fmt::join(view.fields.text, ", "))));
  std::vector<std::vector<std::string>> table{
      {"  shard", "rows", "format", "packed"}};
  for (const DatasetShard& shard : view.shards) {
    table.push_back({"  " + printable(shard.path), std::to_string(shard.rows),
                     std::string(to_string(shard.layout.format)),
                     std::string(to_string(shard.packing))});
  }
  text += format_table(table);
  for (const DatasetShard& shard : view.shards) {
    for (const Problem& problem : shard.problems) {
      text += fmt::format("  {} {}: {}\n", to_string(problem.severity),
                          printable(shard.path), printable(problem.message));
    }
  }
  return text;
}

ExitCode create(const Globals& globals, const CreateOptions& options) {
  if (stat_path(options.out, Links::refuse)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is there already and is not replaced",
                            printable(options.out.native())));
  }
  const Examiner examiner = examiner_for(globals);
  const auto case_file = case_if_needed(globals, options.what);
  const ModelSide side =
      open_model_side(options.what, case_file ? &*case_file : nullptr);
  const auto progress = make_progress(globals, Events::no);
  const DataChoice choice = data_choice(options.data);
  const bool is_data =
      choice.kind == DataChoice::Kind::dataset ||
      (choice.kind == DataChoice::Kind::by_content && is_data_side(side));
  const fs::path rows = row_file_beside(options.out);
  if (is_data && choice.kind == DataChoice::Kind::by_content) {
    print_note(globals,
               "this is training data, described row by row; "
               "--model describes it as files");
  }
  const std::string document =
      is_data
          ? build_data_baseline(side, options.name, rows, choice, examiner,
                                globals.clock, options.threads, *progress,
                                *globals.cancellation)
          : build_baseline(side, options.name, examiner, globals.clock,
                           options.threads, *progress, *globals.cancellation);
  write_file_durably(options.out, as_bytes(document));
  const Baseline made =
      parse_baseline(document, printable(options.out.native()));
  if (globals.json) {
    Json facts = {{"baseline", lossless_utf8(options.out.native())},
                  {"name", made.name},
                  {"files", made.view.files.size()},
                  {"tensors", made.view.tensors.size()},
                  {"sha256", made.sha256.hex()}};
    if (is_data) facts["dataset"] = made.document["dataset"];
    print_json(facts);
  } else if (is_data) {
    print_text(globals,
               fmt::format("{}\n  {}  sha256 {}\n{}", printable(made.name),
                           printable(options.out.native()), made.sha256.hex(),
                           dataset_text(made, options.out)));
  } else {
    print_text(globals,
               fmt::format("{}: {} files, {} tensors\n  {}  sha256 {}\n",
                           printable(made.name), made.view.files.size(),
                           made.view.tensors.size(),
                           printable(options.out.native()), made.sha256.hex()));
  }
  return ExitCode::clean;
}

Baseline read_baseline(const fs::path& file) {
  return parse_baseline(read_text_file(file, limits::kMaxJsonDocument),
                        printable(file.native()));
}

Json facts_json(const Baseline& baseline, const fs::path& file) {
  Json json;
  json["baseline"] = lossless_utf8(file.native());
  json["name"] = baseline.name;
  json["made_at"] = baseline.made_at;
  json["sha256"] = baseline.sha256.hex();
  json["signature"] = to_string(baseline.signature);
  json["key"] = baseline.key_fingerprint;
  json["source"] = lossless_utf8(baseline.view.locator);
  json["files"] = baseline.view.files.size();
  json["tensors"] = baseline.view.tensors.size();
  if (is_dataset(baseline)) {
    const Json& dataset = baseline.document.at("dataset");
    json["rows"] = require_u64(require_key(dataset, "rows", "the baseline"),
                               "count", "the baseline");
  }
  return json;
}

ExitCode show(const Globals& globals, const fs::path& file) {
  const Baseline baseline = read_baseline(file);
  if (globals.json) {
    Json document = facts_json(baseline, file);
    document["document"] = baseline.document;
    if (is_dataset(baseline))
      static_cast<void>(open_remembered(baseline, file));
    print_json(document);
    return ExitCode::clean;
  }
  const std::vector<std::vector<std::string>> facts{
      {"name", printable(baseline.name)},
      {"made", baseline.made_at},
      {"signature", fmt::format("{} {}", to_string(baseline.signature),
                                baseline.key_fingerprint)},
      {"sha256", baseline.sha256.hex()}};
  std::string text = format_table(facts) + "\n";
  if (is_dataset(baseline)) {
    text += dataset_text(baseline, file);
    print_text(globals, text);
    return baseline.signature == BaselineSignature::invalid ? ExitCode::tampered
                                                            : ExitCode::clean;
  }
  std::vector<std::vector<std::string>> rows{{"file", "size", "sha256"}};
  for (const ViewFile& one : baseline.view.files) {
    rows.push_back({printable(one.path), human_bytes(one.size),
                    one.sha256 ? one.sha256->hex().substr(0, 16) + "…" : ""});
  }
  text += format_table(rows);
  text += fmt::format("{} tensors\n", baseline.view.tensors.size());
  print_text(globals, text);
  return baseline.signature == BaselineSignature::invalid ? ExitCode::tampered
                                                          : ExitCode::clean;
}

/// Baselines in a folder: files that look like one.
ExitCode list(const Globals& globals, const fs::path& folder) {
  const auto names = list_directory(folder);
  if (!names) {
    throw Error(Errc::io,
                fmt::format("cannot list {}: {}", printable(folder.native()),
                            names.failure().message()));
  }
  Json documents = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"file", "name", "made", "signature", "tensors"}};
  for (const std::string& name : *names) {
    if (!name.ends_with(".json")) continue;
    const fs::path file = folder / name;
    const auto stat = stat_path(file, Links::follow);
    if (!stat || stat->kind != FileKind::regular) continue;
    const Bytes head = open_source(file)->head(0, 4096);
    if (!looks_like_baseline(as_text(head))) continue;
    try {
      const Baseline one = read_baseline(file);
      documents.push_back(facts_json(one, file));
      rows.push_back({printable(name), printable(one.name), one.made_at,
                      std::string(to_string(one.signature)),
                      std::to_string(one.view.tensors.size())});
    } catch (const Error& error) {
      documents.push_back({{"baseline", lossless_utf8(file.native())},
                           {"error", error.what()}});
      rows.push_back({printable(name), "UNREADABLE", "", "", error.what()});
    }
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, rows.size() == 1 ? std::string("No baseline here.\n")
                                         : format_table(rows));
  }
  return ExitCode::clean;
}

ExitCode verify(const Globals& globals, const fs::path& file,
                const std::string& against) {
  const Baseline baseline = read_baseline(file);
  Json document = facts_json(baseline, file);
  const bool is_valid = baseline.signature == BaselineSignature::valid;
  document["ok"] = is_valid;
  std::string text = fmt::format(
      "{}: signature {}{}\n", printable(file.native()),
      to_string(baseline.signature),
      is_valid ? ", key " + baseline.key_fingerprint
               : (baseline.signature_problem.empty()
                      ? std::string()
                      : ": " + printable(baseline.signature_problem)));
  bool is_same = true;
  if (!against.empty()) {
    const auto case_file = case_if_needed(globals, against);
    const ModelSide before = open_model_side(file.native(), nullptr);
    const ModelSide after =
        open_model_side(against, case_file ? &*case_file : nullptr);
    const auto progress = make_progress(globals, Events::no);
    const SideDiff result =
        compare_sides(before, after, ExplainOptions{}, *progress,
                      *globals.cancellation, nullptr);
    is_same = result.identical();
    document["ok"] = is_valid && is_same;
    document["diff"] = result.to_json();
    text += result.to_text();
  } else if (is_dataset(baseline)) {
    // The rows are signed by their digest in the document.
    static_cast<void>(open_remembered(baseline, file));
    text += "the row file beside it is the one that was signed\n";
  }
  if (globals.json) {
    print_json(document);
  } else {
    print_text(globals, text);
  }
  if (baseline.signature == BaselineSignature::invalid) {
    return ExitCode::tampered;
  }
  return is_valid && is_same ? ExitCode::clean : ExitCode::findings;
}

}  // namespace

void add_baseline(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group =
      add_command(app, "baseline", "What a known-good model looks like.");
  group->require_subcommand(1);

  CLI::App* make = add_command(
      *group, "create",
      "Describe a folder, file, Hugging Face snapshot or exhibit, signed.");
  auto options = std::make_shared<CreateOptions>();
  make->add_option("what", options->what, "The known-good model.")->required();
  make->add_option("--name", options->name, "What people call it.")->required();
  make->add_option("-o,--out", options->out, "File to make.")->required();
  make->add_option("--threads", options->threads, "Cores to use; 0 = all.");
  add_data_options(*make, options->data);
  make->callback([&globals, &run, options] {
    run = [&globals, options] { return create(globals, *options); };
  });

  CLI::App* print = add_command(*group, "list", "Print the ones in a folder.");
  auto folder = std::make_shared<fs::path>(".");
  print->add_option("folder", *folder, "Folder; the present one by default.");
  print->callback([&globals, &run, folder] {
    run = [&globals, folder] { return list(globals, *folder); };
  });

  CLI::App* one = add_command(*group, "show", "Print one.");
  auto file = std::make_shared<fs::path>();
  one->add_option("file", *file, "Baseline document.")->required();
  one->callback([&globals, &run, file] {
    run = [&globals, file] { return show(globals, *file); };
  });

  CLI::App* check =
      add_command(*group, "verify",
                  "Check its signature and, if named, a model against it.");
  auto document = std::make_shared<fs::path>();
  auto against = std::make_shared<std::string>();
  check->add_option("file", *document, "Baseline document.")->required();
  check->add_option("model", *against,
                    "Folder, file, snapshot or exhibit to compare with it.");
  check->callback([&globals, &run, document, against] {
    run = [&globals, document, against] {
      return verify(globals, *document, *against);
    };
  });
}

}  // namespace impound
