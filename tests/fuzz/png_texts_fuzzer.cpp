// SPDX-License-Identifier: Apache-2.0
// rooms: formats
/// The texts of a PNG lie within it, whatever its chunks say.

#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/settings/png_texts.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const SpanSource source(std::as_bytes(std::span(data, size)));
  for (const PngText& text : read_png_texts(source)) {
    if (text.offset > size || text.size > size - text.offset) std::abort();
  }
  return 0;
}
