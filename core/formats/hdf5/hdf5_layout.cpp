// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5/hdf5_layout.hpp"

#include <algorithm>
#include <vector>

#include "core/base/text.hpp"
#include "core/formats/hdf5/hdf5.hpp"

namespace impound {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

}  // namespace

bool find_hdf5(const ByteSource& source, std::uint64_t& offset) {
  // As far as the library looks: to the end, in steps that double.
  for (std::uint64_t at = 0; at < source.size(); at = at == 0 ? 512 : at * 2) {
    if (as_text(source.head(at, kSignature.size())) == kSignature) {
      offset = at;
      return true;
    }
    if (at > source.size() / 2) break;  // at * 2 would overflow one day
  }
  return false;
}

std::optional<std::uint64_t> Hdf5Layout::place(std::uint64_t address) const {
  if (is_undefined(address) || address > source_.size() ||
      base_ > source_.size() - address) {
    return std::nullopt;
  }
  return base_ + address;
}

Hdf5Layout::Superblock Hdf5Layout::open() {
  Superblock found;
  if (!find_hdf5(source_, found.offset)) {
    found.broken = "the HDF5 signature";
    return found;
  }
  SourceCursor cursor = at(found.offset + 8);
  found.version = cursor.u8();
  if (found.version > 3) {
    found.broken = "a superblock of an unknown version";
    return found;
  }
  const bool is_old = found.version < 2;
  if (is_old) cursor.skip(4);
  offset_size_ = cursor.u8();
  length_size_ = cursor.u8();
  const auto is_width = [](std::size_t width) {
    return width == 2 || width == 4 || width == 8;
  };
  if (!is_width(offset_size_) || !is_width(length_size_)) {
    found.broken = "a superblock with odd sizes of addresses";
    return found;
  }
  cursor.skip(is_old ? 9 : 1);
  if (found.version == 1) cursor.skip(4);
  base_ = offset_of(cursor);
  cursor.skip(offset_size_);  // free space, or the extension
  const std::uint64_t end = offset_of(cursor);
  if (is_old) cursor.skip(2 * offset_size_);  // driver, name
  found.root = offset_of(cursor);
  if (!cursor.ok()) found.broken = "the superblock";
  // An absolute place in spite of its name: the library compares it with the
  // size of the file and refuses what is shorter.
  if (!is_undefined(end)) found.end = end;
  return found;
}

bool Hdf5Layout::messages(
    std::uint64_t address,
    const std::function<void(const Hdf5Message&)>& visit) {
  const auto start = place(address);
  if (!start) return false;
  struct Chunk {
    std::uint64_t begin;
    std::uint64_t size;
  };
  std::vector<Chunk> chunks;
  SourceCursor cursor = at(*start);
  const std::string head = cursor.text(4, 4);
  const bool is_new = head == "OHDR";
  std::uint8_t flags = 0;
  if (is_new) {
    if (cursor.u8() != 2) return false;
    flags = cursor.u8();
    if ((flags & 0x20U) != 0) cursor.skip(16);
    if ((flags & 0x10U) != 0) cursor.skip(4);
    const std::uint64_t size = cursor.integer(std::size_t{1} << (flags & 3U));
    chunks.push_back({cursor.offset(), size});
  } else {
    if (head.empty() || head[0] != '\x01') return false;
    cursor.skip(4);
    const std::uint64_t size = cursor.u32();
    cursor.skip(4);
    chunks.push_back({cursor.offset(), size});
  }
  if (!cursor.ok()) return false;
  bool is_whole = true;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < chunks.size() && i < kMaxChunks; ++i) {
    const Chunk chunk = chunks[i];
    if (chunk.begin > source_.size() ||
        chunk.size > source_.size() - chunk.begin) {
      return false;
    }
    SourceCursor in = at(chunk.begin);
    const std::uint64_t end = chunk.begin + chunk.size;
    const std::uint64_t head_size = is_new ? ((flags & 4U) != 0 ? 6U : 4U) : 8U;
    while (in.offset() < end && end - in.offset() >= head_size) {
      if (++count > kMaxMessages || !step()) return false;
      Hdf5Message message;
      message.type = is_new ? in.u8() : in.u16();
      message.size = in.u16();
      message.flags = in.u8();
      in.skip(is_new ? head_size - 4 : 3);
      message.offset = in.offset();
      if (!in.ok() || message.size > end - in.offset()) {
        is_whole = false;
        break;
      }
      if (message.type == Hdf5Message::continuation) {
        SourceCursor next = at(message.offset);
        const auto to = place(offset_of(next));
        const std::uint64_t size = length_of(next);
        if (!to) {
          is_whole = false;
        } else if (!is_new) {
          chunks.push_back({*to, size});
        } else if (size >= 8) {  // between "OCHK" and the checksum
          chunks.push_back({*to + 4, size - 8});
        }
      } else {
        visit(message);
      }
      in.skip(message.size);
    }
  }
  return is_whole && chunks.size() <= kMaxChunks;
}

std::optional<std::uint64_t> Hdf5Layout::local_heap(std::uint64_t heap) const {
  SourceCursor cursor = at(heap);
  if (cursor.text(4, 4) != "HEAP") return std::nullopt;
  cursor.skip(4 + 2 * length_size_);
  const auto data = place(offset_of(cursor));
  return cursor.ok() ? data : std::nullopt;
}

std::string Hdf5Layout::heap_text(std::uint64_t begin,
                                  std::uint64_t offset) const {
  if (offset > source_.size() || begin > source_.size() - offset) return {};
  const Bytes bytes = source_.head(begin + offset, kMaxName);
  const std::string_view text = as_text(bytes);
  return std::string(text.substr(0, text.find('\0')));
}

}  // namespace impound
