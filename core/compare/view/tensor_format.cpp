// SPDX-License-Identifier: Apache-2.0
#include "core/compare/view/tensor_format.hpp"

#include <fmt/format.h>

#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array kFormats = {
    TensorFormat{"safetensors", recognise_safetensors, view_safetensors},
    TensorFormat{"GGUF", recognise_gguf, view_gguf},
    TensorFormat{"zip", recognise_weights_zip, view_weights_zip},
    TensorFormat{"PyTorch legacy", recognise_torch_legacy, view_torch_legacy},
    TensorFormat{"PyTorch tar", recognise_torch_tar, view_torch_tar},
    TensorFormat{"pickle", recognise_pickle, view_pickle},
    TensorFormat{"NumPy", recognise_npy, view_npy},
    TensorFormat{"HDF5", recognise_hdf5, view_hdf5},
    TensorFormat{"packed", recognise_packed, view_packed},
    // Last: a protobuf has no signature, only a plausible structure.
    TensorFormat{"ONNX", recognise_onnx, view_onnx},
};

}  // namespace

void FoundTensors::unviewed(const TensorInfo& tensor, std::string_view why) {
  constexpr std::size_t kMost = 1000;  // a hostile file has millions
  if (problems.size() > kMost) return;
  if (problems.size() == kMost) {
    problems.push_back({"tensor-not-viewed", Severity::medium, 0,
                        "and more tensors that are not compared"});
    return;
  }
  problems.push_back(
      {"tensor-not-viewed", Severity::medium, tensor.offset,
       fmt::format("{} {} {} is there but not compared: {}",
                   tensor.name.empty() ? std::string("(no name)")
                                       : printable(tensor.name),
                   to_string(tensor.dtype), shape_text(tensor.shape), why)});
}

void FoundTensors::add_problems(const Problems& more) {
  for (const Problem& problem : more) {
    if (problem.severity >= Severity::medium) problems.push_back(problem);
  }
}

void FoundTensors::add_text(std::string key, std::string type,
                            std::string value) {
  metadata.push_back({.file = {},
                      .key = std::move(key),
                      .value = std::move(value),
                      .type = std::move(type)});
}

std::span<const TensorFormat> tensor_formats() { return kFormats; }

std::uint64_t swap_width(Dtype dtype) {
  const DtypeTraits& type = traits(dtype);
  if (type.block_elements != 1 || type.block_bits % 8 != 0) return 0;
  const std::uint64_t width = type.block_bits / 8;
  if (type.kind == NumberKind::complex) return width / 2;
  return width > 1 ? width : 0;
}

StridedLayout swapped_layout(const TensorInfo& tensor) {
  return {.item = traits(tensor.dtype).block_bits / 8U,
          .shape = tensor.shape,
          .strides = row_major_strides(tensor.shape),
          .swap = swap_width(tensor.dtype)};
}

}  // namespace impound
