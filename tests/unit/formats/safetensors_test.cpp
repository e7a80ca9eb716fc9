// SPDX-License-Identifier: Apache-2.0
#include "core/formats/safetensors/safetensors.hpp"

#include <algorithm>

#include "core/formats/safetensors/safetensors_index.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

Safetensors read(std::string_view file) {
  return read_safetensors(SpanSource(as_bytes(file)), "test.safetensors");
}

/// The rules that the file breaks, sorted, each once.
std::string rules(const Problems& problems) {
  std::vector<std::string> names;
  for (const Problem& problem : problems) names.push_back(problem.rule);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : " ") + name;
  }
  return text;
}

std::string rules_of(std::string_view header, std::string_view data) {
  return rules(read(raw_safetensors(header, data)).problems);
}

constexpr std::string_view kOne =
    R"({"a":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})";
const std::string kSixteen(16, '\0');

TEST_CASE("a sound safetensors file has tensors and no problems",
          "[formats][safetensors]") {
  const std::string file =
      SafetensorsBuilder()
          .metadata("format", "pt")
          .tensor("w", Dtype::bf16, {2, 3}, std::string(12, 'x'))
          .tensor("scalar", Dtype::f32, {}, "abcd")
          .tensor("empty", Dtype::f32, {0, 7}, "")
          .tensor("half-bytes", Dtype::f4, {4}, "zz")
          .build();
  const Safetensors parsed = read(file);
  CHECK(rules(parsed.problems).empty());
  CHECK(parsed.is_sound());
  REQUIRE(parsed.tensors.size() == 4);
  CHECK(parsed.metadata ==
        std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
  const TensorInfo& w = parsed.tensors[0];
  CHECK(w.name == "w");
  CHECK(w.dtype == Dtype::bf16);
  CHECK(w.shape == std::vector<std::uint64_t>{2, 3});
  CHECK(w.size == 12);
  CHECK(file.substr(w.offset, w.size) == std::string(12, 'x'));
  CHECK(w.offset == parsed.data_offset);
  const auto scalar =
      std::find_if(parsed.tensors.begin(), parsed.tensors.end(),
                   [](const TensorInfo& t) { return t.name == "scalar"; });
  REQUIRE(scalar != parsed.tensors.end());
  CHECK(scalar->shape.empty());
  CHECK(file.substr(scalar->offset, scalar->size) == "abcd");
}

TEST_CASE("every dtype of the format is known with its size",
          "[formats][safetensors]") {
  for (const auto& [name, bits] : std::vector<std::pair<std::string, unsigned>>{
           {"BOOL", 8},        {"F4", 4},          {"F6_E2M3", 6},
           {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
           {"F8_E5M2", 8},     {"F8_E4M3", 8},     {"F8_E8M0", 8},
           {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
           {"U16", 16},        {"F16", 16},        {"BF16", 16},
           {"I32", 32},        {"U32", 32},        {"F32", 32},
           {"C64", 64},        {"F64", 64},        {"I64", 64},
           {"U64", 64}}) {
    INFO(name);
    const std::size_t bytes = 8 * bits / 8;
    const std::string header = R"({"a":{"dtype":")" + name +
                               R"(","shape":[8],"data_offsets":[0,)" +
                               std::to_string(bytes) + "]}}";
    CHECK(rules_of(header, std::string(bytes, 'x')).empty());
  }
}

TEST_CASE("safetensors: files too short to be one",
          "[formats][safetensors][hostile]") {
  CHECK(rules(read("").problems) == "safetensors-header-too-small");
  CHECK(rules(read("1234567").problems) == "safetensors-header-too-small");
  CHECK(rules(read(std::string(8, '\0')).problems) ==
        "safetensors-header-json");
  CHECK(rules(read(std::string(8, '\xff')).problems) ==
        "safetensors-header-too-large");
  CHECK(rules(read(std::string("\x3c\0\0\0\0\0\0\0{", 9)).problems) ==
        "safetensors-header-length");
  CHECK_FALSE(read("").is_sound());
}

TEST_CASE("safetensors: the header limit holds before anything is read",
          "[formats][safetensors][hostile]") {
  // 100 000 001 = 0x05F5E101
  const std::string file("\x01\xe1\xf5\x05\0\0\0\0{}", 10);
  CHECK(rules(read(file).problems) == "safetensors-header-too-large");
}

TEST_CASE("safetensors: headers that are not a JSON object",
          "[formats][safetensors][hostile]") {
  CHECK(rules_of("{", "") == "safetensors-header-json");
  CHECK(rules_of("\xff", "") ==
        "safetensors-header-json safetensors-header-utf8");
  CHECK(rules_of("[]", "") == "safetensors-header-json");
  CHECK(rules_of("7", "") == "safetensors-header-json");
  CHECK(rules_of("{}x", "") == "safetensors-header-json");
  CHECK(rules_of(std::string("{}\0 hidden", 10), "") ==
        "safetensors-header-json");
  CHECK(rules_of("{}", "").empty());
  CHECK(rules_of("{}", "payload") == "safetensors-trailing-bytes");
  CHECK(rules_of(R"({"a":7})", "") == "safetensors-entry");
  CHECK(rules_of(R"({"a":{}})", "") == "safetensors-entry");
  CHECK_FALSE(read(raw_safetensors(std::string(50'000, '['), "")).is_sound());
  CHECK_FALSE(read(raw_safetensors(R"({"a":)" + std::string(50'000, '['), ""))
                  .is_sound());
}

TEST_CASE("safetensors: white space before the header is odd, not fatal",
          "[formats][safetensors]") {
  const std::string header = "  " + std::string(kOne) + "   ";
  const Safetensors parsed = read(raw_safetensors(header, kSixteen));
  CHECK(rules(parsed.problems) == "safetensors-leading-space");
  CHECK(parsed.is_sound());
  CHECK(rules_of(std::string(kOne) + "\n", kSixteen) ==
        "safetensors-header-padding");
  CHECK(rules_of(std::string(kOne) + std::string(5000, ' '), kSixteen) ==
        "safetensors-header-padding");
}

TEST_CASE("safetensors: every byte belongs to exactly one tensor",
          "[formats][safetensors][hostile]") {
  CHECK(rules_of(kOne, kSixteen).empty());
  CHECK(rules_of(kOne, kSixteen + "PK") == "safetensors-trailing-bytes");
  CHECK(rules_of(kOne, kSixteen.substr(2)) ==
        "safetensors-incomplete safetensors-outside");
  CHECK(rules_of(R"({"a":{"dtype":"I32","shape":[2,2],"data_offsets":[4,20]}})",
                 std::string(20, '\0')) == "safetensors-hole");
  CHECK(rules_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                 R"("b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}})",
                 std::string(12, '\0')) == "safetensors-hole");
  CHECK(rules_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                 R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                 std::string(6, '\0')) == "safetensors-overlap");
  CHECK(rules_of(R"({"a":{"dtype":"I32","shape":[2,2],"data_offsets":[16,0]}})",
                 kSixteen) ==
        "safetensors-offsets-reversed safetensors-trailing-bytes");
}

TEST_CASE("safetensors: ten tensors that share one range",
          "[formats][safetensors][hostile]") {
  std::string header = "{";
  for (int i = 0; i < 10; ++i) {
    header += (i > 0 ? "," : "") + std::string("\"t") + std::to_string(i) +
              R"(":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]})";
  }
  const Safetensors parsed = read(raw_safetensors(header + "}", kSixteen));
  CHECK(rules(parsed.problems) == "safetensors-overlap");
  CHECK(parsed.problems.size() == 9);
  CHECK(parsed.tensors.size() == 10);
}

TEST_CASE("safetensors: offsets at the edge of 64 bits do not wrap",
          "[formats][safetensors][hostile]") {
  const Safetensors parsed = read(raw_safetensors(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551615,18446744073709551615]},)"
      R"("b":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551615]}})",
      "x"));
  CHECK(parsed.tensors.empty());
  CHECK_FALSE(parsed.is_sound());
}

TEST_CASE("safetensors: shapes that overflow",
          "[formats][safetensors][hostile]") {
  const auto with_shape = [](const std::string& shape) {
    return rules_of(R"({"a":{"dtype":"I32","shape":)" + shape +
                        R"(,"data_offsets":[0,16]}})",
                    kSixteen);
  };
  CHECK(with_shape("[2,18446744073709551614]") == "safetensors-shape-overflow");
  CHECK(with_shape("[9223372036854775807,2]") == "safetensors-shape-overflow");
  CHECK(with_shape("[9223372036854775807]") == "safetensors-shape-overflow");
  CHECK(with_shape("[18446744073709551616]") ==
        "safetensors-number safetensors-size");
  CHECK(with_shape("[-2,-2]") == "safetensors-number safetensors-size");
  CHECK(with_shape("[2.0,2]") == "safetensors-number safetensors-size");
  CHECK(with_shape("[2,3]") == "safetensors-size");
  CHECK(with_shape("[[2],2]") == "safetensors-entry safetensors-size");
  CHECK(with_shape("\"2x2\"") == "safetensors-entry safetensors-size");
  std::string many = "[1";
  for (int i = 0; i < 200; ++i) many += ",1";
  CHECK(with_shape(many + "]") == "safetensors-entry safetensors-size");
  CHECK(rules_of(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})",
                 "xx") == "safetensors-misaligned");
}

TEST_CASE("safetensors: entries of the wrong form",
          "[formats][safetensors][hostile]") {
  const auto entry = [](const std::string& fields) {
    return rules_of(R"({"a":{)" + fields + "}}", kSixteen);
  };
  CHECK(entry(R"("dtype":"I32","shape":[2,2])") ==
        "safetensors-entry safetensors-trailing-bytes");
  CHECK(entry(R"("dtype":"I32","shape":[2,2],"data_offsets":[0])") ==
        "safetensors-entry safetensors-trailing-bytes");
  CHECK(entry(R"("dtype":"I32","shape":[2,2],"data_offsets":[0,8,16])") ==
        "safetensors-entry safetensors-trailing-bytes");
  CHECK(entry(R"("dtype":"Q4_K","shape":[2,2],"data_offsets":[0,16])") ==
        "safetensors-dtype");
  CHECK(entry(R"("dtype":"i32","shape":[2,2],"data_offsets":[0,16])") ==
        "safetensors-dtype");
  CHECK(entry(R"("dtype":7,"shape":[2,2],"data_offsets":[0,16])") ==
        "safetensors-dtype safetensors-entry");
  CHECK(
      entry(
          R"("dtype":"I32","shape":[2,2],"data_offsets":[0,16],"code":"x")") ==
      "safetensors-unknown-key");
  CHECK(
      entry(
          R"("dtype":"I32","shape":[2,2],"data_offsets":[0,16],"x":{"y":[{}]})") ==
      "safetensors-unknown-key");
}

TEST_CASE("safetensors: duplicate keys are seen although parsers take the last",
          "[formats][safetensors][hostile]") {
  CHECK(rules_of(R"({"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]},)"
                 R"("a":{"dtype":"I32","shape":[4],"data_offsets":[0,16]}})",
                 kSixteen) == "safetensors-duplicate-key safetensors-overlap");
  CHECK(
      rules_of(
          R"({"a":{"dtype":"U8","dtype":"I32","shape":[4],"data_offsets":[0,16]}})",
          kSixteen) == "safetensors-duplicate-key");
  CHECK(rules_of(R"({"__metadata__":{"a":"1","a":"2"}})", "") ==
        "safetensors-duplicate-key");
  CHECK(rules_of(R"({"__metadata__":{},"__metadata__":{}})", "") ==
        "safetensors-duplicate-key");
}

TEST_CASE("safetensors: metadata is text to text",
          "[formats][safetensors][hostile]") {
  CHECK(rules_of(R"({"__metadata__":{"a":1}})", "") == "safetensors-metadata");
  CHECK(rules_of(R"({"__metadata__":{"a":{"b":"c"}}})", "") ==
        "safetensors-metadata");
  CHECK(rules_of(R"({"__metadata__":null})", "") == "safetensors-entry");
  const Safetensors parsed =
      read(raw_safetensors(R"({"__metadata__":{"a":["x"],"b":"kept"}})", ""));
  CHECK(parsed.metadata.size() == 1);
}

TEST_CASE("safetensors: a million broken entries give a bounded list",
          "[formats][safetensors][hostile]") {
  std::string header = "{\"x\":0";
  for (int i = 0; i < 100'000; ++i) header += ",\"x\":0";
  const Safetensors parsed = read(raw_safetensors(header + "}", ""));
  CHECK(parsed.problems.size() == 1001);
  CHECK(parsed.problems.back().rule == "more-problems");
}

TEST_CASE("safetensors is recognised by content", "[formats][safetensors]") {
  const auto recognised = [](std::string_view file) {
    return looks_like_safetensors(
        as_bytes(file.substr(0, std::min<std::size_t>(64, file.size()))),
        file.size());
  };
  CHECK(recognised(raw_safetensors(kOne, kSixteen)));
  CHECK(recognised(raw_safetensors("  {}", "")));
  CHECK_FALSE(recognised(raw_safetensors("[1,2,3]", "")));
  CHECK_FALSE(recognised("PK\x03\x04 something that is long enough to read"));
  CHECK_FALSE(recognised(""));
}

TEST_CASE("shard index: shards that agree have no problems",
          "[formats][safetensors]") {
  const Safetensors one =
      read(SafetensorsBuilder().tensor("a", Dtype::u8, {4}, "aaaa").build());
  const Safetensors two =
      read(SafetensorsBuilder().tensor("b", Dtype::u8, {2}, "bb").build());
  const ShardIndex index = parse_shard_index(
      R"({"metadata":{"total_size":6},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})",
      "model.safetensors.index.json");
  CHECK(index.problems.empty());
  CHECK(index.total_size == 6U);
  CHECK(check_shards(index, {{"1.safetensors", &one}, {"2.safetensors", &two}})
            .empty());
  CHECK(rules(check_shards(index, {{"1.safetensors", &one}})) ==
        "index-missing-shard index-total-size");
  CHECK(rules(check_shards(index, {{"1.safetensors", &one},
                                   {"2.safetensors", &two},
                                   {"3.safetensors", &two}})) ==
        "index-stray-shard");
  CHECK(rules(check_shards(
            index, {{"1.safetensors", &two}, {"2.safetensors", &two}})) ==
        "index-missing-tensor index-stray-tensor index-total-size");
}

TEST_CASE("shard index: hostile ones", "[formats][safetensors][hostile]") {
  const auto of = [](std::string_view text) {
    return rules(parse_shard_index(text, "index").problems);
  };
  CHECK(of(R"({"weight_map":{"a":"../x.safetensors"}})") == "index-path");
  CHECK(of(R"({"weight_map":{"a":"/etc/passwd"}})") == "index-path");
  CHECK(of(R"({"weight_map":{"a":".."}})") == "index-path");
  CHECK(of(R"({"weight_map":{"a":"x","a":"y"}})") == "index-duplicate-key");
  CHECK(of(R"({"weight_map":{"a":7}})") == "index-entry");
  CHECK(of(R"({"weight_map":[]})") == "index-entry");
  CHECK(of(R"({})") == "index-entry");
  CHECK(of(R"([1])") == "index-entry index-json");
  CHECK(of(R"({"weight_map":{"a")") == "index-json");
}

}  // namespace
}  // namespace impound::test
