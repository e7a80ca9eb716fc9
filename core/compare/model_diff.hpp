// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Everything that differs between two sides, for a person and for a script.

#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/compare/file_diff.hpp"
#include "core/compare/tensor_diff.hpp"
#include "core/compare/trust/baseline.hpp"
#include "core/compare/view/model_view.hpp"

namespace impound {

/// One side, as a result names it.
struct DiffSide {
  std::string kind;
  std::string locator;
  std::string revision;
  std::vector<ViewProblem> problems;
};

struct ModelDiff {
  DiffSide before;
  DiffSide after;
  std::vector<FileChange> files;
  std::vector<TensorChange> tensors;
  std::vector<MetadataChange> metadata;

  /// Filled by explain_changes() (delta_signature.hpp): what kind of change the
  /// whole is, and one sentence about it. Empty until then.
  std::string label;
  std::string sentence;

  /// Same files under the same names with the same bytes, nothing unreadable.
  [[nodiscard]] bool identical() const;
  /// Every tensor of either side is on the other with the same bytes, however
  /// they are spread over files.
  [[nodiscard]] bool tensors_identical() const;

  /// {"identical","files":[{"path","status"}],"tensors":[{"name","status",
  /// "dtype","shape"}],…}: issue 2, "What scripts may rely on".
  [[nodiscard]] Json to_json() const;
  /// For a person: counts, then every difference. Hostile names are escaped.
  [[nodiscard]] std::string to_text() const;
};

[[nodiscard]] ModelDiff diff_models(const ModelView& before,
                                    const ModelView& after);

/// What differs between a baseline and what lies there now.
/// @throws what view_tree() throws.
[[nodiscard]] ModelDiff check_against(const Baseline& baseline,
                                      const Tree& tree,
                                      const ViewOptions& options,
                                      Progress& progress,
                                      const Cancellation& cancellation);

}  // namespace impound
