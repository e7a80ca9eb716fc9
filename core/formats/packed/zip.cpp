// SPDX-License-Identifier: Apache-2.0
/// APPNOTE 6.3.10 is the format. Its readers differ in what they take from the
/// central directory, from the local headers, and from a search for signatures
/// (CVE-2025-1944, CVE-2025-1945): where these disagree, that is said.

#include "core/formats/packed/zip.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "core/base/reader.hpp"
#include "core/base/text.hpp"
#include "core/formats/held_source.hpp"
#include "core/formats/packed/zip_inflate.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::uint64_t kLocalSize = 30;
constexpr std::uint64_t kCentralSize = 46;
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint32_t kFull32 = 0xffffffffU;

struct EndRecord {
  std::uint64_t offset = 0;  ///< of the record itself
  std::uint64_t entries = 0;
  std::uint64_t directory_size = 0;
  std::uint64_t directory_offset = 0;
  std::uint64_t directory_end = 0;  ///< where the directory should stop
  std::uint64_t behind = 0;         ///< first byte behind record and comment
  std::string comment;
};

/// Sizes and offsets that did not fit into 32 bits.
struct Wide {
  std::uint64_t size = 0;
  std::uint64_t packed = 0;
  std::uint64_t header = 0;
};

void widen(ByteView extra, Wide& wide) {
  Reader reader(extra, "zip extra field");
  while (reader.remaining() >= 4) {
    const std::uint16_t id = reader.u16();
    const std::uint16_t length = reader.u16();
    if (length > reader.remaining()) return;
    Reader field(reader.take(length, "field"), "zip64 field");
    if (id != 1) continue;
    for (std::uint64_t* value : {&wide.size, &wide.packed, &wide.header}) {
      if (*value == kFull32 && field.remaining() >= 8) *value = field.u64();
    }
    return;
  }
}

class ZipParser {
 public:
  explicit ZipParser(const ByteSource& source)
      : source_(source), size_(source.size()) {}

  ZipArchive parse() {
    const std::optional<EndRecord> end = find_end();
    std::uint64_t members_end = size_;
    if (end) {
      archive_.has_directory = true;
      archive_.comment = end->comment;
      members_end = read_directory(*end);
    } else {
      problem("zip-no-directory", Severity::medium, 0,
              "no end of a central directory; members are found by their "
              "local headers only");
    }
    find_unlisted(members_end);
    std::sort(archive_.members.begin(), archive_.members.end(),
              [](const ZipMember& a, const ZipMember& b) {
                return a.header_offset < b.header_offset;
              });
    check_members();
    if (end && end->behind < size_) {
      problem(
          "zip-suffix", Severity::medium, end->behind,
          fmt::format("{} bytes behind the end record", size_ - end->behind));
    }
    return std::move(archive_);
  }

 private:
  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message) {
    if (archive_.problems.size() < 256) {
      archive_.problems.push_back({.rule = std::string(rule),
                                   .severity = severity,
                                   .offset = offset,
                                   .message = std::move(message)});
    }
  }

  std::optional<EndRecord> find_end() {
    if (size_ < kEndSize) return std::nullopt;
    const std::uint64_t window =
        std::min<std::uint64_t>(size_, kEndSize + 65535);
    const std::uint64_t begin = size_ - window;
    const Bytes tail = source_.head(begin, window);
    const std::string_view text = as_text(tail);
    for (std::size_t at = text.rfind("PK\x05\x06");
         at != std::string_view::npos;
         at = at == 0 ? std::string_view::npos
                      : text.rfind("PK\x05\x06", at - 1)) {
      if (tail.size() - at < kEndSize) continue;
      Reader reader(ByteView(tail).subspan(at), "zip end record", begin + at);
      reader.skip(8, "signature and disks");
      reader.skip(2, "entries here");
      EndRecord end;
      end.offset = begin + at;
      end.entries = reader.u16();
      end.directory_size = reader.u32();
      end.directory_offset = reader.u32();
      const std::uint16_t length = reader.u16();
      if (length > reader.remaining()) continue;
      end.comment = std::string(as_text(reader.take(length, "comment")));
      end.behind = end.offset + kEndSize + length;
      end.directory_end = end.offset;
      read_end64(end);
      return end;
    }
    return std::nullopt;
  }

  void read_end64(EndRecord& end) {
    if (end.offset < 20) return;
    const Bytes locator = source_.head(end.offset - 20, 20);
    Reader reader(locator, "zip64 locator", end.offset - 20);
    if (reader.u32() != kLocator64) return;
    reader.skip(4, "disk");
    std::uint64_t at = reader.u64();
    // A prefix moves everything: then the record stands right before.
    for (const std::uint64_t place : {at, end.offset - 20 - 56}) {
      if (place > size_ - 56 || size_ < 56) continue;
      const Bytes record = source_.head(place, 56);
      Reader fields(record, "zip64 end record", place);
      if (fields.u32() != kEnd64) continue;
      fields.skip(8 + 4 + 8 + 8, "size, versions, disks, entries here");
      end.entries = fields.u64();
      end.directory_size = fields.u64();
      end.directory_offset = fields.u64();
      end.directory_end = place;
      return;
    }
    problem("zip-directory", Severity::medium, end.offset - 20,
            "a zip64 locator points at no zip64 record");
  }

  bool is_central_at(std::uint64_t offset) const {
    const Bytes magic = source_.head(std::min(offset, size_), 4);
    return magic.size() == 4 && as_text(magic) == "PK\x01\x02";
  }

  /// @return where the members should end: the start of the directory.
  std::uint64_t read_directory(const EndRecord& end) {
    const std::uint64_t claimed = end.directory_offset;
    std::uint64_t begin = claimed;
    if (end.directory_size <= end.directory_end) {
      // What readers compute who allow for a prefix.
      const std::uint64_t measured = end.directory_end - end.directory_size;
      if (measured != claimed && end.entries != 0) {
        const bool is_there = is_central_at(measured);
        const bool is_claimed = is_central_at(claimed);
        problem("zip-directory", Severity::medium, end.offset,
                fmt::format("the end record says the directory begins at {}, "
                            "its size says {}",
                            claimed, measured));
        if (is_there && is_claimed && measured > claimed) {
          // Two directories: readers differ in which they take. Read both.
          read_entries(claimed, end.directory_end, 0, end.entries);
        }
        if (is_there || !is_claimed) begin = measured;
        if (is_there && measured > claimed) shift_ = measured - claimed;
      }
    }
    if (begin > size_) {
      problem("zip-directory", Severity::medium, end.offset,
              "the directory lies outside of the file");
      return size_;
    }
    read_entries(begin, end.directory_end, shift_, end.entries);
    return begin;
  }

  void read_entries(std::uint64_t at, std::uint64_t end, std::uint64_t shift,
                    std::uint64_t expected) {
    std::uint64_t count = 0;
    while (at + kCentralSize <= end &&
           archive_.members.size() < ZipArchive::kMaxMembers) {
      const Bytes fixed = directory_.head(at, kCentralSize);
      if (fixed.size() < kCentralSize) break;
      Reader reader(fixed, "zip central directory", at);
      if (reader.u32() != kCentral) break;
      reader.skip(4, "versions");
      ZipMember member;
      member.flags = reader.u16();
      member.method = reader.u16();
      reader.skip(4, "time");
      member.crc32 = reader.u32();
      Wide wide;
      wide.packed = reader.u32();
      wide.size = reader.u32();
      const std::uint16_t name_size = reader.u16();
      const std::uint16_t extra_size = reader.u16();
      const std::uint16_t comment_size = reader.u16();
      reader.skip(4, "disk and internal attributes");
      const std::uint32_t attributes = reader.u32();
      wide.header = reader.u32();
      const Bytes rest = directory_.head(at + kCentralSize,
                                         std::uint64_t{name_size} + extra_size);
      if (rest.size() < std::size_t{name_size} + extra_size) break;
      member.name = std::string(as_text(ByteView(rest).first(name_size)));
      widen(ByteView(rest).subspan(name_size), wide);
      member.packed_size = wide.packed;
      member.size = wide.size;
      member.in_directory = true;
      member.is_folder = member.name.ends_with('/');
      member.is_symlink = (attributes >> 16U & 0170000U) == 0120000U;
      member.header_offset = wide.header + shift;
      if (member.header_offset < wide.header) member.header_offset = size_;
      read_header(member);
      archive_.members.push_back(std::move(member));
      at += kCentralSize + name_size + extra_size + comment_size;
      ++count;
    }
    if (count != expected) {
      problem("zip-directory", Severity::medium, at,
              fmt::format("the directory has {} entries, the end record says "
                          "{}",
                          count, expected));
    } else if (at < end) {
      problem("zip-gap", Severity::low, at,
              fmt::format("{} bytes between the directory and its end record",
                          end - at));
    }
  }

  struct Header {
    ZipMember member;
    std::uint64_t data = 0;
  };

  std::optional<Header> header_at(std::uint64_t offset) {
    if (offset > size_ || size_ - offset < kLocalSize) return std::nullopt;
    const Bytes fixed = headers_.head(offset, kLocalSize);
    Reader reader(fixed, "zip local header", offset);
    if (reader.u32() != kLocal) return std::nullopt;
    reader.skip(2, "version");
    Header header;
    header.member.flags = reader.u16();
    header.member.method = reader.u16();
    reader.skip(4, "time");
    header.member.crc32 = reader.u32();
    Wide wide;
    wide.packed = reader.u32();
    wide.size = reader.u32();
    const std::uint16_t name_size = reader.u16();
    const std::uint16_t extra_size = reader.u16();
    header.data = offset + kLocalSize + name_size + extra_size;
    if (header.data > size_) return std::nullopt;
    const Bytes rest = headers_.head(offset + kLocalSize,
                                     std::uint64_t{name_size} + extra_size);
    header.member.local_name =
        std::string(as_text(ByteView(rest).first(name_size)));
    widen(ByteView(rest).subspan(name_size), wide);
    header.member.packed_size = wide.packed;
    header.member.size = wide.size;
    header.member.header_offset = offset;
    header.member.data_offset = header.data;
    header.member.has_header = true;
    return header;
  }

  /// Compares a directory entry with the local header it points at.
  void read_header(ZipMember& member) {
    const std::optional<Header> header = header_at(member.header_offset);
    if (!header) {
      problem("zip-directory", Severity::medium, member.header_offset,
              fmt::format("{}: no local header where the directory says",
                          printable(member.name)));
      return;
    }
    const ZipMember& local = header->member;
    member.has_header = true;
    member.local_name = local.local_name;
    member.data_offset = header->data;
    const auto differs = [&](std::string_view what, Severity severity,
                             const std::string& directory,
                             const std::string& there) {
      problem("zip-mismatch", severity, member.header_offset,
              fmt::format("{} of {}: {} in the directory, {} in the local "
                          "header",
                          what, printable(member.name), directory, there));
    };
    if (local.local_name != member.name) {
      differs("name", Severity::high, printable(member.name),
              printable(local.local_name));
    }
    if (local.method != member.method) {
      differs("method", Severity::high, std::to_string(member.method),
              std::to_string(local.method));
    }
    // Bits that change what a reader does: encrypted, patched, strong
    // encryption, masked header.
    if (((local.flags ^ member.flags) & 0x2061U) != 0) {
      differs("flags", Severity::high, fmt::format("0x{:x}", member.flags),
              fmt::format("0x{:x}", local.flags));
    }
    const bool has_descriptor = (local.flags & 8U) != 0;
    if (!has_descriptor) {
      if (local.crc32 != member.crc32) {
        differs("CRC", Severity::medium, fmt::format("{:08x}", member.crc32),
                fmt::format("{:08x}", local.crc32));
      }
      if (local.packed_size != member.packed_size ||
          local.size != member.size) {
        differs("size", Severity::high,
                fmt::format("{}/{}", member.packed_size, member.size),
                fmt::format("{}/{}", local.packed_size, local.size));
      }
    }
  }

  /// Local headers in the places that no listed member covers.
  void find_unlisted(std::uint64_t members_end) {
    std::map<std::uint64_t, std::uint64_t> covered;
    for (const ZipMember& member : archive_.members) {
      if (!member.has_header) continue;
      std::uint64_t end = 0;
      if (__builtin_add_overflow(member.data_offset, member.packed_size,
                                 &end)) {
        end = size_;
      }
      std::uint64_t& known = covered[member.header_offset];
      known = std::max(known, std::min(end, size_));
    }
    archive_.prefix = covered.empty() ? 0 : covered.begin()->first;
    std::uint64_t at = 0;
    for (const auto& [begin, end] : covered) {
      if (begin > at) search(at, std::min(begin, members_end));
      if (begin < at && begin != at) {
        problem("zip-overlap", Severity::high, begin,
                "a member begins within the bytes of another one");
      }
      at = std::max(at, end);
    }
    if (at < members_end) search(at, members_end);
  }

  void search(std::uint64_t from, std::uint64_t end) {
    constexpr std::uint64_t kBlock = std::uint64_t{1} << 20U;
    while (from < end) {
      const Bytes block = source_.head(from, std::min(kBlock, end - from));
      const std::size_t found = as_text(block).find("PK\x03\x04");
      if (found == std::string_view::npos) {
        if (from + block.size() >= end) return;
        from += block.size() - 3;
        continue;
      }
      const std::uint64_t at = from + found;
      std::optional<Header> header = header_at(at);
      if (!header || archive_.members.size() >= ZipArchive::kMaxMembers) {
        from = at + 4;
        continue;
      }
      ZipMember& member = header->member;
      member.name = member.local_name;
      member.is_folder = member.name.ends_with('/');
      if ((member.flags & 8U) != 0 && member.packed_size == 0) {
        // The sizes stand behind the data: it may reach to the limit.
        member.packed_size = end - header->data;
        member.size = member.method == 0 ? member.packed_size : 0;
      }
      if (member.packed_size > size_ - header->data) {
        member.packed_size = size_ - header->data;
      }
      if (archive_.has_directory) {
        problem("zip-hidden-member", Severity::high, at,
                fmt::format("{} is not in the central directory",
                            printable(member.name)));
      }
      from = (member.flags & 8U) != 0
                 ? header->data
                 : std::max(at + 4, header->data + member.packed_size);
      archive_.members.push_back(std::move(member));
    }
  }

  void check_members() {
    std::map<std::string_view, std::uint64_t> seen;
    for (const ZipMember& member : archive_.members) {
      const auto [first, is_new] =
          seen.emplace(member.name, member.header_offset);
      if (!is_new) {
        problem("zip-duplicate", Severity::high, member.header_offset,
                fmt::format("{} is there twice, first at {}; readers differ in "
                            "which they take",
                            printable(member.name), first->second));
      }
      const std::string& name = member.name;
      const bool has_drive = name.size() > 1 && name[1] == ':';
      if (name.starts_with('/') || name.starts_with('\\') || has_drive ||
          name == ".." || name.starts_with("../") ||
          name.find("/../") != std::string::npos || name.ends_with("/..") ||
          name.find("..\\") != std::string::npos) {
        problem("archive-traversal", Severity::high, member.header_offset,
                fmt::format("{} leads outside of the folder it is unpacked to",
                            printable(name)));
      }
      if (name.find('\0') != std::string::npos) {
        problem("zip-mismatch", Severity::high, member.header_offset,
                fmt::format("{}: a NUL within a name; readers differ in where "
                            "it ends",
                            printable(name)));
      }
      if (member.is_symlink) {
        problem("archive-symlink", Severity::high, member.header_offset,
                fmt::format("{} is a symbolic link", printable(name)));
      }
      if ((member.flags & 0x2061U) != 0) {
        problem("zip-flags", Severity::medium, member.header_offset,
                fmt::format("{} has flags 0x{:x}: encrypted, patched or masked",
                            printable(name), member.flags));
      }
    }
    if (archive_.prefix != 0) {
      problem("zip-prefix", Severity::medium, 0,
              fmt::format("{} bytes before the first member", archive_.prefix));
    }
  }

  const ByteSource& source_;
  ReadAhead directory_{source_, 65536};
  ReadAhead headers_{source_, 512};
  std::uint64_t size_;
  std::uint64_t shift_ = 0;  ///< bytes put before the zip after it was written
  ZipArchive archive_;
};

}  // namespace

namespace {

/// The last end record in a text. Asked of every file and member there is, so
/// it must not go byte by byte, as rfind does.
std::size_t last_end_record(std::string_view text) {
  std::size_t before = text.size();
  while (before != 0) {
    const void* const found = memrchr(text.data(), 'P', before);
    if (found == nullptr) break;
    before =
        static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    if (text.substr(before).starts_with("PK\x05\x06")) return before;
  }
  return std::string_view::npos;
}

}  // namespace

bool looks_like_zip(ByteView head, const ByteSource& source) {
  if (as_text(head).starts_with("PK\x03\x04") ||
      as_text(head).starts_with("PK\x05\x06")) {
    return true;
  }
  // With something before it: only readers that start from the end see it.
  if (source.size() < kEndSize) return false;
  const std::uint64_t window =
      std::min<std::uint64_t>(source.size(), kEndSize + 65535);
  const Bytes tail = source.head(source.size() - window, window);
  const std::size_t at = last_end_record(as_text(tail));
  if (at == std::string_view::npos || tail.size() - at < kEndSize) {
    return false;
  }
  Reader reader(ByteView(tail).subspan(at), "zip end record");
  reader.skip(12, "head");
  const std::uint64_t directory = reader.u32();
  reader.skip(4, "offset");
  const std::uint64_t comment = reader.u16();
  return comment <= reader.remaining() &&
         (directory == kFull32 || directory <= source.size() - window + at);
}

ZipArchive read_zip(const ByteSource& source) {
  return ZipParser(source).parse();
}

ZipContent open_zip_member(const ByteSource& archive, const ZipMember& member,
                           std::uint64_t limit) {
  ZipContent content;
  const auto problem = [&](std::string_view rule, Severity severity,
                           std::string message) {
    content.problems.push_back({.rule = std::string(rule),
                                .severity = severity,
                                .offset = member.data_offset,
                                .message = std::move(message)});
  };
  if (!member.has_header || member.data_offset > archive.size()) {
    problem("zip-unreadable", Severity::medium, "no data for this member");
    return content;
  }
  const std::uint64_t left = archive.size() - member.data_offset;
  std::uint64_t packed = member.packed_size;
  if (packed > left) {
    problem("zip-truncated", Severity::medium,
            fmt::format("{} bytes announced, {} left", packed, left));
    packed = left;
  }
  if (member.method == 0) {
    if (member.size != member.packed_size) {
      problem("zip-mismatch", Severity::medium,
              fmt::format("stored, but packed size {} and size {} differ",
                          member.packed_size, member.size));
    }
    content.source =
        std::make_unique<SubSource>(archive, member.data_offset, packed);
    content.is_stored = true;
    return content;
  }
  if (member.method != 8) {
    problem("zip-unreadable", Severity::medium,
            fmt::format("compression method {} is not read", member.method));
    return content;
  }
  auto inflated = std::make_unique<InflateSource>(
      archive, member.data_offset, packed, DeflateWrapping::none, limit);
  const InflateOutcome& outcome = inflated->outcome();
  if (outcome.is_over_limit) {
    problem("archive-expansion", Severity::medium,
            fmt::format("unpacks to more than {} bytes", limit));
  } else if (!outcome.problem.empty()) {
    problem("zip-unreadable", Severity::medium,
            fmt::format("cannot be unpacked behind {} bytes: {}",
                        outcome.unpacked, outcome.problem));
  } else if (member.in_directory && outcome.unpacked != member.size) {
    problem("zip-mismatch", Severity::medium,
            fmt::format("{} bytes announced, {} unpacked", member.size,
                        outcome.unpacked));
  } else if (member.in_directory && outcome.crc32 != member.crc32) {
    problem("zip-crc", Severity::medium,
            fmt::format("CRC {:08x} announced, {:08x} found", member.crc32,
                        outcome.crc32));
  }
  if (outcome.unpacked > 0 || outcome.problem.empty()) {
    content.source = std::move(inflated);
  }
  return content;
}

void hold_in_memory(ZipContent& content, std::uint64_t most) {
  if (content.source == nullptr || !content.is_stored ||
      content.source->size() > most) {
    return;
  }
  content.source = std::make_unique<HeldSource>(
      content.source->head(0, content.source->size()));
}

bool is_zip(const FormatSubject& subject) {
  if (!subject.is_zip) {
    subject.is_zip = looks_like_zip(subject.head, subject.source);
  }
  return *subject.is_zip;
}

std::string_view why_zip(const FormatSubject& subject) {
  if (!is_zip(subject)) return {};
  return as_text(subject.head).starts_with("PK")
             ? "begins as a zip"
             : "ends with the directory of a zip";
}

}  // namespace impound
