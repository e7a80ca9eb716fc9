// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Baselines and comparisons: what a person names, opened and compared.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/compare/baseline.hpp"
#include "core/compare/delta_signature.hpp"
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

}  // namespace impound
