// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which tensors and which metadata texts differ between two sides.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/compare/model_view.hpp"

namespace impound {

enum class TensorStatus : std::uint8_t {
  identical,
  changed,   ///< same type and shape, other bytes
  reshaped,  ///< another shape
  retyped,   ///< another number type (and perhaps shape)
  added,
  removed,
  unreadable,  ///< no digest on one side
};

[[nodiscard]] std::string_view to_string(TensorStatus status) noexcept;

struct TensorChange {
  std::string name;      ///< on the new side; the old one where it is removed
  std::string old_name;  ///< where names were mapped between formats
  TensorStatus status = TensorStatus::identical;
  std::optional<ViewTensor> before;
  std::optional<ViewTensor> after;
  /// Filled by explain_changes() (delta_signature.hpp); empty until then.
  std::string label;
  Json stats;

  /// {"name","status","dtype","shape"} of the new side, what it was before
  /// where that differs, "label" and "stats" where known.
  [[nodiscard]] Json to_json() const;
};

/// Compares by tensor name, wherever the tensor lies: one whole file against
/// shards gives identical tensors. Sorted by name.
[[nodiscard]] std::vector<TensorChange> diff_tensors(const ModelView& before,
                                                     const ModelView& after);

struct MetadataChange {
  std::string file;  ///< on the side that has it
  std::string key;
  std::optional<std::string> before;
  std::optional<std::string> after;

  [[nodiscard]] Json to_json() const;
};

/// `__metadata__` texts that were added, removed or changed. Compared file by
/// file where the file is on both sides, else over all files of a side.
[[nodiscard]] std::vector<MetadataChange> diff_metadata(const ModelView& before,
                                                        const ModelView& after);

}  // namespace impound
