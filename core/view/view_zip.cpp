// SPDX-License-Identifier: Apache-2.0
/// Zip files are told apart by their members: PyTorch, NumPy, Keras, or
/// something without tensors.

#include "core/formats/torch/torch.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {

void view_zip(const WeightsFile& file, FoundTensors& found) {
  const ZipArchive archive = read_zip(file.source);
  if (torch_zip_root(archive)) {
    view_torch_members(file, archive, found);
    return;
  }
  const bool is_npz = view_npz(file, archive, found);
  const bool is_keras = view_keras_zip(file, archive, found);
  if (is_npz || is_keras) {
    found.add_problems(archive.problems);
  } else {
    found.problems.push_back(
        {"tensor-not-viewed", Severity::low, 0,
         "a zip of no known kind of model: compared as one file; tensors in "
         "it, if there are any, are not"});
  }
}

/// torch.load takes it for what it is wherever its data.pkl lies.
void view_torch_zip(const WeightsFile& file, FoundTensors& found) {
  view_zip(file, found);
}

}  // namespace impound
