// SPDX-License-Identifier: Apache-2.0
// rooms: storage
/// Frames and seek tables: sizes that are claimed lie within the bytes; a table
/// that is read is written again as the same bytes.

#include <cstdint>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/storage/frames.hpp"

using namespace impound;

namespace {

/// More is not asked of the decoder.
constexpr std::uint64_t kMostContent = 1U << 20U;

void check_frames(ByteView bytes) {
  FrameDecoder decoder;
  while (true) {
    const auto head = inspect_frame(bytes);
    if (!head) return;
    if (head->stored == 0 || head->stored > bytes.size()) std::abort();
    const auto stored = static_cast<std::size_t>(head->stored);
    if (!head->skippable && head->content.value_or(0) <= kMostContent) {
      Bytes out(static_cast<std::size_t>(head->content.value_or(1)));
      static_cast<void>(decoder.decode(bytes.first(stored), out));
    }
    bytes = bytes.subspan(stored);
  }
}

void check_table(ByteView bytes) {
  const auto size = seek_table_size(bytes);
  if (!size || *size > bytes.size()) return;
  const ByteView table = bytes.last(static_cast<std::size_t>(*size));
  try {
    const auto frames = parse_seek_table(table, bytes.size(), "fuzz");
    const Bytes again = encode_seek_table(frames);
    if (as_text(again) != as_text(table)) std::abort();
  } catch (const Error&) {  // refused in words
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  check_frames(bytes);
  check_table(bytes);
  return 0;
}
