// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "png_texts".

#include <filesystem>
#include <fstream>

#include "tests/support/png_writer.hpp"

using namespace impound::test;
using namespace std::string_literals;

void write_png_texts_seeds(const std::filesystem::path& folder) {
  std::ofstream(folder / "texts", std::ios::binary)
      << png_of({{"tEXt", "prompt\0{}"s},
                 {"zTXt", "workflow\0\0x"s},
                 {"iTXt", "a\0\1\0en\0b\0x"s}});
}
