// SPDX-License-Identifier: Apache-2.0
// rooms: scan formats
/// Zips and tars: any bytes give members that lie within them, and members that
/// can be read to their end.

#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/packed/tar_file.hpp"
#include "core/formats/packed/zip.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const SpanSource source(bytes);
  static_cast<void>(looks_like_zip(bytes, source));
  const ZipArchive archive = read_zip(source);
  std::size_t opened = 0;
  for (const ZipMember& member : archive.members) {
    if (++opened > 16) break;
    const ZipContent content = open_zip_member(source, member, 1U << 20U);
    if (!content.source) continue;
    const std::uint64_t length = content.source->size();
    if (content.source->head(0, length).size() != length) std::abort();
  }
  for (const TarFileMember& member : read_tar(source).members) {
    if (member.offset > size || member.size > size - member.offset) {
      std::abort();
    }
  }
  return 0;
}
