// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Headers of tar members in the pax interchange format, written and read.
///
/// A member, as written here, all parts in blocks of 512 bytes:
///   [pax header 'x' | its records] | ustar header | content, padded with zeros
/// Our own writer, because frames must be cut where a member begins and the
/// bytes must not depend on a library's version; libarchive decides both by
/// itself. The reader accepts exactly what the writer makes and refuses the
/// rest; strangers read it with GNU tar or bsdtar.
/// Source: POSIX.1-2017, pax, "pax Interchange Format", "ustar Interchange
/// Format"; SCHILY.xattr.* as written by star, GNU tar and libarchive.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"

namespace impound {

inline constexpr std::size_t kTarBlock = 512;

/// Most bytes of one member's headers: extended attributes are the only part
/// that can grow; Linux allows 64 KiB of names and 64 KiB a value.
inline constexpr std::size_t kMaxTarHeaders = 1024 * 1024;

enum class TarType : char {
  regular = '0',
  hard_link = '1',
  symlink = '2',
  directory = '5',
};

/// One member without its content.
struct TarMember {
  std::string name;  ///< "./data/config.json"; directories without a last '/'
  TarType type = TarType::regular;
  std::string link;        ///< target of a link, raw bytes
  std::uint64_t size = 0;  ///< bytes of content; 0 unless regular
  std::uint32_t mode = 0;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t atime_ns = 0;  ///< 0 = not recorded
  std::int64_t ctime_ns = 0;  ///< 0 = not recorded
  /// Names without "SCHILY.xattr.", sorted; values are any bytes.
  std::vector<std::pair<std::string, std::string>> xattrs;

  friend bool operator==(const TarMember&, const TarMember&) = default;
};

/// Bytes of zeros behind `size` bytes of content.
[[nodiscard]] constexpr std::size_t tar_padding(std::uint64_t size) noexcept {
  return static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
}

/// All header blocks of a member. `sequence` names its pax header, so that the
/// same members give the same bytes.
/// @throws Error{limit} if they exceed kMaxTarHeaders.
[[nodiscard]] Bytes encode_tar_headers(const TarMember& member,
                                       std::uint64_t sequence);

/// Bytes of all header blocks of a member, by its first one; kTarBlock if that
/// is no pax header. Never more than kMaxTarHeaders + 2 blocks.
[[nodiscard]] std::size_t tar_headers_size(ByteView first_block);

/// A member read from its header blocks.
struct TarHeaders {
  TarMember member;
  std::size_t size = 0;  ///< bytes of all header blocks
};

/// Reads the headers at the start of `bytes`, which may go on behind them.
/// `base` is the offset of `bytes` in the tar, for messages.
/// @throws Error{malformed} naming `source`, the offset, what was expected.
[[nodiscard]] TarHeaders parse_tar_headers(ByteView bytes,
                                           std::string_view source,
                                           std::uint64_t base);

/// True if `bytes` (at least one block) begin with a block of zeros.
[[nodiscard]] bool is_zero_block(ByteView bytes) noexcept;

}  // namespace impound
