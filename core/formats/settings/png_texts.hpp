// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The texts that a PNG carries beside its picture (PNG specification 1.2,
/// 4.2.3): tEXt, zTXt and iTXt, each a keyword, a NUL and a text.
///
///   8 bytes   \x89 P N G \r \n \x1a \n
///   chunks    u32 length, four letters, `length` bytes, u32 CRC; numbers with
///             the high byte first
///
/// Checksums are not looked at: readers differ in whether they do.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/source.hpp"

namespace impound {

struct PngText {
  std::string keyword;
  std::uint64_t offset = 0;  ///< of the text
  std::uint64_t size = 0;    ///< in the file
  bool is_packed = false;    ///< by zlib
};

[[nodiscard]] bool is_png(ByteView head) noexcept;

/// At most 1000 texts; a chunk that reaches behind the end of the file is as
/// long as there are bytes, and the last.
[[nodiscard]] std::vector<PngText> read_png_texts(const ByteSource& source);

}  // namespace impound
