// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// savedmodel_corpus FOLDER: writes seeds for the fuzzer of TensorFlow graphs.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/protobuf_writer.hpp"

void write_savedmodel_seeds(const std::filesystem::path& folder) {
  using impound::test::ProtoWriter;
  ProtoWriter constant;
  constant.text(1, "p")
      .text(2, "Const")
      .message(5, ProtoWriter()
                      .text(1, "value")
                      .message(2, ProtoWriter().message(
                                      8, ProtoWriter().number(1, 7).text(
                                             8, "/etc/passwd"))));
  ProtoWriter read;
  read.text(1, "r").text(2, "ReadFile").text(3, "p:output:0");
  ProtoWriter function;
  function.message(1, ProtoWriter().text(1, "f"))
      .message(3, constant)
      .message(3, read);
  ProtoWriter graph;
  graph.message(1, constant)
      .message(1, read)
      .message(2, ProtoWriter().message(1, function));
  const std::string model =
      ProtoWriter()
          .number(1, 1)
          .message(2, ProtoWriter().message(2, graph).message(
                          6, ProtoWriter().text(2, "../x")))
          .bytes();
  std::ofstream(folder / "model", std::ios::binary) << model;
  std::ofstream(folder / "graph", std::ios::binary) << graph.bytes();
  std::ofstream(folder / "text", std::ios::binary)
      << "meta_graphs { graph_def { library { function { signature { name: "
         "\"f\" } node_def { name: 'p' op: \"Const\" attr { key: \"v\" value { "
         "tensor { string_val: \"\\057x\" 'y' } } } } node_def < op: "
         "\"ReadFile\" input: [\"p\", \"q\"] > } } } }\n# end\n";
}
