// SPDX-License-Identifier: Apache-2.0
#pragma once
/// From the values of a torch pickle to storages and tensors. Included by
/// torch*.cpp only.

#include <map>

#include "core/formats/torch/torch.hpp"

namespace impound {

/// The storages that persistent ids of `run` name, each key once.
[[nodiscard]] std::vector<TorchStorage> torch_storages(const PickleHeap& heap,
                                                       const PickleRun& run);

/// Every tensor that can be reached from `root`; places come from `storages`.
[[nodiscard]] std::vector<TorchTensor> torch_tensors(
    const PickleHeap& heap, const PickleValue& root,
    const std::vector<TorchStorage>& storages);

/// The same where the pickle names whole tensors by their persistent ids (tar
/// files): `tensors` by that id.
[[nodiscard]] std::vector<TorchTensor> torch_tensors_by_id(
    const PickleHeap& heap, const PickleValue& root,
    const std::map<std::string, TorchTensor>& tensors);

/// Sets place, span and is_readable of a tensor that begins `first` elements
/// into `storage`, or says what is missing. Shape and strides are those of
/// `tensor`.
void place_torch_tensor(TorchTensor& tensor, const TorchStorage& storage,
                        std::uint64_t first);

/// "FloatStorage" → F32. Also the names of dtypes: "float32".
[[nodiscard]] Dtype torch_dtype(std::string_view name);
[[nodiscard]] std::uint64_t torch_item_size(Dtype dtype);

}  // namespace impound
