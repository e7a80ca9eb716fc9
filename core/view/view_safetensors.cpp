// SPDX-License-Identifier: Apache-2.0
/// Tensors of safetensors files stand in the file as they are.

#include "core/view/tensor_format.hpp"

namespace impound {

void view_safetensors(const WeightsFile& file, FoundTensors& found) {
  const std::string_view name = file.path.substr(file.path.rfind('/') + 1);
  Safetensors weights = read_safetensors(file.source, name);
  found.problems = std::move(weights.problems);
  for (auto& [key, value] : weights.metadata) {
    found.add_text(std::move(key), "", std::move(value));
  }
  for (TensorInfo& tensor : weights.tensors) {
    found.tensors.push_back(ViewTensor::in_place(std::move(tensor)));
  }
}

}  // namespace impound
