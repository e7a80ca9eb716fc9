// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which file of a model one file stands for.
///
/// A file that was found in a process, or one item of an exhibit, has a name
/// that says where it was found ("process/4711/deleted/fd-3"), not what it is.
/// Held against a whole model by name, everything would be "added" and
/// "removed", which is not true: the rest of the model was not looked at. So
/// the one file is recognised by what it holds, in this order:
///   1. the same bytes;
///   2. tensors of the same names (or the names that another format gives
///   them);
///      several files of the model where the one file holds the tensors of
///      several (shards joined);
///   3. the same types and shapes, where exactly one file has them (an array is
///      named after its file, so names say nothing);
///   4. the only file of the model, if it is of the same format;
///   5. the path that the record gives it: below the model for what the
///      model-files collector took, the name it had when a process opened it.
/// Files with tensors on both sides are never paired by 5: there the tensors
/// have spoken.

#include <string>
#include <vector>

#include "core/view/model_view.hpp"

namespace impound {

enum class AlignedBy : std::uint8_t {
  nothing,  ///< no file of the model corresponds to it
  bytes,
  tensor_names,
  tensor_shapes,
  only_file,
  recorded_path,
};

/// "the same bytes", "the names of its tensors" …: the end of "recognised by".
[[nodiscard]] std::string_view to_string(AlignedBy how) noexcept;

struct Alignment {
  AlignedBy how = AlignedBy::nothing;
  std::vector<std::string> files;  ///< of the model, sorted
};

/// Precondition: `one` has exactly one file.
[[nodiscard]] Alignment align_one_file(const ModelView& model,
                                       const ModelView& one);

}  // namespace impound
