// SPDX-License-Identifier: Apache-2.0
#include "core/view/tensor_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

// What begins with a signature of its own before what is found elsewhere: a
// safetensors file with a zip at its end is loaded as safetensors.
constexpr std::array kFormats = {
    TensorFormat{Format::safetensors, "safetensors", view_safetensors},
    TensorFormat{Format::gguf, "GGUF", view_gguf},
    TensorFormat{Format::torch_legacy, "PyTorch legacy", view_torch_legacy},
    TensorFormat{Format::torch_zip, "PyTorch zip", view_weights_zip},
    TensorFormat{Format::zip, "zip", view_weights_zip},
    TensorFormat{Format::torch_tar, "PyTorch tar", view_torch_tar},
    TensorFormat{Format::pickle, "pickle", view_pickle},
    TensorFormat{Format::numpy, "NumPy", view_npy},
    TensorFormat{Format::hdf5, "HDF5", view_hdf5},
    TensorFormat{Format::tar, "tar", view_packed},
    TensorFormat{Format::gzip, "gzip", view_packed},
    TensorFormat{Format::zlib, "zlib", view_packed},
    TensorFormat{Format::packed, "packed", view_packed},
    // Last: a protobuf has no signature, only a plausible structure.
    TensorFormat{Format::onnx, "ONNX", view_onnx},
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

const TensorFormat* find_tensor_format(Format format) {
  const auto found = std::ranges::find(kFormats, format, &TensorFormat::format);
  return found == kFormats.end() ? nullptr : &*found;
}

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
