// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The tar of a bundle on its way into frames: cut where members begin, hashed,
/// compressed and written by all threads, in order.

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/fs.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/frame_choice.hpp"
#include "core/storage/frames.hpp"

namespace impound {

/// The digest of one member's content, computed while it passes.
struct ContentDigest {
  Sha256 running;
  /// Valid after FrameStream::drain().
  Digest digest;
  /// Called by a worker once the last byte is loaded and hashed.
  std::function<void()> on_end;
};

/// One frame of a bundle, as the seal lists it.
struct SealedFrame {
  FrameEntry entry;
  /// The first item that begins in the frame; 0 if none does.
  std::uint64_t first_item = 0;
  /// SHA-256 of the frame as it stands in the file.
  Digest sha256;
};

/// Frames never split a member's headers. A member that fits into a frame lies
/// in one frame whole, together with its small neighbours; a larger one begins
/// a frame of its own and ends it, so that a damaged frame costs only the
/// members in it.
class FrameStream {
 public:
  /// Writes to `fd` from its present offset, which must be 0. `threads` is the
  /// number of cores to use.
  FrameStream(UniqueFd fd, std::filesystem::path path, unsigned threads,
              FrameLevels levels);
  ~FrameStream();

  /// `listener` is told the bytes of tar so far whenever a frame is full, in
  /// the caller's thread.
  void on_frame(std::function<void(std::uint64_t)> listener);

  /// Bytes of tar so far: where the next member begins.
  [[nodiscard]] std::uint64_t tar_size() const noexcept;
  /// Bytes of the largest headers and content that share a frame.
  [[nodiscard]] static bool fits_one_frame(std::size_t headers,
                                           std::uint64_t content) noexcept;

  /// Appends a member that fits into one frame and returns the place for its
  /// content, which the caller fills before the next call. `item` is 0 for
  /// what is no item. `digest` may be null where there is no content.
  [[nodiscard]] std::span<std::byte> append_small(
      ByteView headers, std::size_t content,
      std::shared_ptr<ContentDigest> digest, std::uint64_t item);

  /// Loads `out` with the member's content from `offset` on.
  using Loader =
      std::function<void(std::uint64_t offset, std::span<std::byte> out)>;
  enum class Load : std::uint8_t { later, now };
  /// Appends a larger member. With Load::later workers call `loader`, several
  /// at once, until drain(); with Load::now this thread does before it returns.
  void append_large(ByteView headers, std::uint64_t content, Loader loader,
                    Load when, std::shared_ptr<ContentDigest> digest,
                    std::uint64_t item);

  /// Bytes as they are (the end of the tar), in the present frame.
  void append_raw(ByteView bytes);
  void end_frame();

  /// Ends the frame; waits until all of it is hashed and written.
  /// @throws Error{io} if writing failed.
  void drain();

  /// After drain(): writes a skippable frame, listed in the seek table.
  void write_skippable(ByteView frame);
  /// After drain(): writes bytes that are in no table (the seek table itself).
  void write_tail(ByteView bytes);
  /// After the last write: makes the file durable and gives its digest.
  [[nodiscard]] Digest finish();

  [[nodiscard]] const std::vector<SealedFrame>& frames() const noexcept;
  [[nodiscard]] std::uint64_t file_size() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace impound
