// SPDX-License-Identifier: Apache-2.0
#include "core/formats/onnx/onnx.hpp"

#include <algorithm>

#include "core/formats/protobuf.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/protobuf_writer.hpp"

namespace impound {
namespace {

using test::ProtoWriter;

OnnxModel read(const std::string& bytes) {
  const SpanSource source(as_bytes(bytes));
  return read_onnx(source);
}

bool has(const OnnxModel& model, std::string_view rule) {
  return std::ranges::any_of(model.problems, [&](const Problem& problem) {
    return problem.rule == rule;
  });
}

bool recognised(const std::string& bytes) {
  const SpanSource source(as_bytes(bytes));
  return is_onnx(source);
}

TEST_CASE("protobuf fields are read in order, and breaks are placed") {
  const std::string bytes =
      ProtoWriter().number(1, 300).text(2, "abc").bytes() + "\x12\x7f";
  const SpanSource source(as_bytes(bytes));
  wire::Window window(source);
  wire::Message message(window, 0, source.size());
  const auto first = message.next();
  REQUIRE(first);
  CHECK(first->value == 300);
  const auto second = message.next();
  REQUIRE(second);
  CHECK(window.text(*second, 100) == "abc");
  CHECK_FALSE(message.next());
  CHECK_FALSE(message.ok());
  CHECK(message.offset() == bytes.size() - 2);
}

TEST_CASE("an ordinary ONNX model") {
  const std::string raw(16, 'w');
  ProtoWriter graph;
  graph.message(1, test::onnx_node("conv", "Conv"))
      .message(1, test::onnx_node("fused", "FusedGemm", "com.microsoft"))
      .text(2, "main")
      .message(5, test::onnx_tensor("w", 4, raw));
  const std::string bytes = test::onnx_model(graph);
  CHECK(recognised(bytes));
  const OnnxModel model = read(bytes);
  CHECK(model.complete);
  CHECK(model.problems.empty());
  CHECK(model.custom_ops.empty());
  CHECK(model.nodes == 2);
  CHECK(model.opsets.at("") == 17);
  REQUIRE(model.tensors.size() == 1);
  CHECK(model.tensors[0].info.size == 16);
  CHECK(bytes.substr(model.tensors[0].info.offset, 16) == raw);
}

TEST_CASE("tensors and operators in sub-graphs and functions are seen") {
  ProtoWriter body;
  body.message(1, test::onnx_node("evil", "Run", "com.attacker"))
      .message(5, test::onnx_external("hidden", 4, "../../etc/passwd"));
  ProtoWriter loop = test::onnx_node("loop", "Loop");
  loop.message(5, ProtoWriter().text(1, "body").message(6, body));
  ProtoWriter graph;
  graph.message(1, loop);
  const OnnxModel model = read(test::onnx_model(graph));
  REQUIRE(model.custom_ops.size() == 1);
  CHECK(model.custom_ops[0].domain == "com.attacker");
  REQUIRE(model.tensors.size() == 1);
  CHECK(model.tensors[0].where == "graph/loop.body");
  CHECK(has(model, "onnx-external-path"));
}

TEST_CASE("a domain that the model itself defines is not foreign") {
  ProtoWriter graph;
  graph.message(1, test::onnx_node("f", "Mine", "local"));
  ProtoWriter function;
  function.text(1, "Mine")
      .text(10, "local")
      .message(7, test::onnx_node("n", "Add"));
  const std::string bytes =
      test::onnx_model(graph) + ProtoWriter().message(25, function).bytes();
  const OnnxModel model = read(bytes);
  CHECK(model.custom_ops.empty());
  CHECK(model.functions == 1);
}

TEST_CASE("where external data may not be") {
  for (const char* bad :
       {"/etc/passwd", "../x", "a/../../x", "a\\..\\..\\x", "C:\\x",
        "\\\\host\\share", "//host/x", "http://host/x", "", "a/../x"}) {
    INFO(bad);
    CHECK(check_external_location(bad, 0).has_value());
  }
  for (const char* good : {"model.onnx.data", "./weights/w.bin", "a..b"}) {
    INFO(good);
    CHECK_FALSE(check_external_location(good, 0).has_value());
  }
}

TEST_CASE("ONNX files that lie") {
  ProtoWriter graph;
  SECTION("bytes that do not fit type and shape") {
    graph.message(5, test::onnx_tensor("w", 5, std::string(16, 'w')));
    CHECK(has(read(test::onnx_model(graph)), "onnx-tensor-size"));
  }
  SECTION("dimensions that overflow") {
    ProtoWriter tensor;
    tensor.number(1, 1ULL << 63U).number(1, 1ULL << 63U).number(2, 1);
    graph.message(5, tensor);
    CHECK(has(read(test::onnx_model(graph)), "onnx-shape"));
  }
  SECTION("external length that does not fit") {
    graph.message(5, test::onnx_external("w", 4, "w.bin", "0", "8"));
    CHECK(has(read(test::onnx_model(graph)), "onnx-external"));
  }
  SECTION("graphs nested without end") {
    ProtoWriter inner;
    inner.text(2, "deepest");
    for (int i = 0; i < 100; ++i) {
      ProtoWriter node = test::onnx_node("n", "If");
      node.message(5, ProtoWriter().text(1, "b").message(6, inner));
      inner = ProtoWriter().message(1, node);
    }
    const OnnxModel model = read(test::onnx_model(inner));
    CHECK(has(model, "onnx-depth"));
    CHECK_FALSE(model.complete);
  }
  SECTION("cut short anywhere") {
    graph.message(5, test::onnx_tensor("w", 4, std::string(16, 'w')));
    const std::string whole = test::onnx_model(graph);
    for (std::size_t size = 1; size < whole.size(); ++size) {
      static_cast<void>(read(whole.substr(0, size)));
    }
    CHECK_FALSE(read(whole.substr(0, whole.size() - 3)).complete);
  }
}

TEST_CASE("other files are no ONNX") {
  CHECK_FALSE(recognised(""));
  CHECK_FALSE(recognised("{\"a\": 1}"));
  CHECK_FALSE(recognised("import os\nprint('x')\n"));
  CHECK_FALSE(recognised(std::string(4096, '\0')));
  CHECK_FALSE(recognised("\": some text with : in it, 2 lines\n"));
}

}  // namespace
}  // namespace impound
