// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "sentencepiece".

#include <filesystem>
#include <fstream>

#include "tests/support/charsmap_writer.hpp"
#include "tests/support/protobuf_writer.hpp"

using namespace impound::test;

void write_sentencepiece_seeds(const std::filesystem::path& folder) {
  const auto piece = [](const char* text, std::uint64_t type) {
    return ProtoWriter()
        .text(1, text)
        .raw("\x15\x01\x02\x03\x04")
        .number(3, type);
  };
  ProtoWriter model;
  model.message(1, piece("<unk>", 2)).message(1, piece("a", 1));
  model.message(1, piece("a\xff", 1)).message(1, piece("<s>", 3));
  model.message(3, ProtoWriter()
                       .text(1, "nmt_nfkc")
                       .text(2, "table")
                       .number(3, 1)
                       .number(4, 0)
                       .text(6, "a\tb"));
  std::ofstream(folder / "model", std::ios::binary) << model.bytes();
  std::ofstream(folder / "table", std::ios::binary)
      << charsmap({{"a", "b"}, {"ab", ""}, {"5", "6"}});
  // The same twice: a half is a whole one too.
  std::ofstream(folder / "twice", std::ios::binary)
      << model.bytes() + model.bytes();
}
