// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Datasets: what a person names, opened as one; and the row file that lies
/// beside the baseline of a dataset.

#include <filesystem>
#include <memory>
#include <optional>

#include "core/dataset/dataset_diff.hpp"
#include "core/dataset/dataset_document.hpp"
#include "core/evidence/tree.hpp"
#include "core/formats/byte_stream.hpp"
#include "core/view/baseline.hpp"

namespace impound {

/// Lends the storage room's decompressors to the rooms that read rows.
class PackedOpener final : public StreamOpener {
 public:
  [[nodiscard]] std::unique_ptr<ByteStream> open(
      const ByteSource& source) const override;
};

/// "X.rows" beside "X.json".
[[nodiscard]] std::filesystem::path row_file_beside(
    const std::filesystem::path& document);

/// The dataset of a baseline document, with its row file, whose digest is
/// checked. Precondition: baseline.document has a key "dataset".
/// @throws Error{integrity} if the row file is not the signed one, Error{io} if
///         it is not there, Error{malformed}.
[[nodiscard]] DatasetView open_remembered(const Baseline& baseline,
                                          const std::filesystem::path& file);

/// True if the document is one of a dataset.
[[nodiscard]] bool is_dataset(const Baseline& baseline);

/// How shards of `reference` are read on another side: the same fields, and the
/// same layout where the path is the same.
[[nodiscard]] DatasetOptions read_like(const DatasetView& reference);

/// The document of a baseline of `view`, and its row file, written to `rows`,
/// which must not exist yet.
/// @throws Error{io}.
[[nodiscard]] Json make_dataset_baseline(const DatasetView& view,
                                         const BaselineOptions& options,
                                         const std::filesystem::path& rows);

}  // namespace impound
