// SPDX-License-Identifier: Apache-2.0
#include "core/storage/frames.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"
#include "core/base/reader.hpp"

namespace impound {
namespace {

/// Seek_Table_Descriptor with only Checksum_Flag (bit 7) set.
constexpr std::uint8_t kChecksumFlag = 0x80;
constexpr std::uint8_t kReservedBits = 0x7C;
/// Bytes of an entry without and with its checksum.
constexpr std::size_t kPlainEntry = 8;
constexpr std::size_t kCheckedEntry = 12;

void require(std::size_t zstd_result, const char* call) {
  if (ZSTD_isError(zstd_result) != 0U) {
    throw Error(Errc::unsupported, fmt::format("libzstd refused {}: {}", call,
                                               ZSTD_getErrorName(zstd_result)));
  }
}

void put_u32(Bytes& out, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) {
    out.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xFFU));
  }
}

std::uint32_t get_u32(ByteView bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) {
    value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  }
  return value;
}

/// Bit 2 of the frame header descriptor (RFC 8878 section 3.1.1.1.1).
bool has_content_checksum(ByteView frame) {
  return (std::to_integer<unsigned>(frame[4]) & 0x04U) != 0;
}

}  // namespace

struct FrameEncoder::Context {
  Handle<ZSTD_CCtx, ZSTD_freeCCtx> zstd{ZSTD_createCCtx()};
};

FrameEncoder::FrameEncoder() : context_(std::make_unique<Context>()) {
  if (!context_->zstd) {
    throw Error(Errc::unsupported, "libzstd refused ZSTD_createCCtx");
  }
  ZSTD_CCtx* const zstd = context_->zstd.get();
  require(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1), "checksumFlag");
  require(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 1),
          "contentSizeFlag");
}

FrameEncoder::~FrameEncoder() = default;
FrameEncoder::FrameEncoder(FrameEncoder&&) noexcept = default;
FrameEncoder& FrameEncoder::operator=(FrameEncoder&&) noexcept = default;

std::size_t FrameEncoder::bound(std::size_t content) {
  return ZSTD_compressBound(content) + 4;  // and the checksum
}

std::size_t FrameEncoder::encode(ByteView content, int level,
                                 std::span<std::byte> out) {
  ZSTD_CCtx* const zstd = context_->zstd.get();
  require(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level),
          "compressionLevel");
  const std::size_t size = ZSTD_compress2(zstd, out.data(), out.size(),
                                          content.data(), content.size());
  require(size, "ZSTD_compress2");
  return size;
}

std::uint32_t frame_checksum(ByteView frame) {
  return frame.size() < 4 ? 0 : get_u32(frame.last(4));
}

struct FrameDecoder::Context {
  Handle<ZSTD_DCtx, ZSTD_freeDCtx> zstd{ZSTD_createDCtx()};
};

FrameDecoder::FrameDecoder() : context_(std::make_unique<Context>()) {
  if (!context_->zstd) {
    throw Error(Errc::unsupported, "libzstd refused ZSTD_createDCtx");
  }
}

FrameDecoder::~FrameDecoder() = default;
FrameDecoder::FrameDecoder(FrameDecoder&&) noexcept = default;
FrameDecoder& FrameDecoder::operator=(FrameDecoder&&) noexcept = default;

std::string FrameDecoder::decode(ByteView frame, std::span<std::byte> out) {
  const std::optional<FrameHead> head = inspect_frame(frame);
  if (!head || head->skippable) return "no zstd frame stands here";
  if (head->stored != frame.size()) {
    return fmt::format("the frame has {} bytes, the table says {}",
                       head->stored, frame.size());
  }
  if (!has_content_checksum(frame)) return "the frame has no content checksum";
  if (head->content != out.size()) {
    return fmt::format("the frame declares {} bytes of content, expected {}",
                       head->content.value_or(0), out.size());
  }
  const std::size_t size = ZSTD_decompressDCtx(
      context_->zstd.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0U) return ZSTD_getErrorName(size);
  if (size != out.size()) {
    return fmt::format("the frame decodes to {} bytes, expected {}", size,
                       out.size());
  }
  return {};
}

std::optional<FrameHead> inspect_frame(ByteView bytes) {
  if (bytes.size() < kSkippableHeader) return std::nullopt;
  FrameHead head;
  head.magic = get_u32(bytes);
  if ((head.magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START) {
    head.skippable = true;
    head.stored = std::uint64_t{kSkippableHeader} + get_u32(bytes.subspan(4));
    return head.stored <= bytes.size() ? std::optional(head) : std::nullopt;
  }
  if (head.magic != kZstdMagic) return std::nullopt;
  const std::size_t stored =
      ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
  if (ZSTD_isError(stored) != 0U) return std::nullopt;
  head.stored = stored;
  const unsigned long long content =
      ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (content == ZSTD_CONTENTSIZE_ERROR) return std::nullopt;
  if (content != ZSTD_CONTENTSIZE_UNKNOWN) head.content = content;
  return head;
}

Bytes skippable_frame(std::uint32_t magic, ByteView payload) {
  Bytes frame;
  frame.reserve(kSkippableHeader + payload.size());
  put_u32(frame, magic);
  put_u32(frame, narrow<std::uint32_t>(payload.size()));
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

Bytes encode_seek_table(const std::vector<FrameEntry>& frames) {
  Bytes payload;
  payload.reserve(frames.size() * kCheckedEntry + kSeekTableFooter);
  for (const FrameEntry& frame : frames) {
    put_u32(payload, frame.stored);
    put_u32(payload, frame.content);
    put_u32(payload, frame.checksum);
  }
  put_u32(payload, narrow<std::uint32_t>(frames.size()));
  payload.push_back(std::byte{kChecksumFlag});
  put_u32(payload, kSeekableMagic);
  return skippable_frame(kSeekTableFrameMagic, payload);
}

std::optional<std::uint64_t> seek_table_size(ByteView tail) {
  if (tail.size() < kSeekTableFooter) return std::nullopt;
  const ByteView footer = tail.last(kSeekTableFooter);
  if (get_u32(footer.subspan(5)) != kSeekableMagic) return std::nullopt;
  const auto descriptor = std::to_integer<std::uint8_t>(footer[4]);
  if ((descriptor & kReservedBits) != 0) return std::nullopt;
  const std::uint64_t entry =
      (descriptor & kChecksumFlag) != 0 ? kCheckedEntry : kPlainEntry;
  return kSkippableHeader + get_u32(footer) * entry + kSeekTableFooter;
}

std::vector<FrameEntry> parse_seek_table(ByteView table,
                                         std::uint64_t file_size,
                                         std::string_view source) {
  const std::uint64_t at =
      file_size - std::min<std::uint64_t>(file_size, table.size());
  Reader reader(table, source, at);
  if (seek_table_size(table) != table.size()) {
    reader.fail("expected a seek table that fills its frame");
  }
  if (reader.u32() != kSeekTableFrameMagic) {
    reader.fail("expected the magic 0x184D2A5E of a seek table before here");
  }
  if (reader.u32() != table.size() - kSkippableHeader) {
    reader.fail("expected the size of the seek table before here");
  }
  const auto descriptor =
      std::to_integer<std::uint8_t>(table[table.size() - 5]);
  if (descriptor != kChecksumFlag) {
    reader.fail(
        fmt::format("expected a seek table with descriptor 0x80, "
                    "found 0x{:02X}",
                    descriptor));
  }
  const std::size_t count =
      (table.size() - kSkippableHeader - kSeekTableFooter) / kCheckedEntry;
  std::vector<FrameEntry> frames;
  frames.reserve(count);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < count; ++i) {
    FrameEntry frame;
    frame.offset = offset;
    frame.stored = reader.u32();
    frame.content = reader.u32();
    frame.checksum = reader.u32();
    offset += frame.stored;
    frames.push_back(frame);
  }
  if (offset != at) {
    reader.fail(
        fmt::format("expected frames of {} bytes altogether, the table "
                    "adds up to {}",
                    at, offset));
  }
  return frames;
}

}  // namespace impound
