// SPDX-License-Identifier: Apache-2.0
// Model files that lie: what cannot be viewed is said, what is viewed lies
// inside the file, and nothing grows with what a file claims.
#include <zlib.h>

#include "core/compare/delta/open_tensors.hpp"
#include "core/view/model_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/unit/formats/gguf_builder.hpp"

namespace impound::test {
namespace {

using namespace std::string_literals;

struct Viewed {
  MemoryTree tree;
  ModelView view;

  explicit Viewed(MemoryTree::Files files) : tree(std::move(files)) {
    SilentProgress progress;
    const Cancellation cancellation;
    view = view_tree(tree, {}, progress, cancellation);
  }
  /// The message about a tensor, "" if there is none.
  [[nodiscard]] std::string said(std::string_view about) const {
    for (const ViewProblem& each : view.problems) {
      if (each.problem.message.find(about) != std::string::npos) {
        return each.problem.message;
      }
    }
    return {};
  }
  [[nodiscard]] Bytes bytes_of(const ViewTensor& tensor) const {
    OpenTensors files(view);
    const OpenTensor opened = files.open(tensor, std::nullopt);
    return opened.bytes.source->head(opened.bytes.offset, opened.bytes.size);
  }
};

/// LONG1: eight bytes with a sign, nine for what needs them.
std::string integer(std::uint64_t value) {
  const bool is_large = value >> 63U != 0;
  return (is_large ? "\x8a\x09"s : "\x8a\x08"s) + little(value, 8) +
         (is_large ? std::string(1, '\0') : "");
}

std::string tuple(const std::vector<std::uint64_t>& values) {
  std::string out = "(";
  for (const std::uint64_t value : values) out += integer(value);
  return out + "t";
}

/// {"w": _rebuild_tensor_v2(storage 0 of F32, first, shape, strides, …)}.
std::string torch_file(std::uint64_t first,
                       const std::vector<std::uint64_t>& shape,
                       const std::vector<std::uint64_t>& strides,
                       const std::string& storage) {
  const std::string object =
      PickleWriter(2)
          .raw("}")
          .text("w")
          .global("torch._utils", "_rebuild_tensor_v2")
          .raw("((")
          .text("storage")
          .global("torch", "FloatStorage")
          .text("0")
          .text("cpu")
          .raw(integer(storage.size() / 4) + "tQ")
          .raw(integer(first) + tuple(shape) + tuple(strides) + "\x89")
          .global("collections", "OrderedDict")
          .raw(")RtRs")
          .stop();
  return make_zip({{.name = "archive/data.pkl", .content = object},
                   {.name = "archive/byteorder", .content = "little"},
                   {.name = "archive/data/0", .content = storage},
                   {.name = "archive/version", .content = "3\n"}});
}

TEST_CASE("a torch tensor that leaves its storage is not viewed",
          "[compare][hostile]") {
  const std::string storage(64, 'w');
  const auto refused = [&](std::uint64_t first,
                           const std::vector<std::uint64_t>& shape,
                           const std::vector<std::uint64_t>& strides) {
    const Viewed viewed({{"m.pt", torch_file(first, shape, strides, storage)}});
    INFO(first);
    CHECK(viewed.view.tensors.empty());
    CHECK(viewed.said("is there but not compared").starts_with("w "));
  };
  refused(0, {17}, {1});
  refused(13, {4}, {1});
  refused(0, {4}, {6});
  refused(UINT64_MAX / 4, {1}, {1});
  refused(0, {2, 2}, {UINT64_MAX / 4, 1});
  refused(0, {UINT64_MAX / 2, 3}, {0, 0});
  refused(0, {4}, {1, 1});
  // A stride of 0 makes much out of little: not without end.
  refused(0, {1U << 30U, 1U << 20U}, {0, 0});

  const Viewed sound({{"m.pt", torch_file(2, {2, 3}, {1, 4}, storage)}});
  REQUIRE(sound.view.tensors.size() == 1);
  CHECK(sound.view.tensors[0].sha256 == sha256(std::string(24, 'w')));
}

TEST_CASE("the bytes of a view with strides are those of its elements",
          "[compare]") {
  std::string storage;
  for (int i = 0; i < 12; ++i) storage += little(static_cast<unsigned>(i), 4);
  const Viewed viewed({{"m.pt", torch_file(0, {3, 4}, {1, 3}, storage)}});
  REQUIRE(viewed.view.tensors.size() == 1);
  std::string want;
  for (const unsigned i : {0U, 3U, 6U, 9U, 1U, 4U, 7U, 10U, 2U, 5U, 8U, 11U}) {
    want += little(i, 4);
  }
  const Bytes found = viewed.bytes_of(viewed.view.tensors[0]);
  CHECK(as_text(found) == want);
  CHECK(viewed.view.tensors[0].sha256 == sha256(want));
}

std::string deflated(const std::string& content) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) ==
          Z_OK);
  std::string out(deflateBound(&stream, content.size()), '\0');
  std::string in = content;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string npy(const std::string& shape, const std::string& body) {
  std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize((header.size() + 10 + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  return "\x93NUMPY\x01"s + '\0' + little(header.size(), 2) + header + body;
}

/// A zip with one packed member that announces `size` bytes.
std::string packed_zip(const std::string& name, const std::string& packed,
                       std::uint64_t size) {
  const auto header = [&](bool is_central) {
    std::string out =
        is_central ? "PK\x01\x02"s + little(20, 2) : "PK\x03\x04"s;
    out += little(20, 2) + little(0, 2) + little(8, 2) + little(0, 4) +
           little(0, 4) + little(packed.size(), 4) + little(size, 4) +
           little(name.size(), 2) + little(0, 2);
    if (is_central) out += std::string(14, '\0');
    return out + name;
  };
  const std::string local = header(false) + packed;
  std::string central = header(true);
  // Comment 0, disk 0, attributes 0, offset 0: within the 14 zeros.
  return local + central + "PK\x05\x06"s + little(0, 4) + little(1, 2) +
         little(1, 2) + little(central.size(), 4) + little(local.size(), 4) +
         little(0, 2);
}

TEST_CASE("a packed array is read as it is unpacked", "[compare]") {
  const std::string body(4000, 'x');
  const std::string array = npy("(10, 100)", body);
  const Viewed viewed(
      {{"w.npz", packed_zip("w.npy", deflated(array), array.size())}});
  REQUIRE(viewed.view.tensors.size() == 1);
  CHECK(viewed.view.tensors[0].name == "w");
  CHECK(viewed.view.tensors[0].sha256 == sha256(body));
}

TEST_CASE("a packed array that lies about its size is not viewed",
          "[compare][hostile]") {
  // 64 MiB of zeros are packed into 64 KiB; the header announces 4 TB.
  const std::string array = npy("(1048576, 1048576)", std::string(1 << 16, 0));
  const Viewed huge(
      {{"w.npz", packed_zip("w.npy", deflated(array), 0xFFFFFF00U)}});
  CHECK(huge.view.tensors.empty());
  CHECK_FALSE(huge.said("not compared").empty());

  // It unpacks to less than both say.
  const std::string shorter = npy("(16384,)", std::string(1000, 'x'));
  const Viewed cut({{"w.npz", packed_zip("w.npy", deflated(shorter),
                                         shorter.size() + 64536)}});
  CHECK(cut.view.tensors.empty());
  CHECK(cut.said("not compared").starts_with("w F32 [16384]"));
}

TEST_CASE("counts of a GGUF header are not believed", "[compare][hostile]") {
  GgufBuilder gguf = honest_gguf();
  std::string bytes = gguf.build();
  for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = i < 7 ? '\xff' : '\x7f';
  const Viewed viewed({{"m.gguf", bytes}});
  CHECK_FALSE(viewed.said("not read to the end").empty());

  gguf.tensors[0].shift = 1LL << 40;
  const Viewed moved({{"m.gguf", gguf.build()}});
  CHECK(moved.said("not compared").starts_with("token_embd.weight"));
  CHECK(moved.view.tensors.size() == 2);
}

std::string model_with(const ProtoWriter& tensor) {
  return ProtoWriter()
      .number(1, 8)
      .message(7, ProtoWriter().message(5, tensor))
      .bytes();
}

TEST_CASE("external data does not leave the model's folder",
          "[compare][hostile]") {
  const std::string data(64, 'd');
  for (const char* location :
       {"../secret", "/etc/passwd", "a/../../secret", "missing", "C:\\x"}) {
    INFO(location);
    const Viewed viewed(
        {{"model/m.onnx", model_with(onnx_external("w", 16, location))},
         {"secret", data}});
    CHECK(viewed.view.tensors.empty());
    CHECK(viewed.said("not compared").starts_with("w F32 [16]"));
  }
  const Viewed inside(
      {{"model/m.onnx", model_with(onnx_external("w", 16, "./sub/d.bin"))},
       {"model/sub/d.bin", data}});
  REQUIRE(inside.view.tensors.size() == 1);
  CHECK(inside.view.tensors[0].sha256 == sha256(data));
  const Viewed longer(
      {{"model/m.onnx", model_with(onnx_external("w", 32, "sub/d.bin"))},
       {"model/sub/d.bin", data}});
  CHECK(longer.view.tensors.empty());
}

TEST_CASE("varints that do not end are not viewed", "[compare][hostile]") {
  const auto tensor = [](const std::string& numbers) {
    return model_with(
        ProtoWriter().number(1, 2).number(2, 6).text(8, "n").text(5, numbers));
  };
  const Viewed sound({{"m.onnx", tensor("\x05\xff\xff\xff\xff\x0f"s)}});
  REQUIRE(sound.view.tensors.size() == 1);
  CHECK(sound.view.tensors[0].sha256 ==
        sha256(little(5, 4) + "\xff\xff\xff\xff"));
  for (const std::string& numbers :
       {"\x05"s, "\x05\xff"s, "\x05"s + std::string(11, '\xff')}) {
    const Viewed broken({{"m.onnx", tensor(numbers)}});
    CHECK(broken.view.tensors.empty());
    CHECK(broken.said("not compared").starts_with("n I32 [2]"));
  }
}

TEST_CASE("one file under many names is not hashed without end",
          "[compare][hostile]") {
  // Each tensor is all of the storage, transposed: none can share a pass.
  constexpr std::uint64_t kSide = 512;
  const std::string storage(kSide * kSide * 4, 's');
  std::string object = "\x80\x02}("s;
  for (int i = 0; i < 400; ++i) {
    object += PickleWriter()
                  .text("w" + std::to_string(i))
                  .global("torch._utils", "_rebuild_tensor_v2")
                  .raw("((")
                  .text("storage")
                  .global("torch", "FloatStorage")
                  .text("0")
                  .text("cpu")
                  .raw(integer(kSide * kSide) + "tQ" + integer(0) +
                       tuple({kSide, kSide}) + tuple({1, kSide}) + "\x89")
                  .global("collections", "OrderedDict")
                  .raw(")RtR")
                  .unfinished();
  }
  const Viewed viewed(
      {{"m.pt", make_zip({{.name = "a/data.pkl", .content = object + "u."},
                          {.name = "a/data/0", .content = storage}})}});
  // 16 times the file and 256 MiB: 273 of these tensors.
  CHECK(viewed.view.tensors.size() < 300);
  CHECK(viewed.view.tensors.size() > 200);
  CHECK_FALSE(viewed.said("more bytes would be decoded").empty());
}

}  // namespace
}  // namespace impound::test
