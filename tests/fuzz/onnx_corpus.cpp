// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// onnx_corpus FOLDER: writes seeds for the ONNX fuzzer.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/protobuf_writer.hpp"

void write_onnx_seeds(const std::filesystem::path& folder) {
  using namespace impound::test;
  ProtoWriter body;
  body.message(1, onnx_node("inner", "Run", "com.other"))
      .message(5, onnx_external("w", 4, "../x", "0", "16"));
  ProtoWriter loop = onnx_node("loop", "Loop");
  loop.message(5, ProtoWriter().text(1, "body").message(6, body));
  ProtoWriter graph;
  graph.message(1, loop).message(5, onnx_tensor("w", 4, std::string(16, 'w')));
  std::ofstream(folder / "model", std::ios::binary) << onnx_model(graph);
}
