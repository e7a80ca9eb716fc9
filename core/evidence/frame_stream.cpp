// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/frame_stream.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/limits.hpp"
#include "core/crypto/piece_digest.hpp"
#include "core/evidence/pipeline.hpp"
#include "core/storage/tar.hpp"

namespace impound {
namespace {

/// Reads of large files begin at multiples of this after the first frame.
constexpr std::size_t kReadAlignment = 4096;

/// A member's content within one frame.
struct Part {
  std::shared_ptr<ContentDigest> digest;
  std::size_t at = 0;
  std::size_t size = 0;
};

/// One place in the ring. Buffers are not initialised: pages that no frame
/// needs are never touched.
struct Slot {
  std::unique_ptr<std::byte[]> content;
  std::unique_ptr<std::byte[]> stored;
  std::size_t content_size = 0;
  std::size_t stored_size = 0;
  std::uint64_t first_item = 0;
  std::vector<Part> small;  // whole members
  Part large;               // a piece of a member that goes on
  bool ends_large = false;
  FrameStream::Loader loader;  // empty if already loaded
  std::uint64_t load_offset = 0;
};

}  // namespace

struct FrameStream::Impl {
  Impl(UniqueFd out, fs::path where, unsigned threads, FrameLevels wanted)
      : fd(std::move(out)),
        path(std::move(where)),
        levels(wanted),
        slots(2 * std::size_t{threads} + 4),
        encoders(std::size_t{threads} + 1) {
    for (Slot& slot : slots) {
      slot.content =
          std::make_unique_for_overwrite<std::byte[]>(limits::kFrameContent);
      slot.stored = std::make_unique_for_overwrite<std::byte[]>(
          FrameEncoder::bound(limits::kFrameContent));
    }
    // One more than cores: it compresses while another waits for the disk.
    pipeline = std::make_unique<Pipeline>(
        threads + 1, slots.size(),
        Pipeline::Stations{
            .load = [this](std::size_t slot) { load(slots[slot]); },
            .first = [this](std::size_t slot) { hash(slots[slot]); },
            .work = [this](std::size_t slot,
                           std::size_t worker) { encode(slots[slot], worker); },
            .second = [this](std::size_t slot) { write(slots[slot]); }});
  }

  // ---- stations, called by workers

  static void load(Slot& slot) {
    if (!slot.loader) return;
    slot.loader(slot.load_offset,
                std::span(slot.content.get() + slot.large.at, slot.large.size));
  }

  static void hash(Slot& slot) {
    if (!slot.large.digest) return;
    ContentDigest& digest = *slot.large.digest;
    digest.running.update(
        ByteView(slot.content.get() + slot.large.at, slot.large.size));
    if (!slot.ends_large) return;
    digest.digest = digest.running.finish();
    if (digest.on_end) digest.on_end();
  }

  void encode(Slot& slot, std::size_t worker) {
    for (const Part& part : slot.small) {
      part.digest->digest =
          sha256(ByteView(slot.content.get() + part.at, part.size));
    }
    const ByteView content(slot.content.get(), slot.content_size);
    slot.stored_size = encoders[worker].encode(
        content, choose_level(content, levels),
        std::span(slot.stored.get(),
                  FrameEncoder::bound(limits::kFrameContent)));
  }

  void write(Slot& slot) {
    const ByteView stored(slot.stored.get(), slot.stored_size);
    SealedFrame frame;
    frame.entry = {.offset = file_size,
                   .stored = static_cast<std::uint32_t>(stored.size()),
                   .content = static_cast<std::uint32_t>(slot.content_size),
                   .checksum = frame_checksum(stored)};
    frame.first_item = slot.first_item;
    frame.sha256 = put(stored);
    frames.push_back(std::move(frame));
  }

  /// Writes bytes and returns their digest.
  Digest put(ByteView bytes) {
    write_all(fd, bytes, path);
    file_size += bytes.size();
    return bundle_hash.piece(bytes);
  }

  // ---- the caller's side

  Slot& open_slot() {
    if (open == nullptr) {
      open = &slots[pipeline->acquire()];
      // Not when it was written: a frame may be written before it is hashed.
      open->content_size = 0;
      open->first_item = 0;
      open->small.clear();
      open->large = {};
      open->loader = nullptr;
      open->ends_large = false;
    }
    return *open;
  }

  void close_slot() {
    if (open == nullptr) return;
    tar_before += open->content_size;
    open = nullptr;
    pipeline->submit();
    if (listener) listener(tar_before);
  }

  /// Room for `size` bytes at the end of the present frame.
  std::span<std::byte> grow(std::size_t size) {
    Slot& slot = open_slot();
    const std::span<std::byte> room(slot.content.get() + slot.content_size,
                                    size);
    slot.content_size += size;
    return room;
  }

  void append(ByteView bytes) {
    const std::span<std::byte> room = grow(bytes.size());
    if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
  }

  void append_zeros(std::size_t count) {
    std::ranges::fill(grow(count), std::byte{0});
  }

  UniqueFd fd;
  fs::path path;
  FrameLevels levels;
  std::vector<Slot> slots;
  std::vector<FrameEncoder> encoders;
  Slot* open = nullptr;
  std::uint64_t tar_before = 0;  // in submitted frames
  std::function<void(std::uint64_t)> listener;

  PieceDigest bundle_hash;  // from here on touched only in the write turn
  std::uint64_t file_size = 0;
  std::vector<SealedFrame> frames;

  std::unique_ptr<Pipeline> pipeline;  // last: its threads use all the rest
};

FrameStream::FrameStream(UniqueFd fd, fs::path path, unsigned threads,
                         FrameLevels levels)
    : impl_(std::make_unique<Impl>(std::move(fd), std::move(path),
                                   std::max(1U, threads), levels)) {}
FrameStream::~FrameStream() = default;

void FrameStream::on_frame(std::function<void(std::uint64_t)> listener) {
  impl_->listener = std::move(listener);
}

std::uint64_t FrameStream::tar_size() const noexcept {
  return impl_->tar_before +
         (impl_->open == nullptr ? 0 : impl_->open->content_size);
}

bool FrameStream::fits_one_frame(std::size_t headers,
                                 std::uint64_t content) noexcept {
  return content <= limits::kFrameContent &&
         headers + content + tar_padding(content) <= limits::kFrameContent;
}

std::span<std::byte> FrameStream::append_small(
    ByteView headers, std::size_t content,
    std::shared_ptr<ContentDigest> digest, std::uint64_t item) {
  const std::size_t size = headers.size() + content + tar_padding(content);
  if (impl_->open != nullptr &&
      impl_->open->content_size + size > limits::kFrameContent) {
    end_frame();
  }
  impl_->append(headers);
  Slot& slot = *impl_->open;
  if (slot.first_item == 0) slot.first_item = item;
  if (digest) {
    slot.small.push_back({std::move(digest), slot.content_size, content});
  }
  const std::span<std::byte> room = impl_->grow(content);
  impl_->append_zeros(tar_padding(content));
  return room;
}

void FrameStream::append_large(ByteView headers, std::uint64_t content,
                               Loader loader, Load when,
                               std::shared_ptr<ContentDigest> digest,
                               std::uint64_t item) {
  end_frame();
  impl_->append(headers);
  impl_->open->first_item = item;
  for (std::uint64_t at = 0; at < content;) {
    Slot& slot = impl_->open_slot();
    std::size_t room = limits::kFrameContent - slot.content_size;
    if (at == 0) room -= room % kReadAlignment;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(room, content - at));
    slot.large = {digest, slot.content_size, count};
    slot.load_offset = at;
    const std::span<std::byte> place = impl_->grow(count);
    at += count;
    slot.ends_large = at == content;
    if (slot.ends_large) impl_->append_zeros(tar_padding(content));
    if (when == Load::now) {
      loader(slot.load_offset, place);
    } else {
      slot.loader = loader;
    }
    impl_->close_slot();
  }
}

void FrameStream::append_raw(ByteView bytes) {
  if (impl_->open != nullptr &&
      impl_->open->content_size + bytes.size() > limits::kFrameContent) {
    end_frame();
  }
  impl_->append(bytes);
}

void FrameStream::end_frame() { impl_->close_slot(); }

void FrameStream::drain() {
  end_frame();
  impl_->pipeline->drain();
}

void FrameStream::write_skippable(ByteView frame) {
  SealedFrame sealed;
  sealed.entry = {.offset = impl_->file_size,
                  .stored = narrow<std::uint32_t>(frame.size()),
                  .content = 0,
                  .checksum = 0};
  sealed.sha256 = impl_->put(frame);
  impl_->frames.push_back(sealed);
}

void FrameStream::write_tail(ByteView bytes) {
  static_cast<void>(impl_->put(bytes));
}

Digest FrameStream::finish() {
  sync_fd(impl_->fd, impl_->path);
  impl_->fd.reset();
  return impl_->bundle_hash.finish();
}

const std::vector<SealedFrame>& FrameStream::frames() const noexcept {
  return impl_->frames;
}

std::uint64_t FrameStream::file_size() const noexcept {
  return impl_->file_size;
}

}  // namespace impound
