// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Baselines and comparisons: what a person names, opened and compared.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/compare/baseline.hpp"
#include "core/compare/delta_signature.hpp"
#include "core/compare/mbom.hpp"
#include "core/compare/model_diff.hpp"
#include "core/engine/session.hpp"
#include "core/evidence/tree.hpp"

namespace impound {

/// One side of a comparison, opened.
struct ModelSide {
  std::string name;            ///< as the person wrote it
  std::unique_ptr<Tree> tree;  ///< null for a baseline
  std::optional<Baseline> baseline;
  std::string exhibit;  ///< "E001" if it is one of the case
};

/// Opens "E001" or its item "E001/17" (of `case_file`, which may be null), a
/// bundle file, a baseline
/// document, a folder, a file, or a Hugging Face snapshot.
/// @throws Error{bad_input}, Error{io}, Error{malformed}.
[[nodiscard]] ModelSide open_model_side(const std::string& what,
                                        const CaseFile* case_file);

/// Reads and hashes what a side needs for a comparison.
[[nodiscard]] ModelView view_side(const ModelSide& side, unsigned threads,
                                  Progress& progress,
                                  const Cancellation& cancellation);

struct SideDiff {
  ModelDiff diff;
  /// A sentence for people about the baseline's signature; empty if none is
  /// involved.
  std::string provenance;
  bool is_signature_valid = true;
};

/// What changed from `a` to `b`; where exactly one of them is a baseline, from
/// the baseline to the other: "added" then always means "not known good". With
/// a session, the result becomes a baseline.diff entry (and the answer of the
/// current playbook call). Where the bytes of both are at hand, every change is
/// explained (delta_signature.hpp) on options.threads cores.
[[nodiscard]] SideDiff compare_sides(const ModelSide& a, const ModelSide& b,
                                     const ExplainOptions& options,
                                     Progress& progress,
                                     const Cancellation& cancellation,
                                     Session* session);

/// What a baseline is made with.
struct BaselineRequest {
  std::string name;  ///< what people call the model
  /// File name of the bill of material, beside the baseline.
  std::string mbom_file;
  /// A bill of material that came with the model; empty path if none.
  std::filesystem::path supplier_mbom;
  unsigned threads = 0;  ///< 0 = all cores
};

struct BaselineDocuments {
  std::string baseline;  ///< signed by the examiner; names the one below
  std::string mbom;      ///< CycloneDX 1.6
};

/// The documents of a baseline of `side`.
/// @throws Error{integrity} if the supplier's bill of material contradicts the
///         bytes: nobody should sign that as known good.
[[nodiscard]] BaselineDocuments build_baseline(
    const ModelSide& side, const BaselineRequest& request,
    const Examiner& examiner, const Clock& clock, Progress& progress,
    const Cancellation& cancellation);

/// "model.baseline.json" → "model.baseline.cdx.json": where the bill of
/// material of a baseline lies.
[[nodiscard]] std::filesystem::path mbom_path_of(
    const std::filesystem::path& baseline);

/// Whether the bill of material beside a baseline is the one it was signed
/// with: "none", "matches", "changed" or "missing".
[[nodiscard]] std::string_view mbom_state(
    const Baseline& baseline, const std::filesystem::path& document);

/// Holds the bill of material `mbom` against a model or baseline.
/// @throws Error{io}, Error{malformed}, Error{unsupported}.
[[nodiscard]] MbomReport check_mbom_file(const std::filesystem::path& mbom,
                                         const ModelView& view);

}  // namespace impound
