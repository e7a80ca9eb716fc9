// SPDX-License-Identifier: Apache-2.0
// rooms: compare
/// A file of any model format, seen as tensors: what is viewed can be read at
/// both ends, whatever the file says, and has a digest.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/base/error.hpp"
#include "core/compare/delta/open_tensors.hpp"
#include "tests/support/memory_tree.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  const test::MemoryTree tree(
      {{"m", content}, {"d.bin", std::string(64, 'd')}});
  SilentProgress progress;
  const Cancellation cancellation;
  ViewOptions options;
  options.threads = 1;
  const ModelView view = view_tree(tree, options, progress, cancellation);
  if (view.find_file("m")->failure.empty() != true) std::abort();
  OpenTensors files(view);
  std::size_t opened = 0;
  for (const ViewTensor& tensor : view.tensors) {
    if (!tensor.sha256) std::abort();
    if (++opened > 50) break;
    const OpenTensor open = files.open(tensor, std::nullopt);
    if (tensor.size == 0) continue;
    Bytes byte(1);
    open.bytes.source->read(open.bytes.offset, byte);
    open.bytes.source->read(open.bytes.offset + tensor.size - 1, byte);
  }
  return 0;
}
