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

void record_diff(Session& session, const ModelSide& before,
                 const ModelSide& after, const SideDiff& result) {
  const Json document = result.diff.to_json();
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
  draft.detail["identical"] = result.diff.identical();
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

SideDiff compare_sides(const ModelSide& a, const ModelSide& b,
                       const ExplainOptions& options, Progress& progress,
                       const Cancellation& cancellation, Session* session) {
  const bool is_swapped = b.baseline && !a.baseline;
  const ModelSide& before = is_swapped ? b : a;
  const ModelSide& after = is_swapped ? a : b;
  SideDiff result;
  const ModelView old_view =
      view_side(before, options.threads, progress, cancellation);
  const ModelView new_view =
      view_side(after, options.threads, progress, cancellation);
  result.diff = diff_models(old_view, new_view);
  explain_files(result.diff, old_view, new_view);
  explain_changes(result.diff, old_view, new_view, options, progress,
                  cancellation);
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
