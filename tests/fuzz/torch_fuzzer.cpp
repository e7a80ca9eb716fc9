// SPDX-License-Identifier: Apache-2.0
// rooms: scan formats
/// PyTorch files of all three kinds: what is called readable lies in the file.

#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/torch/torch.hpp"
#include "core/formats/torch/torch_tar.hpp"
#include "core/scan/pickle_lists.hpp"

using namespace impound;

namespace {

void check(const TorchFile& file, std::size_t size) {
  for (const TorchTensor& tensor : file.tensors) {
    if (tensor.is_readable && (tensor.info.offset > size ||
                               tensor.info.size > size - tensor.info.offset)) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const SpanSource source(std::as_bytes(std::span(data, size)));
  PickleOptions options;
  options.judge = judge_global;
  options.max_opcodes = 1'000'000;
  check(read_torch_zip(source, read_zip(source), options), size);
  check(read_torch_legacy(source, options), size);
  for (const TorchTarMember& member :
       read_torch_tar(source, read_tar(source), options)) {
    if (member.end > member.size) std::abort();
  }
  return 0;
}
