// SPDX-License-Identifier: Apache-2.0
#include "core/engine/baselines.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/engine/data_sides.hpp"

namespace impound {
namespace {

/// A supplier's bill of material as provenance: which document, and how much of
/// it the bytes confirm.
Json supplier_statement(const fs::path& path, const ModelView& view) {
  const std::string text = read_text_file(path, kMaxMbom);
  const MbomReport report =
      check_mbom(text, printable(path.native()), view, read_model_facts(view));
  const auto failed = std::find_if(
      report.claims.begin(), report.claims.end(),
      [](const MbomClaim& claim) { return claim.state == ClaimState::fails; });
  if (failed != report.claims.end()) {
    throw Error(
        Errc::integrity,
        fmt::format("{} contradicts the model in {} statements, which is "
                    "therefore not signed as known good; the first: {} says "
                    "{}, found {}",
                    printable(path.native()), report.count(ClaimState::fails),
                    printable(failed->at), printable(failed->stated),
                    printable(failed->found)));
  }
  return {{"file", lossless_utf8(path.filename().native())},
          {"sha256", sha256(text).hex()},
          {"serial_number", lossless_utf8(report.serial)},
          {"holds", report.count(ClaimState::holds)},
          {"unchecked", report.count(ClaimState::unchecked) + report.left_out}};
}

}  // namespace

Json model_provenance(const Baseline& baseline) {
  const auto provenance = baseline.document.find("provenance");
  return provenance == baseline.document.end() ? Json() : *provenance;
}

std::string provenance_of(const Baseline& baseline) {
  switch (baseline.signature) {
    case BaselineSignature::valid: {
      std::string text = fmt::format("baseline {} of {}, signed by key {}",
                                     printable(baseline.name), baseline.made_at,
                                     baseline.key_fingerprint);
      const Json provenance = model_provenance(baseline);
      const auto model = provenance.find("model_signature");
      if (provenance.is_object() && model != provenance.end()) {
        text += ", of a model whose signature verified (" +
                printable(text_or(*model, "trust", "")) + " " +
                printable(text_or(*model, "signer", "")) + ")";
      }
      if (provenance.is_object() && provenance.contains("supplier_mbom")) {
        text += ", held against its supplier's bill of material";
      }
      return text;
    }
    case BaselineSignature::absent:
      return fmt::format("baseline {} of {} is NOT signed",
                         printable(baseline.name), baseline.made_at);
    case BaselineSignature::invalid:
      return fmt::format("baseline {}: the signature does NOT verify: {}",
                         printable(baseline.name),
                         printable(baseline.signature_problem));
  }
  return {};
}

BaselineDocuments build_baseline(const ModelSide& side,
                                 const BaselineRequest& request,
                                 const Examiner& examiner, const Clock& clock,
                                 Progress& progress,
                                 const Cancellation& cancellation) {
  if (!side.tree) {
    throw Error(Errc::bad_input,
                printable(side.name) +
                    " is a baseline already; expected a "
                    "folder, a file, a snapshot or an exhibit");
  }
  BaselineOptions options;
  options.name = request.name;
  options.made_by = examiner.actor.to_json();
  options.made_at = clock.now();
  const ToolFacts tool = read_tool_facts();
  options.tool = tool.name + " " + tool.version;
  const PackedOpener opener;  // outlives the rows
  std::optional<DatasetView> rows;
  if (!request.rows.empty()) {
    DatasetOptions given;
    given.fields = request.data.fields;
    rows =
        view_data(side, given, opener, request.threads, progress, cancellation);
  }
  const ModelView view =
      rows ? rows->files
           : view_side(side, request.threads, progress, cancellation);
  if (!request.model_signature.is_null()) {
    options.provenance["model_signature"] = request.model_signature;
  }
  if (!request.supplier_mbom.empty()) {
    options.provenance["supplier_mbom"] =
        supplier_statement(request.supplier_mbom, view);
  }
  BaselineDocuments documents;
  documents.mbom =
      write_mbom(view, read_model_facts(view),
                 {.name = request.name,
                  .author = examiner.actor.name,
                  .organisation = examiner.actor.org,
                  .made_at = options.made_at,
                  .tool_version = tool.version,
                  .subject = rows ? MbomSubject::data : MbomSubject::model});
  options.mbom = {{"file", lossless_utf8(request.mbom_file)},
                  {"sha256", sha256(documents.mbom).hex()}};
  documents.baseline =
      sign_baseline(rows ? make_dataset_baseline(*rows, options, request.rows)
                         : describe_baseline(view, options),
                    examiner.key);
  return documents;
}

fs::path mbom_path_of(const fs::path& baseline) {
  fs::path path = baseline;
  return path.replace_extension(".cdx.json");
}

std::string_view mbom_state(const Baseline& baseline,
                            const fs::path& document) {
  if (!baseline.mbom_sha256) return "none";
  // The name comes from the document: it must not lead anywhere else.
  if (!is_safe_member_name(baseline.mbom_file) ||
      baseline.mbom_file.find('/') != std::string::npos) {
    return "missing";
  }
  const fs::path path = document.parent_path() / baseline.mbom_file;
  if (!stat_path(path, Links::follow)) return "missing";
  return sha256_of(*open_source(path)) == *baseline.mbom_sha256 ? "matches"
                                                                : "changed";
}

MbomReport check_mbom_file(const fs::path& mbom, const ModelView& view) {
  return check_mbom(read_text_file(mbom, kMaxMbom), printable(mbom.native()),
                    view, read_model_facts(view));
}

}  // namespace impound
