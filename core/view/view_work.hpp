// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Reading the files of a view: every regular file once, in parallel, its
/// tensors found and hashed on the way. Included by model_view.cpp.

#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/formats/safetensors/safetensors_index.hpp"
#include "core/view/model_view.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {

/// What one file contributes.
struct FileContent {
  Format format = Format::unknown;
  std::optional<FoundTensors> weights;  ///< where there is a reader for it
  std::string not_viewed;  ///< why no tensor of it is compared; "" if one is
  std::optional<Digest> sha256;
  std::optional<Digest> folded;
  std::string unhashed;
  std::optional<ShardIndex> index;
  std::string failure;
};

/// Bytes of each of `files` that lie in holes; 0 of those below
/// kLeastSparseFile. Reads nothing.
[[nodiscard]] std::vector<std::uint64_t> holes_of(
    const Tree& tree, const std::vector<ViewFile>& files);

/// One for each of `files`, in their order. What could not be read says so.
/// @throws Error{io} if it was told to stop.
[[nodiscard]] std::vector<FileContent> read_files(
    const Tree& tree, const std::vector<ViewFile>& files,
    const ViewOptions& options, unsigned threads, Progress& progress,
    const Cancellation& cancellation);

}  // namespace impound
