// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The same tensor under the names of different formats, and the order in which
/// each format keeps its rows.
///
/// Sources: names as in llama.cpp's gguf-py/gguf/tensor_mapping.py; the order
/// of q and k as in LlamaModel.permute of its convert_hf_to_gguf.py, which
/// turns the halves of each head that Hugging Face rotates into neighbours;
/// Conv1D of GPT-2 as in its GPT2Model.modify_tensors, which transposes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/view/model_view.hpp"

namespace impound {

/// What has to be done to one side before its numbers stand as the other's.
struct TensorReorder {
  enum class Kind : std::uint8_t {
    heads,      ///< rows of each head: neighbours to halves (the GGUF side)
    transpose,  ///< rows to columns (the other side)
  };
  enum class Side : std::uint8_t { before, after };

  Kind kind = Kind::heads;
  Side side = Side::after;
  std::uint64_t heads = 0;  ///< of Kind::heads

  /// "rows of 32 heads put back in the order of Hugging Face".
  [[nodiscard]] std::string words() const;
  friend bool operator==(const TensorReorder&, const TensorReorder&) = default;
};

/// The order in which `tensor` is read so that it stands as the other side's.
/// Empty if its shape does not allow it (heads that do not divide the rows, a
/// transposed tensor of blocks).
[[nodiscard]] std::optional<StridedLayout> reorder_layout(
    const ViewTensor& tensor, const TensorReorder& reorder);

/// Two tensors that are one under two names.
struct TensorMatch {
  const ViewTensor* before = nullptr;
  const ViewTensor* after = nullptr;
  std::optional<TensorReorder> reorder;
  /// One side keeps the output matrix, which is its embedding; the other keeps
  /// the embedding only.
  bool is_tied = false;
};

/// A name without the wrappers that trainers and loaders put around a model
/// ("module.", "base_model.model.", "model.", "transformer.", ".base_layer").
[[nodiscard]] std::string core_name(std::string_view name);

/// The core names that other formats give to a tensor of a GGUF file, most
/// likely first; empty if it is none that is known.
[[nodiscard]] std::vector<std::string> names_for_gguf(std::string_view name);

/// Pairs what is left over on both sides after equal names were paired. A pair
/// is made only where the name decides it: one bearer on each side, with the
/// same number of elements.
[[nodiscard]] std::vector<TensorMatch> match_names(
    const ModelView& before, const ModelView& after,
    const std::vector<const ViewTensor*>& left_before,
    const std::vector<const ViewTensor*>& left_after);

}  // namespace impound
