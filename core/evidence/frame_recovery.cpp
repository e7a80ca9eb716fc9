// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/frame_recovery.hpp"

#include <algorithm>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"

namespace impound {
namespace {

constexpr std::string_view kSource = "seal";

/// Bytes looked at for one frame: the largest one, and a header more.
constexpr std::uint64_t kWindow = 2 * limits::kFrameContent;

SealedFrame read_frame(const Json& row) {
  if (!row.is_array() || row.size() != 5) {
    throw Error(Errc::malformed, "seal: a frame must have five fields");
  }
  const auto number = [&](std::size_t field) {
    if (!row[field].is_number_unsigned()) {
      throw Error(Errc::malformed, "seal: a frame field must be a number");
    }
    return row[field].get<std::uint64_t>();
  };
  SealedFrame frame;
  frame.entry.offset = number(0);
  frame.entry.stored = narrow<std::uint32_t>(number(1));
  frame.entry.content = narrow<std::uint32_t>(number(2));
  frame.first_item = number(3);
  const auto digest = row[4].is_string()
                          ? Digest::from_hex(row[4].get<std::string>())
                          : std::nullopt;
  if (!digest || frame.entry.content > limits::kFrameContent ||
      frame.entry.stored > FrameEncoder::bound(limits::kFrameContent)) {
    throw Error(Errc::malformed, "seal: a frame is not plausible");
  }
  frame.sha256 = *digest;
  return frame;
}

}  // namespace

std::optional<SealedFrames> sealed_frames(std::string_view seal) {
  if (seal.empty()) return std::nullopt;
  try {
    const Json json = parse_json(seal, kSource);
    SealedFrames sealed;
    for (const Json& row : require_key(json, "frames", kSource)) {
      SealedFrame frame = read_frame(row);
      if (frame.entry.content > 0) sealed.frames.push_back(frame);
    }
    const Json& meta = require_key(json, "meta", kSource);
    sealed.meta.first_frame =
        narrow<std::uint32_t>(require_u64(meta, "first_frame", kSource));
    sealed.meta.tar_offset = require_u64(meta, "tar_offset", kSource);
    sealed.meta.tar_size = require_u64(meta, "tar_size", kSource);
    sealed.items = require_u64(json, "items", kSource);
    // First items rise, and no frame begins more items than there are.
    std::uint64_t last = 0;
    for (const SealedFrame& frame : sealed.frames) {
      if (frame.first_item == 0) continue;
      if (frame.first_item <= last || frame.first_item > sealed.items) {
        return std::nullopt;
      }
      last = frame.first_item;
    }
    if (sealed.items > limits::kMaxBundleMembers) return std::nullopt;
    return sealed;
  } catch (const Error&) {
    return std::nullopt;  // it is reported as a file that differs
  }
}

std::optional<FrameIndex> frames_from_seal(std::string_view seal) {
  const auto sealed = sealed_frames(seal);
  if (!sealed || sealed->frames.empty()) return std::nullopt;
  FrameIndex index;
  std::uint64_t offset = 0;
  for (const SealedFrame& frame : sealed->frames) {
    if (frame.entry.offset != offset) return std::nullopt;
    offset += frame.entry.stored;
    index.frames.push_back({frame.entry, index.tar_size});
    index.tar_size += frame.entry.content;
  }
  index.meta = sealed->meta;
  index.pointer_offset = offset;
  index.table_offset = offset + kSkippableHeader + layout::kPointerSize;
  const auto first = index.meta.first_frame;
  if (first >= index.frames.size() ||
      index.frames[first].tar_offset != index.meta.tar_offset ||
      index.tar_size != index.meta.tar_size) {
    return std::nullopt;
  }
  return index;
}

std::optional<FrameIndex> frames_by_scanning(const ByteSource& file) {
  FrameIndex index;
  for (std::uint64_t at = 0; at < file.size();) {
    const Bytes window = file.head(at, kWindow);
    const auto head = inspect_frame(window);
    if (!head) return std::nullopt;
    if (head->skippable) {
      try {
        index.meta = layout::parse_pointer(
            ByteView(window).first(static_cast<std::size_t>(head->stored)),
            "bundle", at);
      } catch (const Error&) {
        return std::nullopt;
      }
      index.pointer_offset = at;
      index.table_offset = at + head->stored;
      const auto first = index.meta.first_frame;
      if (first >= index.frames.size() ||
          index.frames[first].tar_offset != index.meta.tar_offset ||
          index.tar_size != index.meta.tar_size) {
        return std::nullopt;
      }
      return index;
    }
    if (!head->content || *head->content == 0 ||
        *head->content > limits::kFrameContent) {
      return std::nullopt;
    }
    FrameEntry entry;
    entry.offset = at;
    entry.stored = narrow<std::uint32_t>(head->stored);
    entry.content = static_cast<std::uint32_t>(*head->content);
    index.frames.push_back({entry, index.tar_size});
    index.tar_size += entry.content;
    at += head->stored;
  }
  return std::nullopt;
}

std::vector<SealedFrame> frames_with_pointer(
    const ByteSource& file, const FrameIndex& index,
    const std::vector<SealedFrame>& found, const std::vector<Item>& items) {
  std::vector<SealedFrame> frames = found;
  for (const Item& item : items) {
    auto frame = std::ranges::upper_bound(index.frames, item.member_offset, {},
                                          &IndexedFrame::tar_offset);
    if (frame == index.frames.begin()) continue;
    SealedFrame& sealed =
        frames[static_cast<std::size_t>(frame - index.frames.begin() - 1)];
    if (sealed.first_item == 0 || item.number < sealed.first_item) {
      sealed.first_item = item.number;
    }
  }
  SealedFrame pointer;
  pointer.entry.offset = index.pointer_offset;
  pointer.entry.stored =
      static_cast<std::uint32_t>(kSkippableHeader + layout::kPointerSize);
  pointer.sha256 =
      sha256(file.head(index.pointer_offset, pointer.entry.stored));
  frames.push_back(pointer);
  return frames;
}

}  // namespace impound
