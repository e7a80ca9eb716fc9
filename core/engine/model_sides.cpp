// SPDX-License-Identifier: Apache-2.0
#include "core/engine/model_sides.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/compare/text_changes.hpp"
#include "core/engine/baselines.hpp"
#include "core/engine/data_sides.hpp"
#include "core/engine/exhibits.hpp"

namespace impound {
namespace {

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
  if (result.dataset) draft.detail["dataset"] = dataset_facts(*result.dataset);
  if (!result.diff.label.empty()) {
    draft.detail["model"] = {{"label", result.diff.label},
                             {"sentence", result.diff.sentence}};
  }
  draft.detail["result_sha256"] = sha256(dump_line(document)).hex();
  Json changed = Json::array();
  for (const TensorChange& tensor : result.diff.tensors) {
    if (tensor.status == TensorStatus::identical) continue;
    changed.push_back({{"name", lossless_utf8(tensor.name)},
                       {"status", to_string(tensor.status)},
                       {"label", tensor.label}});
  }
  draft.detail["tensors_changed"] = std::move(changed);
  session.case_file.append({draft}, session.examiner,
                           session.journal(document));
}

/// A baseline says itself what it is of; files are looked at.
bool are_data(const ModelSide& before, const ModelSide& after,
              const DataChoice& choice) {
  for (const ModelSide* side : {&before, &after}) {
    if (!side->baseline) continue;
    const bool is_data = is_dataset(*side->baseline);
    const bool is_other = is_data ? choice.kind == DataChoice::Kind::model
                                  : choice.kind == DataChoice::Kind::dataset;
    if (is_other ||
        (after.baseline && is_dataset(*after.baseline) != is_data)) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is a baseline of {}", printable(side->name),
                              is_data ? "a dataset" : "a model"));
    }
    return is_data;
  }
  if (choice.kind != DataChoice::Kind::by_content) {
    return choice.kind == DataChoice::Kind::dataset;
  }
  return is_data_side(before) && is_data_side(after);
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
  result.diff = diff_models(olds.files, news.files);
  DatasetDiffOptions how;
  how.threads = options.threads;
  how.save = options.save;
  result.dataset = diff_datasets(olds, news, how, progress, cancellation);
}

}  // namespace

ModelSide open_model_side(const std::string& what, const CaseFile* case_file) {
  ModelSide side;
  side.name = what;
  if (case_file != nullptr && !stat_path(what, Links::follow)) {
    if (const auto reference = parse_exhibit_reference(what)) {
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
  if (side.tree->kind() == "exhibit") options.folder = model_folder(*side.tree);
  return view_tree(*side.tree, options, progress, cancellation);
}

DatasetView view_data(const ModelSide& side, DatasetOptions options,
                      const StreamOpener& opener, unsigned threads,
                      Progress& progress, const Cancellation& cancellation) {
  if (side.baseline) return open_remembered(*side.baseline, side.name);
  options.threads = threads;
  options.opener = &opener;
  options.folder = data_folder(*side.tree);
  return view_dataset(*side.tree, options, progress, cancellation);
}

bool is_data_side(const ModelSide& side) {
  if (side.baseline) return is_dataset(*side.baseline);
  const PackedOpener opener;
  DatasetOptions options;
  options.opener = &opener;
  options.folder = data_folder(*side.tree);
  return looks_like_dataset(*side.tree, options);
}

bool SideDiff::identical() const {
  return dataset ? dataset->identical() : diff.identical();
}

Json SideDiff::to_json() const {
  Json json = diff.to_json();
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
  const bool is_swapped = b.baseline && !a.baseline;
  const ModelSide& before = is_swapped ? b : a;
  const ModelSide& after = is_swapped ? a : b;
  SideDiff result;
  if (are_data(before, after, choice)) {
    compare_data(before, after, options, choice, progress, cancellation,
                 result);
  } else {
    const ModelView old_view =
        view_side(before, options.threads, progress, cancellation);
    const ModelView new_view =
        view_side(after, options.threads, progress, cancellation);
    result.diff = diff_models(old_view, new_view);
    explain_files(result.diff, old_view, new_view);
    explain_changes(result.diff, old_view, new_view, options, progress,
                    cancellation);
  }
  for (const ModelSide* side : {&before, &after}) {
    if (!side->baseline) continue;
    result.provenance = provenance_of(*side->baseline);
    result.is_signature_valid =
        side->baseline->signature == BaselineSignature::valid;
  }
  if (session != nullptr) record_diff(*session, before, after, result);
  return result;
}

}  // namespace impound
