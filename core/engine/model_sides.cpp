// SPDX-License-Identifier: Apache-2.0
#include "core/engine/model_sides.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/compare/meaning/text_changes.hpp"
#include "core/engine/baselines.hpp"
#include "core/engine/data_sides.hpp"
#include "core/engine/exhibits.hpp"
#include "core/evidence/model_items.hpp"

namespace impound {
namespace {

constexpr std::string_view kPromptLogCollector = "prompt-log";

bool is_host_collector(std::string_view collector) {
  return collector == "host" || collector == "process";
}

/// A comparison goes from the baseline to the other side.
bool runs_backwards(const ModelSide& a, const ModelSide& b) {
  return b.baseline && !a.baseline;
}

/// Bytes at the front of a file that tell a baseline from a model file.
constexpr std::uint64_t kHeadBytes = 4096;

bool is_bundle_name(const fs::path& path) {
  return path.native().ends_with(".tar.zst");
}

std::optional<Baseline> try_baseline(const fs::path& path) {
  const auto stat = stat_path(path, Links::follow);
  if (!stat || stat->kind != FileKind::regular) return std::nullopt;
  const auto source = open_source(path);
  const Bytes head = source->head(0, kHeadBytes);
  if (!looks_like_baseline(as_text(head))) return std::nullopt;
  return parse_baseline(read_text_file(path, limits::kMaxJsonDocument),
                        printable(path.native()));
}

Json side_json(const ModelSide& side) {
  Json json;
  json["name"] = lossless_utf8(side.name);
  if (side.baseline) {
    json["kind"] = "baseline";
    json["sha256"] = side.baseline->sha256.hex();
    json["baseline"] = side.baseline->name;
    json["made_at"] = side.baseline->made_at;
    json["provenance"] = {{"signature", to_string(side.baseline->signature)},
                          {"key", side.baseline->key_fingerprint},
                          {"mbom", mbom_state(*side.baseline, side.name)}};
    // Signed with the baseline: what vouched for the model at that time.
    if (const Json vouched = model_provenance(*side.baseline);
        !vouched.is_null()) {
      json["provenance"]["model"] = vouched;
    }
  } else {
    json["kind"] = side.tree->kind();
    json["locator"] = lossless_utf8(side.tree->locator());
  }
  if (!side.exhibit.empty()) json["exhibit"] = side.exhibit;
  return json;
}

/// What the chain keeps of a dataset comparison: counts, and the n-grams that
/// stand out most.
Json dataset_facts(const DatasetDiff& diff) {
  const Json whole = diff.to_json();
  Json facts = {{"rows", whole["rows"]}, {"fields", whole["fields"]}};
  Json ngrams = Json::array();
  for (const Json& one : whole["ngrams"]) {
    if (ngrams.size() == 5) break;
    Json kept = {{"ngram", one["ngram"]},
                 {"rows", one["rows"]},
                 {"reference_rows", one["reference_rows"]}};
    if (one.contains("label")) kept["label"] = one["label"];
    ngrams.push_back(std::move(kept));
  }
  facts["ngrams"] = std::move(ngrams);
  return facts;
}

/// Keeps a document below reports/ of the case, under its own digest, so that
/// the same one is kept once. Durable before the entry that names it.
/// @return its name below the case.
std::string keep_report(const CaseFile& case_file, std::string_view kind,
                        const std::string& text) {
  const std::string name =
      fmt::format("reports/{}-{}.json", kind, sha256(text).hex());
  create_folders(case_file.folder() / "reports");
  write_file_durably(case_file.folder() / name, as_bytes(text));
  return name;
}

void record_diff(Session& session, const ModelSide& before,
                 const ModelSide& after, const SideDiff& result) {
  const Json document = result.to_json();
  EntryDraft draft = session.draft("baseline.diff");
  const std::string& exhibit =
      before.exhibit.empty() ? after.exhibit : before.exhibit;
  if (!exhibit.empty()) draft.item = exhibit;
  draft.purpose = "comparison";
  const ModelSide& reference = before.baseline ? before : after;
  draft.detail["baseline"] = reference.baseline ? reference.baseline->name
                                                : lossless_utf8(reference.name);
  draft.detail["baseline_sha256"] = reference.baseline
                                        ? Json(reference.baseline->sha256.hex())
                                        : Json(nullptr);
  draft.detail["provenance"] = result.provenance;
  draft.detail["before"] = side_json(before);
  draft.detail["after"] = side_json(after);
  draft.detail["identical"] = result.identical();
  // What was not compared is no part of what is said to be identical.
  draft.detail["scope"] = to_string(result.diff.scope);
  draft.detail["compared"] = result.diff.compared().to_json();
  if (result.dataset) draft.detail["dataset"] = dataset_facts(*result.dataset);
  if (result.diff.label != ModelLabel::none) {
    draft.detail["model"] = {{"label", to_string(result.diff.label)},
                             {"sentence", result.diff.sentence},
                             {"numbers", result.diff.numbers.to_json()}};
  }
  // Kept when it is made: a finding can then be derived again, by whoever gets
  // the export and has neither the model nor this program.
  const std::string text = dump_line(document);
  draft.detail["result_sha256"] = sha256(text).hex();
  draft.detail["result_file"] = keep_report(session.case_file, "diff", text);
  if (reference.baseline) {
    draft.detail["baseline_file"] =
        keep_report(session.case_file, "baseline", reference.baseline->text);
  }
  Json changed = Json::array();
  for (const TensorChange& tensor : result.diff.tensors) {
    if (tensor.status == TensorStatus::identical ||
        tensor.status == TensorStatus::not_compared) {
      continue;
    }
    changed.push_back({{"name", lossless_utf8(tensor.name)},
                       {"status", to_string(tensor.status)},
                       {"label", to_string(tensor.label)}});
  }
  draft.detail["tensors_changed"] = std::move(changed);
  session.case_file.append({draft}, session.examiner,
                           session.journal(document));
}

SideContent look(const Tree& tree) {
  const PackedOpener opener;
  DatasetOptions options;
  options.opener = &opener;
  options.folder = model_folder(tree);
  switch (look_at(tree, options)) {
    case TreeContent::model:
      return SideContent::model;
    case TreeContent::dataset:
      return SideContent::training_data;
    case TreeContent::neither:
      return SideContent::unknown;
  }
  return SideContent::unknown;
}

/// Of an exhibit, or one item of it: who took it says what it is.
SideContent content_of_exhibit(const Tree& tree) {
  if (!model_folder(tree).empty()) {
    // Whatever its files are, it was taken as the model.
    const SideContent content = look(tree);
    return content == SideContent::unknown ? SideContent::model : content;
  }
  bool has_record = false;
  bool has_log = false;
  for (const TreeFile& file : tree.files()) {
    if (file.kind != FileKind::regular) continue;
    if (file.collector == kPromptLogCollector) {
      has_log = true;
    } else if (file.collector == kModelCollector) {
      has_record = true;  // where the model came from: model_folder() is empty
    } else if (is_host_collector(file.collector)) {
      // The same collectors take files that a process held: those were found
      // somewhere, records were written.
      if (!tree.is_one_file() || file.found_as.empty()) has_record = true;
    }
  }
  if (has_log) return SideContent::prompt_logs;
  return has_record ? SideContent::records : look(tree);
}

/// "E002 (prompt logs of an exhibit)".
std::string side_words(const ModelSide& side, SideContent content) {
  std::string kind;
  if (side.baseline) {
    kind = fmt::format("a baseline of {}", to_string(content));
  } else if (side.tree->kind() == "exhibit") {
    kind = fmt::format("{} exhibit of {}",
                       side.tree->is_one_file() ? "one item of an" : "an",
                       to_string(content));
  } else {
    kind = fmt::format("{} of {}",
                       side.tree->is_one_file() ? "a file" : "a folder",
                       to_string(content));
  }
  return fmt::format("{} ({})", printable(side.name), kind);
}

/// Whether sides of these kinds say something about each other. A folder has no
/// record: files of no known kind may be a copy of anything, and rows may be
/// logs.
bool are_comparable(const ModelSide& before, SideContent one,
                    const ModelSide& after, SideContent two) {
  if (one == two) return true;
  const bool has_baseline = before.baseline || after.baseline;
  const auto are = [&](SideContent x, SideContent y) {
    return (one == x && two == y) || (one == y && two == x);
  };
  if (are(SideContent::model, SideContent::unknown)) return true;
  if (are(SideContent::training_data, SideContent::unknown)) return true;
  return !has_baseline &&
         (are(SideContent::records, SideContent::unknown) ||
          are(SideContent::prompt_logs, SideContent::training_data));
}

/// What the person says a side is, where that can be.
SideContent as_asked(SideContent found, DataChoice::Kind asked) {
  const bool has_rows = found == SideContent::training_data ||
                        found == SideContent::prompt_logs ||
                        found == SideContent::unknown;
  if (asked == DataChoice::Kind::dataset && has_rows) {
    return SideContent::training_data;
  }
  if (asked == DataChoice::Kind::model && found == SideContent::training_data) {
    return SideContent::model;
  }
  return found;
}

/// Whether sides are compared as training data.
/// @throws Error{bad_input} if they are of different kinds.
bool are_data(const ModelSide& before, const ModelSide& after,
              const DataChoice& choice) {
  const auto kind_of = [&](const ModelSide& side) {
    const SideContent found = content_of(side);
    return side.baseline ? found : as_asked(found, choice.kind);
  };
  const SideContent one = kind_of(before);
  const SideContent two = kind_of(after);
  if (!are_comparable(before, one, after, two)) {
    throw Error(Errc::bad_input,
                fmt::format("cannot compare {} with {}: they are of different "
                            "kinds",
                            side_words(before, one), side_words(after, two)));
  }
  for (const ModelSide* side : {&before, &after}) {
    if (!side->baseline) continue;
    const bool is_data = is_dataset(*side->baseline);
    if (is_data ? choice.kind == DataChoice::Kind::model
                : choice.kind == DataChoice::Kind::dataset) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is a baseline of {}", printable(side->name),
                              is_data ? "a dataset" : "a model"));
    }
    return is_data;
  }
  if (choice.kind != DataChoice::Kind::by_content) {
    return choice.kind == DataChoice::Kind::dataset;
  }
  const auto has_rows = [](SideContent content) {
    return content == SideContent::training_data ||
           content == SideContent::prompt_logs;
  };
  return has_rows(one) && has_rows(two);
}

/// Of rows, one shard of several cannot be told from a dataset that lost the
/// others.
/// @throws Error{bad_input}.
void refuse_part_of_data(const ModelSide& before, const DatasetView& olds,
                         const ModelSide& after, const DatasetView& news) {
  const auto refuse = [](const ModelSide& part, const DatasetView& one,
                         const ModelSide& whole, const DatasetView& all) {
    const auto shards =
        std::count_if(all.shards.begin(), all.shards.end(),
                      [](const DatasetShard& shard) { return shard.rows > 0; });
    if (part.baseline || !one.files.is_one_file || all.files.is_one_file ||
        shards < 2) {
      return;
    }
    throw Error(
        Errc::bad_input,
        fmt::format("{} is one file, {} is training data in {} files: "
                    "rows of the others were not compared, and would "
                    "be called removed; name the whole",
                    printable(part.name), printable(whole.name), shards));
  };
  refuse(after, news, before, olds);
  refuse(before, olds, after, news);
}

void compare_data(const ModelSide& before, const ModelSide& after,
                  const ExplainOptions& options, const DataChoice& choice,
                  Progress& progress, const Cancellation& cancellation,
                  SideDiff& result) {
  if (before.baseline && !(choice.fields == DatasetFields{})) {
    throw Error(Errc::bad_input,
                fmt::format("{}: a baseline says itself which fields its rows "
                            "were read by; make another one to change them",
                            printable(before.name)));
  }
  const PackedOpener opener;
  DatasetOptions given;
  given.fields = choice.fields;
  const DatasetView olds =
      view_data(before, given, opener, options.threads, progress, cancellation);
  const DatasetView news = view_data(after, read_like(olds), opener,
                                     options.threads, progress, cancellation);
  refuse_part_of_data(before, olds, after, news);
  result.diff = diff_models(olds.files, news.files);
  DatasetDiffOptions how;
  how.threads = options.threads;
  how.save = options.save;
  result.dataset = diff_datasets(olds, news, how, progress, cancellation);
}

/// How two sides are held against each other where holes are many.
HoleDigests holes_between(const ModelSide& one, const ModelSide& two) {
  if (one.baseline || two.baseline) return HoleDigests::bounded;
  const bool are_many = has_many_holes(*one.tree, model_folder(*one.tree)) ||
                        has_many_holes(*two.tree, model_folder(*two.tree));
  return are_many ? HoleDigests::folded : HoleDigests::hashed;
}

ModelView view_against(const ModelSide& side, const ModelSide& other,
                       HoleDigests holes, unsigned threads, Progress& progress,
                       const Cancellation& cancellation) {
  if (side.baseline) return side.baseline->view;
  ViewOptions options;
  options.threads = threads;
  options.folder = model_folder(*side.tree);
  options.holes = holes;
  if (other.baseline) options.known = &other.baseline->view;
  return view_tree(*side.tree, options, progress, cancellation);
}

}  // namespace

ModelSide open_model_side(const std::string& what, const CaseFile* case_file) {
  ModelSide side;
  side.name = what;
  if (case_file != nullptr) {
    // An exhibit of the case before a file of that name in the current folder,
    // which nobody sealed; "./E001" is the file.
    const auto reference = parse_exhibit_reference(what);
    if (reference && (case_file->exhibit(reference->exhibit) ||
                      !stat_path(what, Links::follow))) {
      side.exhibit = reference->exhibit;
      side.tree = open_bundle_tree(bundle_of(*case_file, reference->exhibit),
                                   reference->item);
      return side;
    }
  }
  side.baseline = try_baseline(what);
  if (side.baseline) return side;
  side.tree =
      is_bundle_name(what) ? open_bundle_tree(what) : open_path_tree(what);
  return side;
}

ModelView view_side(const ModelSide& side, unsigned threads, Progress& progress,
                    const Cancellation& cancellation) {
  if (side.baseline) return side.baseline->view;
  ViewOptions options;
  options.threads = threads;
  options.folder = model_folder(*side.tree);
  return view_tree(*side.tree, options, progress, cancellation);
}

DatasetView view_data(const ModelSide& side, DatasetOptions options,
                      const StreamOpener& opener, unsigned threads,
                      Progress& progress, const Cancellation& cancellation) {
  if (side.baseline) return open_remembered(*side.baseline, side.name);
  options.threads = threads;
  options.opener = &opener;
  options.folder = model_folder(*side.tree);
  return view_dataset(*side.tree, options, progress, cancellation);
}

std::string_view to_string(SideContent content) noexcept {
  switch (content) {
    case SideContent::model:
      return "a model";
    case SideContent::training_data:
      return "training data";
    case SideContent::prompt_logs:
      return "prompt logs";
    case SideContent::records:
      return "records of a host or of processes";
    case SideContent::unknown:
      return "files of no known kind";
  }
  return "files of no known kind";
}

SideContent content_of(const ModelSide& side) {
  if (side.baseline) {
    return is_dataset(*side.baseline) ? SideContent::training_data
                                      : SideContent::model;
  }
  return side.tree->kind() == "exhibit" ? content_of_exhibit(*side.tree)
                                        : look(*side.tree);
}

void record_comparison(Session& session, const ModelSide& a, const ModelSide& b,
                       const SideDiff& result) {
  const bool is_swapped = runs_backwards(a, b);
  record_diff(session, is_swapped ? b : a, is_swapped ? a : b, result);
}

bool SideDiff::identical() const {
  return dataset ? dataset->identical() : diff.identical();
}

Json SideDiff::to_json() const {
  Json json = to_json_without_tensors();
  Json& tensors = json["tensors"];
  for (const TensorChange& change : diff.tensors) {
    tensors.push_back(change.to_json());
  }
  return json;
}

Json SideDiff::to_json_without_tensors() const {
  Json json = diff.to_json_without_tensors();
  if (!dataset) return json;
  json["identical"] = identical();
  json["dataset"] = dataset->to_json();
  return json;
}

std::string SideDiff::to_text() const {
  if (!dataset) return diff.to_text();
  std::string text = fmt::format(
      "before   {} ({})\nafter    {} ({})\n{}", printable(diff.before.locator),
      diff.before.kind, printable(diff.after.locator), diff.after.kind,
      dataset->to_text());
  for (const DiffSide* side : {&diff.before, &diff.after}) {
    for (const ViewProblem& each : side->problems) {
      text +=
          fmt::format("{} {}: {}\n", to_string(each.problem.severity),
                      printable(each.file.empty() ? side->locator : each.file),
                      printable(each.problem.message));
    }
  }
  return text;
}

SideDiff compare_sides(const ModelSide& a, const ModelSide& b,
                       const ExplainOptions& options, Progress& progress,
                       const Cancellation& cancellation, Session* session) {
  return compare_sides(a, b, options, DataChoice{}, progress, cancellation,
                       session);
}

SideDiff compare_sides(const ModelSide& a, const ModelSide& b,
                       const ExplainOptions& options, const DataChoice& choice,
                       Progress& progress, const Cancellation& cancellation,
                       Session* session) {
  const bool is_swapped = runs_backwards(a, b);
  const ModelSide& before = is_swapped ? b : a;
  const ModelSide& after = is_swapped ? a : b;
  SideDiff result;
  if (are_data(before, after, choice)) {
    compare_data(before, after, options, choice, progress, cancellation,
                 result);
  } else {
    const HoleDigests holes = holes_between(before, after);
    ModelView old_view = view_against(before, after, holes, options.threads,
                                      progress, cancellation);
    ModelView new_view = view_against(after, before, holes, options.threads,
                                      progress, cancellation);
    result.diff = take_diff(old_view, new_view);
    explain_files(result.diff, old_view, new_view);
    explain_changes(result.diff, old_view, new_view, options, progress,
                    cancellation);
  }
  for (const ModelSide* side : {&before, &after}) {
    if (!side->baseline) continue;
    result.provenance = provenance_of(*side->baseline);
  }
  if (session != nullptr) record_diff(*session, before, after, result);
  return result;
}

}  // namespace impound
