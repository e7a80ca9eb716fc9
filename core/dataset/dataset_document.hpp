// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A dataset as a baseline remembers it: the key "dataset" of the document, and
/// the companion file with its rows. docs/datasets.md describes both.

#include <functional>
#include <string>
#include <string_view>

#include "core/base/json.hpp"
#include "core/dataset/dataset_view.hpp"

namespace impound {

/// What the document says about the companion file.
struct RowFileFacts {
  std::string name;  ///< a plain name, in the folder of the document
  std::uint64_t size = 0;
  Digest sha256;
};

/// Gets the companion file, piece by piece.
using RowFileSink = std::function<void(ByteView)>;

/// Writes the companion of a view. Labels are numbered in their order as text.
/// @return its size and digest; the name is the caller's.
[[nodiscard]] RowFileFacts write_row_file(const DatasetView& view,
                                          const RowFileSink& sink);

/// The object under "dataset".
[[nodiscard]] Json describe_dataset(const DatasetView& view,
                                    const RowFileFacts& rows);

/// What a document says about its companion.
/// @throws Error{malformed} naming `source`.
[[nodiscard]] RowFileFacts row_file_of(const Json& dataset,
                                       std::string_view source);

/// The view that a document and its companion describe; `files` is the view of
/// the document's files.
/// @throws Error{integrity} if the companion has another digest than the
///         document says, Error{malformed}, Error{limit}.
[[nodiscard]] DatasetView remember_dataset(const Json& dataset,
                                           const ModelView& files,
                                           std::unique_ptr<ByteSource> rows,
                                           std::string_view source);

}  // namespace impound
