// SPDX-License-Identifier: Apache-2.0
// rooms: scan formats
/// NumPy headers: any bytes are read or refused, and the body lies in the file.

#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/numpy/numpy.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const SpanSource source(std::as_bytes(std::span(data, size)));
  const NumpyArray array = read_numpy(source);
  if (array.is_understood && (array.info.offset > size ||
                              array.info.size > size - array.info.offset)) {
    std::abort();
  }
  return 0;
}
