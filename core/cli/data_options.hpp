// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Options of commands that may be about training data.

#include <CLI/CLI.hpp>

#include <string>

#include "core/engine/model_sides.hpp"

namespace impound {

struct DataOptions {
  bool as_dataset = false;
  bool as_model = false;
  std::string row_key;
  std::string label;
  std::string text;  ///< names, separated by commas
};

/// `options` outlives the command.
void add_data_options(CLI::App& command, DataOptions& options);

/// @throws Error{bad_input} where both kinds are asked for.
[[nodiscard]] DataChoice data_choice(const DataOptions& options);

}  // namespace impound
