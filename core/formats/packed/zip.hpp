// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A zip reader for hostile files: the central directory and every local header
/// that a linear scan finds are both read, and where they differ it says so.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"

namespace impound {

struct ZipMember {
  std::string name;          ///< of the central directory if listed there
  std::string local_name;    ///< of the local header
  std::uint16_t method = 0;  ///< 0 stored, 8 deflate
  std::uint16_t flags = 0;
  std::uint32_t crc32 = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header_offset = 0;  ///< of the local header, in the file
  std::uint64_t data_offset = 0;
  bool in_directory = false;  ///< listed in the central directory
  bool has_header = false;    ///< a local header stands where it should
  bool is_folder = false;
  bool is_symlink = false;
  /// A flag bit says encrypted. Readers differ in whether they believe it.
  [[nodiscard]] bool claims_encryption() const { return (flags & 0x41U) != 0; }
};

struct ZipArchive {
  std::vector<ZipMember> members;  ///< by place in the file
  std::uint64_t prefix = 0;        ///< bytes before the first local header
  bool has_directory = false;
  std::string comment;
  Problems problems;

  static constexpr std::size_t kMaxMembers = 1'000'000;
};

/// Whether a zip begins here, or its end record stands at the end.
[[nodiscard]] bool looks_like_zip(ByteView head, const ByteSource& source);

/// Reads what there is; never throws for malformed bytes.
[[nodiscard]] ZipArchive read_zip(const ByteSource& source);

/// The content of a member, and what was wrong with it.
struct ZipContent {
  std::unique_ptr<ByteSource> source;  ///< nullptr: cannot be unpacked
  bool is_stored = false;              ///< a view of the file's own bytes
  Problems problems;
};

/// Opens a member; an encrypted flag is not believed if the bytes disagree.
/// At most `limit` bytes are unpacked. `archive` outlives the content.
[[nodiscard]] ZipContent open_zip_member(const ByteSource& archive,
                                         const ZipMember& member,
                                         std::uint64_t limit);

/// CRC-32 as zip has it, of all bytes.
[[nodiscard]] std::uint32_t zip_crc32(const ByteSource& source);

/// Reads a stored member of at most `most` bytes into memory: its pickle is
/// looked at in thousands of small pieces.
void hold_in_memory(ZipContent& content, std::uint64_t most);

}  // namespace impound
