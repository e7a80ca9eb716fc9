// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The safetensors reader and the shard index on arbitrary bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/safetensors/safetensors.hpp"
#include "core/formats/safetensors/safetensors_index.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const SpanSource source(bytes);
  const Safetensors file = read_safetensors(source, "fuzz");
  for (const TensorInfo& tensor : file.tensors) {
    // The promise that everything behind the reader relies on.
    if (tensor.size > size || tensor.offset > size - tensor.size) std::abort();
  }
  const ShardIndex index = parse_shard_index(as_text(bytes), "fuzz");
  static_cast<void>(check_shards(index, {{"a.safetensors", &file}}));
  static_cast<void>(looks_like_safetensors(bytes, size));
  return 0;
}
