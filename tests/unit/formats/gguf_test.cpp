// SPDX-License-Identifier: Apache-2.0
#include "core/formats/gguf/gguf.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/unit/formats/gguf_builder.hpp"

namespace impound {
namespace {

using test::ByteWriter;
using test::GgufBuilder;
using test::honest_gguf;

GgufFile read(const std::string& bytes) {
  return read_gguf(SpanSource(as_bytes(bytes)));
}

bool has(const GgufFile& file, std::string_view rule, Severity severity) {
  return std::ranges::any_of(file.problems, [&](const Problem& problem) {
    return problem.rule == rule && problem.severity == severity;
  });
}

TEST_CASE("a GGUF file is read as it was written") {
  const bool big = GENERATE(false, true);
  GgufBuilder builder;
  if (!big) {
    builder = honest_gguf();
  } else {
    builder.big = true;
    builder.string("general.architecture", "llama");
    builder.tensors.push_back(
        {"token_embd.weight", {4, 3}, 0, std::string(48, 'e'), 0});
  }
  const std::string bytes = builder.build();
  const GgufFile file = read(bytes);
  for (const Problem& problem : file.problems) UNSCOPED_INFO(problem.message);
  CHECK(file.complete);
  CHECK(file.version == 3);
  CHECK(file.text("general.architecture") == "llama");
  REQUIRE_FALSE(file.tensors.empty());
  const GgufTensor& tensor = file.tensors.front();
  CHECK(tensor.info.name == "token_embd.weight");
  CHECK(tensor.info.shape == std::vector<std::uint64_t>{3, 4});
  CHECK(tensor.info.dtype == Dtype::f32);
  CHECK(tensor.info.size == 48);
  CHECK(tensor.fits);
  CHECK(bytes.substr(tensor.info.offset, 48) == std::string(48, 'e'));
  if (big) {
    CHECK(file.problems.size() == 1);
    CHECK(has(file, "gguf-big-endian", Severity::low));
    return;
  }
  CHECK(file.problems.empty());
  REQUIRE(file.tensors.size() == 3);
  CHECK(file.tensors[2].info.dtype == Dtype::q8_0);
  CHECK(bytes.substr(file.tensors[2].info.offset, 136) ==
        std::string(136, 'q'));
  CHECK(file.data_end == bytes.size());
  CHECK(file.number("llama.block_count") == 1);
  const auto& tokens =
      std::get<GgufArray>(file.find("tokenizer.ggml.tokens")->value);
  CHECK(tokens.count == 4);
  CHECK(read_gguf_strings(SpanSource(as_bytes(bytes)), file, tokens, 1, 2) ==
        std::vector<std::string>{"</s>", "a"});
  CHECK(gguf_value_json(*file.find("tokenizer.ggml.scores")).dump() ==
        R"({"type":"f32","count":4,"first":[0.0,0.0,-1.0,-2.0]})");
  REQUIRE(gguf_templates(file).size() == 1);
  CHECK(gguf_templates(file)[0].key == "tokenizer.chat_template");
}

TEST_CASE("every value type is kept typed") {
  GgufBuilder builder;
  const auto add = [&](std::string_view key, ByteWriter& out) {
    builder.entries.emplace_back(key, out.bytes());
  };
  add("a", ByteWriter().u32(0).u8(200));
  add("b", ByteWriter().u32(1).u8(0xff));
  add("c", ByteWriter().u32(2).u16(60'000));
  add("d", ByteWriter().u32(3).u16(0xfffe));
  add("e", ByteWriter().u32(5).u32(0xfffffffdU));
  add("f", ByteWriter().u32(7).u8(1));
  add("g", ByteWriter().u32(10).u64(1ULL << 63U));
  add("h", ByteWriter().u32(11).u64(~0ULL));
  add("i", ByteWriter().u32(12).u64(std::bit_cast<std::uint64_t>(0.5)));
  const GgufFile file = read(builder.build());
  CHECK(file.problems.empty());
  Json all = Json::array();
  for (const GgufEntry& entry : file.entries) {
    all.push_back(gguf_value_json(entry));
  }
  CHECK(all.dump() == "[200,-1,60000,-2,-3,true,9223372036854775808,-1,0.5]");
}

TEST_CASE("each broken rule of GGUF is a problem of its own") {
  GgufBuilder builder = honest_gguf();
  SECTION("magic") {
    CHECK(has(read("GGUX"), "gguf-magic", Severity::high));
    CHECK(has(read(""), "gguf-magic", Severity::high));
  }
  SECTION("version") {
    builder.version = 1;
    CHECK(has(read(builder.build()), "gguf-version", Severity::high));
  }
  SECTION("counts") {
    std::string bytes = builder.build();
    bytes.replace(8, 8, std::string(8, '\x7f'));
    CHECK(has(read(bytes), "gguf-count", Severity::critical));
    bytes = builder.build();
    bytes.replace(16, 8, std::string(8, '\xff'));
    CHECK(has(read(bytes), "gguf-count", Severity::critical));
  }
  SECTION("duplicate key") {
    builder.string("general.name", "other");
    CHECK(has(read(builder.build()), "gguf-duplicate-key", Severity::high));
  }
  SECTION("keys with other characters") {
    builder.string("general\nname", "x");
    CHECK(has(read(builder.build()), "gguf-key", Severity::medium));
  }
  SECTION("string longer than the file") {
    builder.entries.emplace_back("x",
                                 ByteWriter().u32(8).u64(1ULL << 40U).bytes());
    CHECK(has(read(builder.build()), "gguf-string-length", Severity::critical));
  }
  SECTION("value type") {
    builder.entries.emplace_back("x", ByteWriter().u32(13).u64(0).bytes());
    CHECK(has(read(builder.build()), "gguf-value-type", Severity::high));
  }
  SECTION("array of arrays") {
    builder.entries.emplace_back("x",
                                 ByteWriter().u32(9).u32(9).u64(0).bytes());
    CHECK(has(read(builder.build()), "gguf-array-type", Severity::high));
  }
  SECTION("array length") {
    builder.entries.emplace_back(
        "x", ByteWriter().u32(9).u32(10).u64(1ULL << 61U).bytes());
    CHECK(has(read(builder.build()), "gguf-array-length", Severity::critical));
  }
  SECTION("truth value") {
    builder.entries.emplace_back("x", ByteWriter().u32(7).u8(2).bytes());
    CHECK(has(read(builder.build()), "gguf-bool", Severity::medium));
  }
  SECTION("alignment") {
    builder.u32("general.alignment", 24);
    CHECK(has(read(builder.build()), "gguf-alignment", Severity::high));
  }
  SECTION("other alignment is honoured") {
    builder.u32("general.alignment", 64);
    builder.alignment = 64;
    CHECK(read(builder.build()).problems.empty());
  }
  SECTION("dimensions") {
    builder.tensors.push_back({"x", {1, 1, 1, 1, 1}, 0, "abcd", 0});
    CHECK(has(read(builder.build()), "gguf-dimensions", Severity::critical));
  }
  SECTION("shape overflow") {
    builder.tensors.push_back({"x", {1ULL << 33U, 1ULL << 33U}, 0, "abcd", 0});
    CHECK(has(read(builder.build()), "gguf-shape", Severity::critical));
    builder.tensors.back().ne = {~0ULL};
    CHECK(has(read(builder.build()), "gguf-shape", Severity::critical));
  }
  SECTION("block size") {
    builder.tensors.push_back({"x", {33}, 8, std::string(68, 'x'), 0});
    CHECK(has(read(builder.build()), "gguf-shape", Severity::high));
  }
  SECTION("removed and unknown tensor types") {
    const std::uint32_t type = GENERATE(4U, 5U, 31U, 36U, 999U);
    builder.tensors.push_back({"x", {32}, type, std::string(32, 'x'), 0});
    CHECK(has(read(builder.build()), "gguf-tensor-type", Severity::high));
  }
  SECTION("duplicate tensor") {
    builder.tensors.push_back(builder.tensors.front());
    CHECK(has(read(builder.build()), "gguf-duplicate-tensor", Severity::high));
  }
  SECTION("long name") {
    builder.tensors.front().name = std::string(64, 'n');
    CHECK(has(read(builder.build()), "gguf-tensor-name", Severity::medium));
  }
  SECTION("overlapping tensors and gaps") {
    builder.tensors[1].shift = GENERATE(-32, 32);
    CHECK(has(read(builder.build()), "gguf-tensor-offset", Severity::high));
  }
  SECTION("tensor beyond the file") {
    builder.tensors[0].ne = {4, 3'000'000};
    const GgufFile file = read(builder.build());
    CHECK(has(file, "gguf-tensor-outside", Severity::critical));
    CHECK_FALSE(file.tensors[0].fits);
    builder.tensors[0].ne = {4, 3};
    builder.tensors[0].shift = -1;  // 2^64 - 1
    CHECK(has(read(builder.build()), "gguf-tensor-offset", Severity::critical));
  }
  SECTION("padding and trailing bytes") {
    builder.padding = 'P';
    CHECK(has(read(builder.build()), "gguf-padding", Severity::medium));
    builder.padding = '\0';
    builder.trailing = "MZ payload";
    CHECK(has(read(builder.build()), "gguf-trailing-bytes", Severity::high));
  }
  SECTION("vocabulary") {
    builder.strings("tokenizer.ggml.token_type", {"1"});
    CHECK(has(read(builder.build()), "gguf-vocabulary", Severity::high));
    builder.u32("tokenizer.ggml.bos_token_id", 17);
    CHECK(has(read(builder.build()), "gguf-vocabulary", Severity::medium));
  }
}

TEST_CASE("a file cut anywhere is a finding, never a crash") {
  const std::string bytes = honest_gguf().build();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const GgufFile file = read(bytes.substr(0, length));
    // Only the zeros after the last tensor may be missing.
    if (length < bytes.size() - 24) {
      INFO(length);
      CHECK_FALSE(file.problems.empty());
    }
  }
}

TEST_CASE("a tensor fits only where the data has a place") {
  // The second tensor's entry is cut off: nobody knows where the data begins.
  GgufBuilder builder = honest_gguf();
  const std::string whole = builder.build();
  const GgufFile cut = read(whole.substr(0, whole.find("output_norm") + 4));
  REQUIRE(cut.tensors.size() == 1);
  CHECK_FALSE(cut.complete);
  CHECK_FALSE(cut.tensors[0].fits);
}

}  // namespace
}  // namespace impound
