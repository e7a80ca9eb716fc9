// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The oldest PyTorch container: a tar with members storages, tensors, pickle
/// (torch/serialization.py, legacy_load). Everything in it is pickles with raw
/// bytes between them.

#include "core/formats/packed/tar_file.hpp"
#include "core/formats/torch/torch.hpp"

namespace impound {

/// Whether the members storages, tensors and pickle are there.
[[nodiscard]] bool is_torch_tar(const TarArchive& archive);

/// One member of a torch tar: its pickles, in order.
struct TorchTarMember {
  std::string name;
  std::uint64_t offset = 0;  ///< of the member in the file
  std::uint64_t size = 0;
  std::vector<PickleRun> runs;  ///< offsets within the member
  std::uint64_t end = 0;        ///< what the structure accounts for
  Problems problems;
};

/// The pickles of `storages` and `tensors`; `pickle` is a plain one.
[[nodiscard]] std::vector<TorchTarMember> read_torch_tar(
    const ByteSource& source, const TarArchive& archive,
    const PickleOptions& options);

/// The tensors of a torch tar, by the path under which `pickle` holds them.
/// Problems of its structure are those of read_torch_tar().
[[nodiscard]] std::vector<TorchTensor> read_torch_tar_tensors(
    const ByteSource& source, const TarArchive& archive,
    const PickleOptions& options);

}  // namespace impound
