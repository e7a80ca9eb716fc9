// SPDX-License-Identifier: Apache-2.0
/// Packed files: what is inside is compared as bytes, not as tensors, and that
/// is said. `impound scan` looks inside.

#include <fmt/format.h>

#include "core/view/tensor_format.hpp"

namespace impound {

namespace {

void say_packed(const WeightsFile& file, FoundTensors& found) {
  const std::string_view name = packed_name(file.head);
  found.problems.push_back(
      {"tensor-not-viewed", Severity::low, 0,
       fmt::format("packed with {}: compared as one file; tensors in it, if "
                   "there are any, are not",
                   name.empty() ? found.format : name)});
}

}  // namespace

void view_tar(const WeightsFile& file, FoundTensors& found) {
  say_packed(file, found);
}
void view_gzip(const WeightsFile& file, FoundTensors& found) {
  say_packed(file, found);
}
void view_zlib(const WeightsFile& file, FoundTensors& found) {
  say_packed(file, found);
}
void view_packed(const WeightsFile& file, FoundTensors& found) {
  say_packed(file, found);
}

}  // namespace impound
