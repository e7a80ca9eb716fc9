// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// gguf_corpus FOLDER: writes seeds for the GGUF fuzzer.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/formats/gguf_builder.hpp"

namespace {

void write(const std::filesystem::path& folder, const char* name,
           const std::string& content) {
  std::ofstream(folder / name, std::ios::binary) << content;
}

}  // namespace

void write_gguf_seeds(const std::filesystem::path& folder) {
  impound::test::GgufBuilder builder = impound::test::honest_gguf();
  write(folder, "honest", builder.build());
  builder.version = 2;
  write(folder, "version-2", builder.build());
  builder.tensors[0].ne = {1ULL << 62U, 1ULL << 62U};
  write(folder, "overflow", builder.build());
  builder = impound::test::honest_gguf();
  builder.trailing = "PK";
  builder.padding = 'x';
  write(folder, "padding", builder.build());
}
