// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Baselines and comparisons: what a person names, opened and compared.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/compare/delta/delta_signature.hpp"
#include "core/compare/model_diff.hpp"
#include "core/dataset/dataset_diff.hpp"
#include "core/engine/session.hpp"
#include "core/evidence/tree.hpp"
#include "core/view/baseline.hpp"

namespace impound {

/// What a side is. Only things of one kind are compared: a prompt log that is
/// held against a model differs from it in everything, and says nothing.
enum class SideContent : std::uint8_t {
  model,
  training_data,
  prompt_logs,
  records,  ///< what a collector wrote down of a host or its processes
  unknown,  ///< files of no known kind
};

/// "a model", "training data" …
[[nodiscard]] std::string_view to_string(SideContent content) noexcept;

/// One side of a comparison, opened.
struct ModelSide {
  std::string name;            ///< as the person wrote it
  std::unique_ptr<Tree> tree;  ///< null for a baseline
  std::optional<Baseline> baseline;
  std::string exhibit;  ///< "E001" if it is one of the case
};

/// Whether sides are compared as models or as training data, and which fields
/// of rows mean what.
struct DataChoice {
  enum class Kind : std::uint8_t {
    by_content,  ///< as data where both sides are nothing else
    model,
    dataset,
  };
  Kind kind = Kind::by_content;
  DatasetFields fields;  ///< empty ones are found out
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
  /// Of training data: what became of the rows. `diff` then tells of files.
  std::optional<DatasetDiff> dataset;

  /// Of training data: the same rows, however they are cut into shards.
  [[nodiscard]] bool identical() const;
  [[nodiscard]] Json to_json() const;
  /// ModelDiff::to_json_without_tensors(), with what this adds.
  [[nodiscard]] Json to_json_without_tensors() const;
  [[nodiscard]] std::string to_text() const;
};

/// What changed from `a` to `b`; where exactly one of them is a baseline, from
/// the baseline to the other: "added" then always means "not known good". With
/// a session, the result becomes a baseline.diff entry (and the answer of the
/// current playbook call). Where the bytes of both are at hand, every change is
/// explained (delta_signature.hpp) on options.threads cores. A side that is one
/// file is held against what it corresponds to (model_diff.hpp).
/// @throws Error{bad_input} if the sides are of different kinds; the message
///         says what each is.
[[nodiscard]] SideDiff compare_sides(const ModelSide& a, const ModelSide& b,
                                     const ExplainOptions& options,
                                     Progress& progress,
                                     const Cancellation& cancellation,
                                     Session* session);
[[nodiscard]] SideDiff compare_sides(const ModelSide& a, const ModelSide& b,
                                     const ExplainOptions& options,
                                     const DataChoice& choice,
                                     Progress& progress,
                                     const Cancellation& cancellation,
                                     Session* session);

/// By the record of the collector where there is one, by the baseline's own
/// statement, else by the files. Reads the first bytes of files.
[[nodiscard]] SideContent content_of(const ModelSide& side);

/// Writes a comparison down as a baseline.diff entry (and as the answer of the
/// current playbook call): what compare_sides() does with a session, for who
/// shows the result first. `a` and `b` as they were compared.
/// @throws Error{io}, Error{bad_input} if the case is closed.
void record_comparison(Session& session, const ModelSide& a, const ModelSide& b,
                       const SideDiff& result);

/// The rows of a side; `opener` outlives the view.
/// @throws as view_dataset() and open_remembered().
[[nodiscard]] DatasetView view_data(const ModelSide& side,
                                    DatasetOptions options,
                                    const StreamOpener& opener,
                                    unsigned threads, Progress& progress,
                                    const Cancellation& cancellation);

}  // namespace impound
