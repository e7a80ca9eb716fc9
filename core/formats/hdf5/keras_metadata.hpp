// SPDX-License-Identifier: Apache-2.0
#pragma once
/// keras_metadata.pb, which Keras 2 writes beside a SavedModel: the
/// configuration of every layer as JSON in protobuf (saved_metadata.proto).

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"

namespace impound {

struct KerasObject {
  std::string path;          ///< "root.layer-0"
  std::string metadata;      ///< JSON
  std::uint64_t offset = 0;  ///< of the JSON in the file
};

struct KerasMetadata {
  std::vector<KerasObject> objects;
  bool complete = false;
  Problems problems;  ///< "keras-…"
};

[[nodiscard]] bool is_keras_metadata(const ByteSource& source);

/// @throws only what source.read() throws.
[[nodiscard]] KerasMetadata read_keras_metadata(const ByteSource& source);

}  // namespace impound
