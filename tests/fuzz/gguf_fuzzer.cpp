// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The GGUF reader on arbitrary bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/gguf/gguf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const SpanSource source(std::as_bytes(std::span(data, size)));
  const GgufFile file = read_gguf(source);
  for (const GgufTensor& tensor : file.tensors) {
    // The promise that everything behind the reader relies on.
    if (tensor.fits && (tensor.info.size > size ||
                        tensor.info.offset > size - tensor.info.size)) {
      std::abort();
    }
  }
  for (const GgufEntry& entry : file.entries) {
    static_cast<void>(gguf_value_json(entry));
    if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
      static_cast<void>(read_gguf_strings(source, file, *array, 0, 100));
    }
  }
  static_cast<void>(gguf_templates(file));
  return 0;
}
