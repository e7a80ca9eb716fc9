// SPDX-License-Identifier: Apache-2.0
#pragma once
/// From the values of a torch pickle to storages and tensors. Included by
/// torch*.cpp only.

#include "core/formats/torch.hpp"

namespace impound {

/// The storages that persistent ids of `run` name, each key once.
[[nodiscard]] std::vector<TorchStorage> torch_storages(const PickleHeap& heap,
                                                       const PickleRun& run);

/// Every tensor that can be reached from `root`; places come from `storages`.
[[nodiscard]] std::vector<TorchTensor> torch_tensors(
    const PickleHeap& heap, const PickleValue& root,
    const std::vector<TorchStorage>& storages);

/// "FloatStorage" → F32. Also the names of dtypes: "float32".
[[nodiscard]] Dtype torch_dtype(std::string_view name);
[[nodiscard]] std::uint64_t torch_item_size(Dtype dtype);

}  // namespace impound
