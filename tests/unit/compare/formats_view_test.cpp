// SPDX-License-Identifier: Apache-2.0
// The same numbers in several formats have the same digest; rules between
// files.
#include <algorithm>

#include "core/compare/model_diff.hpp"
#include "core/view/tensor_format.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/safetensors_builder.hpp"
#include "tests/unit/formats/gguf_builder.hpp"

namespace impound::test {
namespace {

using namespace std::string_literals;

ModelView view_of(const MemoryTree& tree) {
  SilentProgress progress;
  const Cancellation cancellation;
  return view_tree(tree, {}, progress, cancellation);
}

/// Six floats, 0 to 5 as their bits, in a byte order.
std::string floats(bool is_big) {
  ByteWriter out(is_big);
  for (unsigned i = 0; i < 6; ++i) out.u32(0x3f800000U + i);
  return out.bytes();
}

std::string torch_of(const std::string& byte_order, const std::string& bytes) {
  const std::string object = PickleWriter(2)
                                 .raw("}")
                                 .text("w")
                                 .global("torch._utils", "_rebuild_tensor_v2")
                                 .raw("((")
                                 .text("storage")
                                 .global("torch", "FloatStorage")
                                 .text("0")
                                 .text("cpu")
                                 .raw("K\x06tQK\0K\x02K\x03\x86K\x03K\x01"s)
                                 .raw("\x86\x89")
                                 .global("collections", "OrderedDict")
                                 .raw(")RtRs")
                                 .stop();
  return make_zip({{.name = "a/data.pkl", .content = object},
                   {.name = "a/byteorder", .content = byte_order},
                   {.name = "a/data/0", .content = bytes}});
}

TEST_CASE("numbers have one digest in either byte order", "[compare]") {
  const Digest want = sha256(floats(false));
  for (const bool is_big : {false, true}) {
    INFO("big-endian: " << is_big);
    GgufBuilder gguf;
    gguf.big = is_big;
    gguf.string("general.architecture", "llama");
    gguf.tensors = {{"w", {3, 2}, 0, floats(is_big)}};
    const MemoryTree tree(
        {{"m.gguf", gguf.build()},
         {"m.pt", torch_of(is_big ? "big" : "little", floats(is_big))}});
    const ModelView view = view_of(tree);
    REQUIRE(view.tensors.size() == 2);
    for (const ViewTensor& tensor : view.tensors) {
      CHECK(tensor.shape == std::vector<std::uint64_t>{2, 3});
      CHECK(tensor.sha256 == want);
      CHECK(tensor.access.has_value() == is_big);
    }
  }
}

TEST_CASE("a format is recognised by what it holds", "[compare]") {
  GgufBuilder gguf;
  gguf.tensors = {{"w", {3, 2}, 0, floats(false)}};
  const MemoryTree tree({{"a.txt", gguf.build()},
                         {"b.json", torch_of("little", floats(false))},
                         {"c.gguf", "nothing of the kind"}});
  const ModelView view = view_of(tree);
  CHECK(view.tensors.size() == 2);
}

TEST_CASE("an ONNX model that is cut is said to be, and no other is",
          "[compare][hostile]") {
  ProtoWriter graph;
  graph.text(2, "main").message(5, onnx_tensor("w", 4, std::string(16, 'w')));
  const std::string whole = onnx_model(graph);
  const auto is_incomplete = [](const std::string& bytes) {
    const ModelView view = view_of(MemoryTree({{"m.onnx", bytes}}));
    return std::ranges::any_of(view.problems, [](const ViewProblem& each) {
      return each.problem.rule == "onnx-incomplete";
    });
  };
  CHECK_FALSE(is_incomplete(whole));
  CHECK(is_incomplete(whole.substr(0, whole.size() - 3)));
}

TEST_CASE("big-endian blocks are named, not decoded", "[compare][hostile]") {
  GgufBuilder gguf;
  gguf.big = true;
  gguf.string("general.architecture", "llama");
  gguf.tensors = honest_gguf().tensors;
  const MemoryTree tree(MemoryTree::Files{{"m.gguf", gguf.build()}});
  const ModelView view = view_of(tree);
  CHECK(view.tensors.size() == 2);
  REQUIRE(view.problems.size() == 1);
  CHECK(view.problems[0].problem.message.find("blk.0.ffn_down.weight") !=
        std::string::npos);
}

TEST_CASE("a model in two formats in one folder is one remark", "[compare]") {
  const auto both = [](const std::string& a, const std::string& b) {
    const std::string one = SafetensorsBuilder()
                                .tensor("a", Dtype::u8, {1}, "a")
                                .tensor("b", Dtype::u8, {1}, "b")
                                .build();
    const std::string two = SafetensorsBuilder()
                                .tensor("a", Dtype::u8, {1}, a)
                                .tensor("b", Dtype::u8, {1}, b)
                                .build();
    const MemoryTree tree({{"1.safetensors", one}, {"2.safetensors", two}});
    return view_of(tree).problems;
  };
  const auto same = both("a", "b");
  REQUIRE(same.size() == 1);
  CHECK(same[0].problem.severity == Severity::low);
  CHECK(same[0].problem.message ==
        "a and 1 more also stand in 1.safetensors, with the same numbers: "
        "loaders disagree on which one counts");
  const auto other = both("a", "!");
  REQUIRE(other.size() == 1);
  CHECK(other[0].problem.severity == Severity::medium);
  CHECK(other[0].problem.message.starts_with("b and 1 more also stand in"));
}

TEST_CASE("packed files say that nobody looked inside", "[compare]") {
  // 200 times "x", as zlib packs it.
  const std::string zlib =
      "\x78"
      "\x9c"
      "\xab"
      "\xa8"
      "\x18"
      "\x1e"
      "\x00"
      "\x00"
      "\xd0"
      "\xc4"
      "\x5d"
      "\xc1"s;
  for (const std::string& packed : {"\x1f\x8b\x08"s + std::string(100, 'x'),
                                    "BZh9"s + std::string(100, 'x'), zlib}) {
    const MemoryTree tree(MemoryTree::Files{{"x", packed}});
    const ModelView view = view_of(tree);
    REQUIRE(view.problems.size() == 1);
    CHECK(view.problems[0].problem.rule == "tensor-not-viewed");
    CHECK(view.files[0].not_viewed == view.problems[0].problem.message);
  }
  // Two bytes are not much: what does not unpack is no stream, for scan too.
  for (const std::string& text :
       {"x is no stream"s, "\x78\x9c"s + std::string(100, 'x')}) {
    const MemoryTree tree(MemoryTree::Files{{"x", text}});
    const ModelView view = view_of(tree);
    CHECK(view.problems.empty());
    CHECK_FALSE(view.files[0].not_viewed.empty());
  }
}

TEST_CASE("what cannot be viewed is listed to an end", "[compare][hostile]") {
  FoundTensors found;
  for (int i = 0; i < 5000; ++i) found.unviewed({}, "no reason");
  CHECK(found.problems.size() == 1001);
  CHECK(found.problems.back().message.starts_with("and more"));
}

TEST_CASE("GGUF keys of any type are texts of the view", "[compare]") {
  GgufBuilder gguf = honest_gguf();
  const MemoryTree tree(MemoryTree::Files{{"m.gguf", gguf.build()}});
  const ModelView view = view_of(tree);
  const auto value = [&](std::string_view key) {
    const ViewMetadata* const text = view.find_metadata(key);
    return text == nullptr ? "none"s : text->type + " " + text->value;
  };
  CHECK(value("general.name") == "string tiny");
  CHECK(value("llama.block_count") == "u32 1");
  CHECK(value("tokenizer.ggml.tokens")
            .starts_with("array of string {\"count\":4,\"sha256\":"));
  CHECK(value("nothing") == "none");
}

}  // namespace
}  // namespace impound::test
