// SPDX-License-Identifier: Apache-2.0
#pragma once
/// zstd frames that stand alone, and the seek table that finds them.
///
/// A file of frames, as written here:
///   frame 0 | frame 1 | … | skippable frames | seek table (a skippable frame)
/// Any zstd decoder reads it from end to end; with the table one frame is read
/// without the others.
/// Sources: RFC 8878 (frames); facebook/zstd, contrib/seekable_format, the
/// document of the format, version 0.1.0 (seek table).

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"

namespace impound {

/// RFC 8878 section 3.1.1: first four bytes of a zstd frame, little-endian.
inline constexpr std::uint32_t kZstdMagic = 0xFD2FB528;
/// RFC 8878 section 3.1.2: the last of the sixteen skippable magics, which the
/// seekable format uses for its table.
inline constexpr std::uint32_t kSeekTableFrameMagic = 0x184D2A5E;
/// Last four bytes of a file with a seek table.
inline constexpr std::uint32_t kSeekableMagic = 0x8F92EAB1;
/// Bytes before the payload of a skippable frame: magic and size.
inline constexpr std::size_t kSkippableHeader = 8;

/// One frame of a file of frames.
struct FrameEntry {
  std::uint64_t offset = 0;    ///< of its first byte in the file
  std::uint32_t stored = 0;    ///< bytes in the file
  std::uint32_t content = 0;   ///< bytes it decodes to; 0 for skippable ones
  std::uint32_t checksum = 0;  ///< low 32 bits of XXH64 of the content
  friend bool operator==(const FrameEntry&, const FrameEntry&) = default;
};

/// Compresses contents into frames with content size and checksum. One encoder
/// serves one thread; the same content, level and libzstd give the same bytes.
class FrameEncoder {
 public:
  FrameEncoder();
  ~FrameEncoder();
  FrameEncoder(FrameEncoder&&) noexcept;
  FrameEncoder& operator=(FrameEncoder&&) noexcept;

  /// The most bytes that a frame of `content` bytes can take.
  [[nodiscard]] static std::size_t bound(std::size_t content);

  /// Writes one frame into `out` (at least bound(content.size()) bytes) and
  /// returns its size. Negative levels store literals as they are.
  /// @throws Error{unsupported} if libzstd refuses.
  [[nodiscard]] std::size_t encode(ByteView content, int level,
                                   std::span<std::byte> out);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// The checksum field that ends a frame made by FrameEncoder.
[[nodiscard]] std::uint32_t frame_checksum(ByteView frame);

/// Decodes frames. One decoder serves one thread.
class FrameDecoder {
 public:
  FrameDecoder();
  ~FrameDecoder();
  FrameDecoder(FrameDecoder&&) noexcept;
  FrameDecoder& operator=(FrameDecoder&&) noexcept;

  /// Decodes `frame`, which must be exactly one zstd frame with a content
  /// checksum whose content is exactly out.size() bytes. Returns what is wrong,
  /// empty if nothing is.
  [[nodiscard]] std::string decode(ByteView frame, std::span<std::byte> out);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// What the first bytes of a frame say about it.
struct FrameHead {
  bool skippable = false;
  std::uint32_t magic = 0;
  std::uint64_t stored = 0;              ///< whole size, header included
  std::optional<std::uint64_t> content;  ///< as declared; zstd frames only
};

/// Measures the frame at the start of `bytes`, which may go on behind it.
/// Empty if no whole frame stands there.
[[nodiscard]] std::optional<FrameHead> inspect_frame(ByteView bytes);

/// A skippable frame around `payload`.
[[nodiscard]] Bytes skippable_frame(std::uint32_t magic, ByteView payload);

/// The seek table as it stands at the end of the file, checksums included.
[[nodiscard]] Bytes encode_seek_table(const std::vector<FrameEntry>& frames);

/// Bytes of the table that ends in `tail` (the last bytes of a file), or empty
/// if the footer is none: then the file has no seek table.
[[nodiscard]] std::optional<std::uint64_t> seek_table_size(ByteView tail);
/// Bytes of `tail` that seek_table_size() looks at.
inline constexpr std::size_t kSeekTableFooter = 9;

/// Reads a whole table, `file_size` bytes being before its end. Entries must
/// fill the file up to the table exactly.
/// @throws Error{malformed} naming `source`, the offset and what was expected.
[[nodiscard]] std::vector<FrameEntry> parse_seek_table(ByteView table,
                                                       std::uint64_t file_size,
                                                       std::string_view source);

}  // namespace impound
