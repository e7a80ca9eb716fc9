// SPDX-License-Identifier: Apache-2.0
/// Packed files: what is inside is compared as bytes, not as tensors, and that
/// is said. `impound scan` looks inside.

#include <fmt/format.h>

#include <array>

#include "core/compare/view/tensor_format.hpp"
#include "core/formats/packed/tar_file.hpp"

namespace impound {
namespace {

using namespace std::string_view_literals;

struct Packing {
  std::string_view magic;
  std::string_view name;
};

constexpr std::array kPackings = {Packing{"\x1f\x8b"sv, "gzip"},
                                  Packing{"\x28\xb5\x2f\xfd"sv, "zstd"},
                                  Packing{"\xfd"
                                          "7zXZ\0"sv,
                                          "xz"},
                                  Packing{"BZh"sv, "bzip2"},
                                  Packing{"7z\xbc\xaf\x27\x1c"sv, "7z"},
                                  Packing{"Rar!\x1a\x07"sv, "rar"},
                                  Packing{"\x04\x22\x4d\x18"sv, "LZ4"}};

/// joblib's own compression: a zlib stream from the first byte on, with the
/// flags of the four levels (texts begin with "x " and more).
bool is_zlib(ByteView head) {
  if (head.size() < 2 || std::to_integer<unsigned>(head[0]) != 0x78) {
    return false;
  }
  const auto flags = std::to_integer<unsigned>(head[1]);
  return flags == 0x01 || flags == 0x5e || flags == 0x9c || flags == 0xda;
}

std::string_view packing_of(const WeightsFile& file) {
  for (const Packing& packing : kPackings) {
    if (as_text(file.head).starts_with(packing.magic)) return packing.name;
  }
  if (is_zlib(file.head)) return "zlib";
  return looks_like_tar(file.source.head(0, 512)) ? "tar" : "";
}

}  // namespace

bool recognise_packed(const WeightsFile& file) {
  return !packing_of(file).empty();
}

void view_packed(const WeightsFile& file, FoundTensors& found) {
  found.problems.push_back(
      {"tensor-not-viewed", Severity::low, 0,
       fmt::format("packed with {}: compared as one file; tensors in it, if "
                   "there are any, are not",
                   packing_of(file))});
}

}  // namespace impound
