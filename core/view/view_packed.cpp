// SPDX-License-Identifier: Apache-2.0
/// Packed files: what is inside is compared as bytes, not as tensors, and that
/// is said. `impound scan` looks inside.

#include <fmt/format.h>

#include "core/view/tensor_format.hpp"

namespace impound {

void view_packed(const WeightsFile& file, FoundTensors& found) {
  const std::string_view name = packed_name(file.head);
  found.problems.push_back(
      {"tensor-not-viewed", Severity::low, 0,
       fmt::format("packed with {}: compared as one file; tensors in it, if "
                   "there are any, are not",
                   name.empty() ? found.format : name)});
}

}  // namespace impound
