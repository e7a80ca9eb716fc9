// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// safetensors_corpus FOLDER: writes seeds for the safetensors fuzzer.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/safetensors_builder.hpp"

namespace {

using impound::Dtype;
using impound::test::raw_safetensors;
using impound::test::SafetensorsBuilder;

void write(const std::filesystem::path& folder, const char* name,
           const std::string& content) {
  std::ofstream(folder / name, std::ios::binary) << content;
}

}  // namespace

void write_safetensors_seeds(const std::filesystem::path& folder) {
  write(folder, "honest",
        SafetensorsBuilder()
            .metadata("format", "pt")
            .tensor("a.weight", Dtype::bf16, {4, 2}, std::string(16, 'a'))
            .tensor("b.bias", Dtype::f32, {2}, std::string(8, 'b'))
            .tensor("scalar", Dtype::i64, {}, std::string(8, 'c'))
            .build());
  write(folder, "empty-tensor",
        SafetensorsBuilder().tensor("none", Dtype::f16, {0, 3}, "").build());
  write(
      folder, "overlap",
      raw_safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                      R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                      "123456"));
  write(
      folder, "overflow",
      raw_safetensors(R"({"a":{"dtype":"F32","shape":[18446744073709551614,2],)"
                      R"("data_offsets":[0,8]}})",
                      "12345678"));
  write(
      folder, "twice",
      raw_safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                      "1PK"));
  write(folder, "long-header", std::string(8, '\xff'));
}
