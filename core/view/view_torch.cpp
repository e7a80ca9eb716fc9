// SPDX-License-Identifier: Apache-2.0
/// Tensors of PyTorch checkpoints: where the pickle says that they are views of
/// storages, with offset, shape and strides. The pickle is walked, never run.

#include <fmt/format.h>

#include <map>

#include "core/base/text.hpp"
#include "core/formats/torch/torch.hpp"
#include "core/formats/torch/torch_tar.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {
namespace {

/// Views may be larger than what they view (expand()): so many bytes for each
/// byte of the storage, and this much in any case, are looked at.
constexpr std::uint64_t kMostExpansion = 16;
constexpr std::uint64_t kAlwaysExpanded = std::uint64_t{64} << 20U;

/// Opcodes of a checkpoint's pickle: a model has some dozen for each tensor.
PickleOptions view_options() {
  PickleOptions options;
  options.max_opcodes = 400'000'000;
  return options;
}

bool is_expanded(const TorchTensor& tensor) {
  return tensor.info.size > kAlwaysExpanded &&
         tensor.info.size / kMostExpansion > tensor.span;
}

void add_tensor(const TorchTensor& tensor, bool is_big_endian,
                const ZipMember* packed, FoundTensors& found) {
  if (!tensor.is_inside) {
    found.unviewed(tensor.info, printable(tensor.missing));
    return;
  }
  if (is_expanded(tensor)) {
    found.unviewed(tensor.info,
                   fmt::format("{} bytes of shape over {} bytes of storage",
                               tensor.info.size, tensor.span));
    return;
  }
  ViewTensor view = ViewTensor::in_place(tensor.info);
  if (packed != nullptr) view.access.emplace().member = *packed;
  const std::uint64_t item = traits(tensor.info.dtype).block_bits / 8U;
  const std::uint64_t swap = is_big_endian ? swap_width(tensor.info.dtype) : 0;
  const bool is_row_major =
      tensor.is_readable ||
      tensor.strides == row_major_strides(tensor.info.shape);
  if (tensor.info.size > 0 && (!is_row_major || swap > 1)) {
    if (item == 0) {
      found.unviewed(tensor.info, "parts of bytes in an order of their own");
      return;
    }
    if (!view.access) view.access.emplace();
    view.access->order = StridedLayout{.item = item,
                                       .shape = tensor.info.shape,
                                       .strides = tensor.strides,
                                       .swap = swap};
  }
  if (!tensor.quantiser.empty()) {
    found.add_text(tensor.info.name + " (quantiser)", "", tensor.quantiser);
  }
  found.tensors.push_back(std::move(view));
}

void add_torch(const TorchFile& torch, const ZipArchive* archive,
               FoundTensors& found) {
  found.add_problems(torch.problems);
  if (!torch.is_complete) {
    found.problems.push_back(
        {"torch-incomplete", Severity::high, 0,
         "its object pickle does not end: tensors may be missing here"});
  }
  std::map<std::string, const TorchStorage*> storages;
  for (const TorchStorage& storage : torch.storages) {
    storages[storage.key] = &storage;
  }
  std::map<std::string, const ZipMember*> members;
  if (archive != nullptr) {
    for (const ZipMember& member : archive->members) {
      members.emplace(member.name, &member);
    }
  }
  for (const TorchTensor& tensor : torch.tensors) {
    const auto storage = storages.find(tensor.storage);
    const ZipMember* packed = nullptr;
    if (tensor.is_inside && storage != storages.end() &&
        !storage->second->is_plain) {
      const auto member =
          members.find(torch.root + "/data/" + storage->second->key);
      if (member != members.end()) packed = member->second;
    }
    add_tensor(tensor, torch.is_big_endian, packed, found);
  }
}

}  // namespace

void view_torch_members(const WeightsFile& file, const ZipArchive& archive,
                        FoundTensors& found) {
  found.format = "PyTorch zip";
  found.add_problems(archive.problems);
  const TorchFile torch = read_torch_zip(file.source, archive, view_options());
  add_torch(torch, &archive, found);
  if (torch.is_torchscript) {
    found.problems.push_back(
        {"torchscript-constants", Severity::low, 0,
         "constants of TorchScript code are not compared as tensors"});
  }
}

void view_torch_legacy(const WeightsFile& file, FoundTensors& found) {
  add_torch(read_torch_legacy(file.source, view_options()), nullptr, found);
}

void view_torch_tar(const WeightsFile& file, FoundTensors& found) {
  const TarArchive archive = read_tar(file.source);
  found.add_problems(archive.problems);
  for (const TorchTarMember& member :
       read_torch_tar(file.source, archive, view_options())) {
    found.add_problems(member.problems);
  }
  for (const TorchTensor& tensor :
       read_torch_tar_tensors(file.source, archive, view_options())) {
    add_tensor(tensor, false, nullptr, found);
  }
}

}  // namespace impound
