// SPDX-License-Identifier: Apache-2.0
#pragma once
/// TensorFlow graphs in protobuf's text format (saved_model.pbtxt).

#include <string_view>

#include "core/formats/tensorflow/savedmodel.hpp"

namespace impound {

[[nodiscard]] TfKind recognise_tensorflow_text(const ByteSource& source);

/// Adds what it reads to `model`.
void read_tensorflow_text(const ByteSource& source, TfKind kind,
                          TfModel& model);

/// Keys of signatures and collections that a loader runs by itself.
[[nodiscard]] inline bool is_init_op(std::string_view key) {
  return key == "__saved_model_init_op" || key == "saved_model_main_op" ||
         key == "saved_model_init_op" || key == "legacy_init_op";
}

}  // namespace impound
