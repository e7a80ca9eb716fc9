// SPDX-License-Identifier: Apache-2.0
/// What is packed and is no archive that we walk: gzip, zlib, and the others by
/// their first bytes.

#include <array>

#include "core/formats/packed/zip_inflate.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

struct Magic {
  std::string_view bytes;
  std::string_view format;
};

constexpr std::array kPacked{
    Magic{"7z\xbc\xaf\x27\x1c", "7z"},
    Magic{std::string_view("\xfd"
                           "7zXZ\x00",
                           6),
          "xz"},
    Magic{"BZh", "bzip2"},
    Magic{"\x28\xb5\x2f\xfd", "zstd"},
    Magic{"\x04\x22\x4d\x18", "lz4"},
    Magic{"Rar!\x1a\x07", "rar"},
    Magic{std::string_view("\x5d\x00\x00", 3), "lzma"},
    Magic{"MSCF", "cab"},
    Magic{"070701", "cpio"},
    Magic{"070702", "cpio"},
    Magic{"070707", "cpio"},
    Magic{"xar!", "xar"},
    Magic{"!<arch>\n", "ar"},
};

}  // namespace

std::string_view why_gzip(const FormatSubject& subject) {
  return as_text(subject.head).starts_with("\x1f\x8b\x08") ? "begins as gzip"
                                                           : "";
}

std::string_view why_zlib(const FormatSubject& subject) {
  if (subject.head.size() < 8) return {};
  const int first = std::to_integer<int>(subject.head[0]);
  const int second = std::to_integer<int>(subject.head[1]);
  if (first != 0x78 || (first * 256 + second) % 31 != 0 ||
      (second & 0x20) != 0) {
    return {};
  }
  // Two bytes are not much: the beginning must unpack to something.
  const InflateSource trial(subject.source, 0, subject.source.size(),
                            DeflateWrapping::zlib, 4096);
  return trial.size() > 0 &&
                 (trial.outcome().has_ended || trial.outcome().is_over_limit ||
                  trial.size() >= 64)
             ? "begins as zlib, and unpacks"
             : "";
}

std::string_view why_packed(const FormatSubject& subject) {
  return packed_name(subject.head).empty()
             ? ""
             : "begins as an archive or a packed file";
}

std::string_view packed_name(ByteView head) noexcept {
  for (const Magic& magic : kPacked) {
    if (as_text(head).starts_with(magic.bytes)) return magic.format;
  }
  // The first volume descriptor of a disc image; a polyglot has the 32 KiB
  // before it to itself.
  constexpr std::size_t kDescriptor = 32769;
  if (head.size() > kDescriptor + 5 &&
      as_text(head).substr(kDescriptor, 5) == "CD001") {
    return "iso9660";
  }
  return {};
}

}  // namespace impound
