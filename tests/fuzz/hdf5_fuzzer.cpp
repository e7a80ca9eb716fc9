// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The HDF5 reader on arbitrary bytes, and the Keras walk over what it finds.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/base/source.hpp"
#include "core/formats/hdf5/hdf5.hpp"
#include "core/formats/hdf5/keras.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const SpanSource source(std::as_bytes(std::span(data, size)));
  const Hdf5File file = read_hdf5(source);
  for (const auto& [name, text] : file.attributes) {
    if (text.value.size() > size) std::abort();
    try {
      static_cast<void>(walk_keras_config(parse_json(text.value, name)));
    } catch (const Error&) {
      continue;  // no JSON
    }
  }
  return 0;
}
