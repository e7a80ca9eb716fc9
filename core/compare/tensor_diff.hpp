// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which tensors and which metadata texts differ between two sides.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/boxed.hpp"
#include "core/base/json.hpp"
#include "core/compare/change_label.hpp"
#include "core/view/model_view.hpp"
#include "core/view/name_map.hpp"

namespace impound {

enum class TensorStatus : std::uint8_t {
  identical,
  changed,   ///< same type and shape, other bytes
  reshaped,  ///< another shape
  retyped,   ///< another number type (and perhaps shape)
  added,
  removed,
  unreadable,  ///< no digests that can be compared
  /// The other side is one file, and its own is another: nothing was looked at.
  not_compared,
};

[[nodiscard]] std::string_view to_string(TensorStatus status) noexcept;

struct TensorChange {
  std::string name;      ///< on the new side; the old one where it is removed
  std::string old_name;  ///< where names were mapped between formats
  TensorStatus status = TensorStatus::identical;
  std::optional<ViewTensor> before;
  std::optional<ViewTensor> after;
  /// What one side needs before its numbers stand as the other's.
  std::optional<TensorReorder> reorder;
  bool is_tied = false;  ///< an output matrix against an embedding
  /// The weight that it is codes, scales or zero points of, which is compared
  /// in its place (packed_weights.hpp). Absent of what stands for itself.
  Boxed<std::string> part_of;
  /// Filled by explain_changes() (delta_signature.hpp); none until then.
  TensorLabel label = TensorLabel::none;
  Json stats;

  /// {"name","status","dtype","shape"} of the new side, what it was before
  /// where that differs, "label" and "stats" where known; "from" is the name
  /// on the old side where formats name it differently, "part_of" the weight
  /// that it is a part of, "order" what was done
  /// to the order of its numbers, "tied" an output matrix against an embedding.
  [[nodiscard]] Json to_json() const;
};

/// Compares by tensor name, wherever the tensor lies: one whole file against
/// shards gives identical tensors. What is left over is compared by the names
/// of other formats (name_map.hpp). Where the order of numbers differs, digests
/// say nothing: `unreadable` until explain_changes() has looked at the bytes.
/// Sorted by name.
[[nodiscard]] std::vector<TensorChange> diff_tensors(const ModelView& before,
                                                     const ModelView& after);

/// The same for views whose tensors nobody needs any more: they are moved into
/// the changes and the views have none, which takes half the memory.
[[nodiscard]] std::vector<TensorChange> take_tensors_diff(ModelView& before,
                                                          ModelView& after);

struct MetadataChange {
  std::string file;  ///< on the side that has it
  std::string key;
  std::optional<std::string> before;
  std::optional<std::string> after;
  std::string type_before;  ///< of GGUF values; else empty
  std::string type_after;
  /// Filled by explain_files(): {"unified"} of texts of several lines, or what
  /// changed in an array. Null until then.
  Json content;

  [[nodiscard]] Json to_json() const;
};

/// `__metadata__` texts that were added, removed or changed. Compared file by
/// file where the file is on both sides, else over all files of a side.
[[nodiscard]] std::vector<MetadataChange> diff_metadata(const ModelView& before,
                                                        const ModelView& after);

}  // namespace impound
