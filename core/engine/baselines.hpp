// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Baselines as a person makes and trusts them: the documents, and what vouches
/// for them.

#include <filesystem>
#include <string>
#include <string_view>

#include "core/engine/model_sides.hpp"
#include "core/trust/mbom.hpp"
#include "core/view/baseline.hpp"

namespace impound {

/// What a baseline keeps of what vouched for its model; null if nothing.
[[nodiscard]] Json model_provenance(const Baseline& baseline);
/// One sentence on who vouches for a baseline, and for its model.
[[nodiscard]] std::string provenance_of(const Baseline& baseline);

/// What a baseline is made with.
struct BaselineRequest {
  std::string name;  ///< what people call the model
  /// File name of the bill of material, beside the baseline.
  std::string mbom_file;
  /// A bill of material that came with the model; empty path if none.
  std::filesystem::path supplier_mbom;
  /// What was verified of the signature of the model, or null.
  Json model_signature;
  /// Training data: the row file to make, and which fields mean what. Empty for
  /// a model.
  std::filesystem::path rows;
  DataChoice data;
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
