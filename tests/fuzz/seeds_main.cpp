// SPDX-License-Identifier: Apache-2.0
/// Writes the made seeds of one fuzz target: what stands in <name>_corpus.cpp.
///
///   fuzz_seeds NAME FOLDER

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string_view>

#define IMPOUND_FUZZ_NAME(name) \
  void write_##name##_seeds(const std::filesystem::path& folder);
#include "fuzz_seed_writers.inc"
#undef IMPOUND_FUZZ_NAME

namespace {

struct Writer {
  std::string_view name;
  void (*write)(const std::filesystem::path& folder);
};

constexpr Writer kWriters[] = {
#define IMPOUND_FUZZ_NAME(name) {#name, write_##name##_seeds},
#include "fuzz_seed_writers.inc"
#undef IMPOUND_FUZZ_NAME
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: fuzz_seeds NAME FOLDER\n", stderr);
    return 2;
  }
  for (const Writer& writer : kWriters) {
    if (writer.name != argv[1]) continue;
    try {
      std::filesystem::create_directories(argv[2]);
      writer.write(argv[2]);
      return 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 1;
    }
  }
  std::fprintf(stderr, "no %s_corpus.cpp was built in\n", argv[1]);
  return 2;
}
