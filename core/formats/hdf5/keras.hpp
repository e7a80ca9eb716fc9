// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A Keras model configuration (config.json of a .keras file, model_config of
/// an .h5 file): every object it would construct, and what is wrong with it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/formats/problem.hpp"

namespace impound {

struct KerasFinding {
  Problem problem;          ///< rule "keras-…"
  std::string path;         ///< "config.layers[3].config.function"
  std::string evidence;     ///< what would be constructed or run
  std::string module = {};  ///< keras-module: what would be imported
  std::string name = {};    ///< keras-module: what would be taken from it
};

struct KerasReport {
  std::vector<KerasFinding> findings;
  std::uint64_t objects = 0;  ///< dictionaries with a class_name
};

/// Whether `json` is a configuration that Keras deserialises.
[[nodiscard]] bool is_keras_config(const Json& json);

/// Walks the whole of `json`, whatever it is nested in.
[[nodiscard]] KerasReport walk_keras_config(const Json& json);

}  // namespace impound
