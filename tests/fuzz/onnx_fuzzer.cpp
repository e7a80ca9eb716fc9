// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The readers of ONNX and of Keras metadata, and the protobuf fields under it
/// on arbitrary bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/hdf5/keras_metadata.hpp"
#include "core/formats/onnx/onnx.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const SpanSource source(std::as_bytes(std::span(data, size)));
  static_cast<void>(is_onnx(source));
  static_cast<void>(is_keras_metadata(source));
  static_cast<void>(read_keras_metadata(source));
  const OnnxModel model = read_onnx(source);
  for (const OnnxTensor& tensor : model.tensors) {
    if (tensor.info.size > size ||
        tensor.info.offset > size - tensor.info.size) {
      std::abort();
    }
  }
  return 0;
}
