// SPDX-License-Identifier: Apache-2.0
/// impound baseline: what a known-good model looks like.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/data_options.hpp"
#include "core/engine/baselines.hpp"
#include "core/engine/data_sides.hpp"
#include "core/engine/model_signatures.hpp"

namespace impound {
namespace {

struct CreateOptions {
  std::string what;
  std::string name;
  fs::path out;
  fs::path supplier_mbom;
  unsigned threads = 0;
  /// The signature of the model, to be verified before it is described.
  SignatureRequest signature;
  DataOptions data;
};

struct VerifyOptions {
  fs::path file;
  std::string against;
  fs::path mbom;
};

void refuse_existing(const fs::path& path) {
  if (stat_path(path, Links::refuse)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is there already and is not replaced",
                            printable(path.native())));
  }
}

/// The case, where one is named or obvious and `what` is an exhibit of it.
std::optional<CaseFile> case_if_needed(const Globals& globals,
                                       const std::string& what) {
  if (stat_path(what, Links::follow)) return std::nullopt;
  return open_case_to_read(globals);
}

/// Null if no signature was named.
Json verified_signature(const Globals& globals, const CreateOptions& options,
                        const CaseFile* case_file, Progress& progress) {
  if (options.signature.signature.empty()) return nullptr;
  SignatureRequest request = options.signature;
  request.subject = options.what;
  return baseline_provenance(check_signature(request, case_file, globals.clock,
                                             progress, *globals.cancellation));
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

/// Training data, or logs: rows as they are.
bool has_rows(const ModelSide& side) {
  const SideContent content = content_of(side);
  return content == SideContent::training_data ||
         content == SideContent::prompt_logs;
}

ExitCode create(const Globals& globals, const CreateOptions& options) {
  const fs::path mbom = mbom_path_of(options.out);
  refuse_existing(options.out);
  refuse_existing(mbom);
  const Examiner examiner = examiner_for(globals);
  const auto case_file = case_if_needed(globals, options.what);
  const ModelSide side =
      open_model_side(options.what, case_file ? &*case_file : nullptr);
  const auto progress = make_progress(globals, Events::no);
  const DataChoice choice = data_choice(options.data);
  const bool is_data =
      choice.kind == DataChoice::Kind::dataset ||
      (choice.kind == DataChoice::Kind::by_content && has_rows(side));
  if (is_data && choice.kind == DataChoice::Kind::by_content) {
    print_note(globals,
               "this is training data, described row by row; "
               "--model describes it as files");
  }
  const BaselineDocuments documents = build_baseline(
      side,
      {.name = options.name,
       .mbom_file = mbom.filename().native(),
       .supplier_mbom = options.supplier_mbom,
       .model_signature = verified_signature(
           globals, options, case_file ? &*case_file : nullptr, *progress),
       .rows = is_data ? row_file_beside(options.out) : fs::path(),
       .data = choice,
       .threads = options.threads},
      examiner, globals.clock, *progress, *globals.cancellation);
  write_file_durably(mbom, as_bytes(documents.mbom));
  write_file_durably(options.out, as_bytes(documents.baseline));
  const Baseline made =
      parse_baseline(documents.baseline, printable(options.out.native()));
  if (globals.json) {
    Json facts = {{"baseline", lossless_utf8(options.out.native())},
                  {"name", made.name},
                  {"files", made.view.files.size()},
                  {"tensors", made.view.tensors.size()},
                  {"sha256", made.sha256.hex()},
                  {"mbom", lossless_utf8(mbom.native())},
                  {"mbom_sha256", made.mbom_sha256->hex()}};
    if (is_data) facts["dataset"] = made.document["dataset"];
    print_json(facts);
  } else if (is_data) {
    print_text(
        globals,
        fmt::format("{}\n  {}  sha256 {}\n  {}  sha256 {}\n{}",
                    printable(made.name), printable(options.out.native()),
                    made.sha256.hex(), printable(mbom.native()),
                    made.mbom_sha256->hex(), dataset_text(made, options.out)));
  } else {
    print_text(globals,
               fmt::format("{}: {} files, {} tensors\n  {}  sha256 {}\n"
                           "  {}  sha256 {}\n",
                           printable(made.name), made.view.files.size(),
                           made.view.tensors.size(),
                           printable(options.out.native()), made.sha256.hex(),
                           printable(mbom.native()), made.mbom_sha256->hex()));
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
  json["mbom"] = mbom_state(baseline, file);
  json["source"] = lossless_utf8(baseline.view.locator);
  json["provenance"] = model_provenance(baseline);
  json["files"] = baseline.view.files.size();
  json["tensors"] = baseline.view.tensors.size();
  if (is_dataset(baseline)) {
    const Json& dataset = baseline.document.at("dataset");
    json["rows"] = require_u64(require_key(dataset, "rows", "the baseline"),
                               "count", "the baseline");
  }
  return json;
}

/// The bill of material beside a baseline, in a few words.
std::string bill_text(const Baseline& baseline, const fs::path& file) {
  const std::string_view state = mbom_state(baseline, file);
  return state == "none"
             ? "none"
             : fmt::format("{} {}", printable(baseline.mbom_file), state);
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
      {"sha256", baseline.sha256.hex()},
      {"bill", bill_text(baseline, file)},
      {"provenance", provenance_of(baseline)}};
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
                            names.failure().message()),
                names.failure().code);
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

/// What `baseline verify` found, as it goes.
struct VerifyResult {
  Json document;
  std::string text;
  bool is_intact = true;  ///< baseline and bill of material are as signed
  bool is_clean = true;   ///< and nothing contradicts them
};

void verify_document(const Baseline& baseline, const fs::path& file,
                     VerifyResult& result) {
  result.document = facts_json(baseline, file);
  const bool is_valid = baseline.signature == BaselineSignature::valid;
  result.text = fmt::format(
      "{}: signature {}{}\n", printable(file.native()),
      to_string(baseline.signature),
      is_valid ? ", key " + baseline.key_fingerprint
               : (baseline.signature_problem.empty()
                      ? std::string()
                      : ": " + printable(baseline.signature_problem)));
  const std::string_view bill = mbom_state(baseline, file);
  if (bill != "none") {
    result.text += fmt::format(
        "bill of material {}: {}\n", printable(baseline.mbom_file),
        bill == "matches"   ? "as signed"
        : bill == "missing" ? "MISSING beside the baseline"
                            : "CHANGED since the baseline was signed");
  }
  result.is_intact =
      baseline.signature != BaselineSignature::invalid && bill != "changed";
  result.is_clean = is_valid && result.is_intact;
}

void verify_model(const Globals& globals, const VerifyOptions& options,
                  VerifyResult& result) {
  const auto case_file = case_if_needed(globals, options.against);
  const ModelSide before = open_model_side(options.file.native(), nullptr);
  const ModelSide after =
      open_model_side(options.against, case_file ? &*case_file : nullptr);
  const auto progress = make_progress(globals, Events::no);
  const SideDiff diff =
      compare_sides(before, after, ExplainOptions{}, *progress,
                    *globals.cancellation, nullptr);
  result.is_clean = result.is_clean && diff.identical();
  result.document["diff"] = diff.to_json();
  result.text += diff.to_text();
}

/// Somebody's bill of material against the model, or against the digests of
/// the baseline where no model is named.
void verify_mbom(const Globals& globals, const VerifyOptions& options,
                 VerifyResult& result) {
  const std::string& what =
      options.against.empty() ? options.file.native() : options.against;
  const auto case_file = case_if_needed(globals, what);
  const ModelSide side =
      open_model_side(what, case_file ? &*case_file : nullptr);
  const auto progress = make_progress(globals, Events::no);
  const ModelView view = view_side(side, 0, *progress, *globals.cancellation);
  const MbomReport report = check_mbom_file(options.mbom, view);
  result.is_clean = result.is_clean && report.count(ClaimState::fails) == 0;
  result.document["mbom_check"] = report.to_json();
  result.text += report.to_text();
}

ExitCode verify(const Globals& globals, const VerifyOptions& options) {
  VerifyResult result;
  const Baseline baseline = read_baseline(options.file);
  verify_document(baseline, options.file, result);
  if (!options.against.empty()) {
    verify_model(globals, options, result);
  } else if (is_dataset(baseline)) {
    // The rows are signed by their digest in the document.
    static_cast<void>(open_remembered(baseline, options.file));
    result.text += "the row file beside it is the one that was signed\n";
  }
  if (!options.mbom.empty()) verify_mbom(globals, options, result);
  result.document["ok"] = result.is_clean;
  if (globals.json) {
    print_json(result.document);
  } else {
    print_text(globals, result.text);
  }
  if (!result.is_intact) return ExitCode::tampered;
  return result.is_clean ? ExitCode::clean : ExitCode::findings;
}

}  // namespace

void add_baseline(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group = add_command(
      app, Group::look, "baseline", "What a known-good model looks like.",
      "impound baseline create /srv/models/gpt-j -o good.json --name gpt-j");
  group->require_subcommand(1);

  CLI::App* make = add_command(
      *group, "create",
      "Describe a folder, file, Hugging Face snapshot or exhibit, signed; a "
      "CycloneDX bill of material is written beside it.",
      "impound baseline create /srv/models/gpt-j -o good.json --name gpt-j");
  auto options = std::make_shared<CreateOptions>();
  takes(ValueKind::model,
        make->add_option("what", options->what, "The known-good model."))
      ->required();
  make->add_option("--name", options->name, "What people call it.")->required();
  takes(ValueKind::file,
        make->add_option("-o,--out", options->out, "File to make."))
      ->required();
  takes(ValueKind::file,
        make->add_option(
            "--supplier-mbom", options->supplier_mbom,
            "CycloneDX document that came with the model: checked now, "
            "and recorded as its provenance."));
  make->add_option("--threads", options->threads, "Cores to use; 0 = all.");
  CLI::Option* signature = takes(
      ValueKind::file,
      make->add_option(
          "--model-signature", options->signature.signature,
          "Signature of the model (model.sig), verified first and kept as the "
          "baseline's provenance."));
  takes(ValueKind::file,
        make->add_option("--model-key", options->signature.key,
                         "Public key that must have signed the model."))
      ->needs(signature);
  takes(ValueKind::file,
        make->add_option("--model-certificate-chain",
                         options->signature.certificate_chain,
                         "Or root certificates for it; may be repeated."))
      ->allow_extra_args(false)
      ->needs(signature);
  add_data_options(*make, options->data);
  make->callback([&globals, &run, options] {
    run = [&globals, options] { return create(globals, *options); };
  });

  CLI::App* print = add_command(*group, "list", "Print the ones in a folder.",
                                "impound baseline list baselines/");
  auto folder = std::make_shared<fs::path>(".");
  takes(ValueKind::folder,
        print->add_option("folder", *folder,
                          "Folder; the present one by default."));
  print->callback([&globals, &run, folder] {
    run = [&globals, folder] { return list(globals, *folder); };
  });

  CLI::App* one = add_command(*group, "show", "Print one.",
                              "impound baseline show good.json");
  auto file = std::make_shared<fs::path>();
  takes(ValueKind::file, one->add_option("file", *file, "Baseline document."))
      ->required();
  one->callback([&globals, &run, file] {
    run = [&globals, file] { return show(globals, *file); };
  });

  CLI::App* check =
      add_command(*group, "verify",
                  "Check its signature and, if named, a model against it.",
                  "impound baseline verify good.json /srv/models/gpt-j");
  auto wanted = std::make_shared<VerifyOptions>();
  takes(ValueKind::file,
        check->add_option("file", wanted->file, "Baseline document."))
      ->required();
  takes(ValueKind::model,
        check->add_option(
            "model", wanted->against,
            "Folder, file, snapshot or exhibit to compare with it."));
  takes(ValueKind::file,
        check->add_option(
            "--mbom", wanted->mbom,
            "CycloneDX document to hold against the model, or against "
            "the baseline where no model is named."));
  check->callback([&globals, &run, wanted] {
    run = [&globals, wanted] { return verify(globals, *wanted); };
  });
}

}  // namespace impound
