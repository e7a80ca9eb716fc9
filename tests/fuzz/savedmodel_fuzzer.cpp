// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The readers of TensorFlow graphs on arbitrary bytes, in every encoding.

#include <cstddef>
#include <cstdint>

#include "core/base/source.hpp"
#include "core/formats/tensorflow/savedmodel.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const SpanSource source(std::as_bytes(std::span(data, size)));
  static_cast<void>(recognise_tensorflow_file(source));
  for (const TfKind kind : {TfKind::saved_model, TfKind::graph,
                            TfKind::saved_model_text, TfKind::graph_text}) {
    static_cast<void>(read_tensorflow(source, kind));
  }
  return 0;
}
