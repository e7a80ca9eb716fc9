// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which operators of TensorFlow only compute: the list of the scanner, as
/// data.

#include <string_view>

#include "core/base/json.hpp"

namespace impound {

/// Operators that read no file, write none, start nothing and send nothing,
/// whatever they are given: TensorFlow 1.15 to 2.16.
[[nodiscard]] bool only_computes(std::string_view op);

/// {"category": ["Op", …], …}
[[nodiscard]] Json tensorflow_ops_to_json();

}  // namespace impound
