// SPDX-License-Identifier: Apache-2.0
/// Initialisers and constants of ONNX models: in the file, or in files beside
/// it under the rules of the format (no path leaves the model's folder).

#include <fmt/format.h>

#include "core/base/text.hpp"
#include "core/formats/onnx/onnx.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {
namespace {

/// "a/./b" → "a/b", below the folder of the model file.
std::string beside(std::string_view model, std::string_view location) {
  std::string path(model.substr(0, model.rfind('/') + 1));
  bool is_first = true;
  for (const std::string& part : split(location, '/')) {
    if (part.empty() || part == ".") continue;
    if (!is_first) path += '/';
    path += part;
    is_first = false;
  }
  return path;
}

/// Bytes of one number in a typed field; 0 for varints.
std::uint64_t typed_width(std::uint32_t field) {
  if (field == 4) return 4;
  return field == 10 ? 8 : 0;
}

void view_typed(const OnnxTensor& tensor, ViewTensor view,
                FoundTensors& found) {
  const OnnxTyped& typed = *tensor.typed;
  if (!typed.is_packed || typed.pieces != 1) {
    found.unviewed(tensor.info, "its numbers are scattered over fields");
    return;
  }
  view.offset = typed.offset;
  view.size = *tensor.expected;
  const std::uint64_t width = typed_width(typed.field);
  if (width > 0) {
    if (typed.size != view.size) {
      found.unviewed(tensor.info,
                     fmt::format("{} bytes of numbers, type and shape need {}",
                                 typed.size, view.size));
      return;
    }
  } else {
    const DtypeTraits& type = traits(view.dtype);
    if (type.block_bits % 8 != 0 || type.kind == NumberKind::complex) {
      found.unviewed(tensor.info, "numbers of this type in varints");
      return;
    }
    TensorAccess& access = view.access.emplace();
    access.varint_bytes = typed.size;
    access.varint_width = type.block_bits / 8;
  }
  found.tensors.push_back(std::move(view));
}

void view_external(const WeightsFile& file, const OnnxTensor& tensor,
                   ViewTensor view, FoundTensors& found) {
  const OnnxExternal& external = *tensor.external;
  if (const auto bad =
          check_external_location(external.location, view.offset)) {
    found.unviewed(tensor.info, bad->message);
    return;
  }
  view.offset = external.offset.value_or(0);
  view.size = external.length.value_or(*tensor.expected);
  if (view.size != *tensor.expected) {
    found.unviewed(
        tensor.info,
        fmt::format("{} bytes in {}, type and shape need {}", view.size,
                    printable(external.location), *tensor.expected));
    return;
  }
  view.access.emplace().data_file = beside(file.path, external.location);
  found.tensors.push_back(std::move(view));
}

}  // namespace

void view_onnx(const WeightsFile& file, FoundTensors& found) {
  const OnnxModel model = read_onnx(file.source);
  found.add_problems(model.problems);
  if (!model.complete) {
    found.problems.push_back({"onnx-incomplete", Severity::high, 0,
                              "not read to the end: tensors may be missing"});
  }
  for (const auto& [key, value] : model.metadata) {
    found.add_text(key, "", value);
  }
  for (const OnnxTensor& tensor : model.tensors) {
    ViewTensor view = ViewTensor::in_place(tensor.info);
    if (tensor.where != "graph") {
      view.name =
          tensor.where + "/" + (view.name.empty() ? "value" : view.name);
    }
    if (tensor.external) {
      if (!tensor.expected) {
        found.unviewed(tensor.info, "its type and shape give no size");
      } else {
        view_external(file, tensor, std::move(view), found);
      }
    } else if (!tensor.expected || view.dtype == Dtype::unknown) {
      found.unviewed(tensor.info,
                     fmt::format("numbers of ONNX type {}", tensor.type));
    } else if (view.size == *tensor.expected) {
      found.tensors.push_back(std::move(view));
    } else if (view.size == 0 && tensor.typed) {
      view_typed(tensor, std::move(view), found);
    } else {
      found.unviewed(tensor.info,
                     fmt::format("{} bytes, type and shape need {}", view.size,
                                 *tensor.expected));
    }
  }
}

}  // namespace impound
