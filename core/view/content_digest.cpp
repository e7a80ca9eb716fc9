// SPDX-License-Identifier: Apache-2.0
#include "core/view/content_digest.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "core/base/holes.hpp"
#include "core/base/limits.hpp"
#include "core/crypto/folded_digest.hpp"

namespace impound {
namespace {

constexpr std::size_t kPiece = 4 * limits::kMiB;
constexpr std::size_t kMostOverlaps = 64;

/// A part of a file: its bytes, or none where it is a hole.
struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  ByteView bytes;
};

/// The digests of one file or tensor while its bytes pass by.
class Hashing {
 public:
  Hashing(bool whole, bool folded, std::uint64_t size) {
    if (whole) whole_.emplace();
    if (folded) folded_.emplace(size);
  }

  void update(ByteView bytes) {
    if (whole_) whole_->update(bytes);
    if (folded_) folded_->update(bytes);
  }
  /// Zeros that nobody read are in no digest of every byte.
  void hole(std::uint64_t count) {
    whole_.reset();
    if (folded_) folded_->zeros(count);
  }
  [[nodiscard]] KnownDigests finish() {
    KnownDigests digests;
    if (whole_) digests.sha256 = whole_->finish();
    if (folded_) digests.folded = folded_->finish();
    return digests;
  }

 private:
  std::optional<Sha256> whole_;
  std::optional<FoldedSha256> folded_;
};

/// Hashes tensors out of the pieces of a file that pass by in order.
class TensorLane {
 public:
  TensorLane(const ByteSource& source, const std::vector<TensorInfo>& tensors,
             HashedAs as)
      : source_(source), tensors_(tensors), as_(as), digests_(tensors.size()) {}

  void update(const Piece& piece) {
    const std::uint64_t end = piece.offset + piece.length;
    while (next_ < tensors_.size() && tensors_[next_].offset < end) {
      start(next_++);
    }
    std::erase_if(active_, [&](Active& each) {
      const TensorInfo& tensor = tensors_[each.index];
      const std::uint64_t from = std::max(piece.offset, tensor.offset);
      const std::uint64_t to = std::min(end, tensor.offset + tensor.size);
      if (piece.bytes.empty()) {
        each.hashing.hole(to - from);
      } else {
        each.hashing.update(
            piece.bytes.subspan(static_cast<std::size_t>(from - piece.offset),
                                static_cast<std::size_t>(to - from)));
      }
      if (to < tensor.offset + tensor.size) return false;
      digests_[each.index] = each.hashing.finish();
      return true;
    });
  }

  [[nodiscard]] std::vector<KnownDigests> finish() {
    while (next_ < tensors_.size()) start(next_++);  // empty ones at the end
    return std::move(digests_);
  }

 private:
  struct Active {
    std::size_t index;
    Hashing hashing;
  };

  void start(std::size_t index) {
    const TensorInfo& tensor = tensors_[index];
    const bool is_whole = as_ != HashedAs::folded ||
                          hole_bytes(source_, tensor.offset, tensor.size) == 0;
    Hashing hashing(is_whole, as_ != HashedAs::whole, tensor.size);
    if (tensor.size == 0) {
      digests_[index] = hashing.finish();
    } else if (active_.size() < kMostOverlaps) {
      active_.push_back({index, std::move(hashing)});
    }
  }

  const ByteSource& source_;
  const std::vector<TensorInfo>& tensors_;
  HashedAs as_;
  std::vector<KnownDigests> digests_;
  std::vector<Active> active_;
  std::size_t next_ = 0;
};

/// Feeds a TensorLane on its own thread, from slots that are used in turn.
class SecondLane {
 public:
  explicit SecondLane(TensorLane& lane)
      : lane_(lane), thread_([this] { run(); }) {}
  SecondLane(const SecondLane&) = delete;
  SecondLane& operator=(const SecondLane&) = delete;
  ~SecondLane() { join(); }

  /// The next slot, once nobody reads it any more.
  [[nodiscard]] std::span<std::byte> acquire() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return pushed_ - done_ < kSlots; });
    Bytes& slot = slots_[pushed_ % kSlots];
    if (slot.empty()) slot.resize(kPiece);
    return slot;
  }
  /// Hands over the slot got last.
  void push(const Piece& piece) {
    const std::lock_guard lock(mutex_);
    pieces_[pushed_ % kSlots] = piece;
    ++pushed_;
    changed_.notify_all();
  }
  void join() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

 private:
  static constexpr std::size_t kSlots = 4;

  void run() {
    for (;;) {
      Piece piece;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return done_ < pushed_ || is_closed_; });
        if (done_ == pushed_) return;
        piece = pieces_[done_ % kSlots];
      }
      lane_.update(piece);
      const std::lock_guard lock(mutex_);
      ++done_;
      changed_.notify_all();
    }
  }

  TensorLane& lane_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Bytes, kSlots> slots_;
  std::array<Piece, kSlots> pieces_;
  std::size_t pushed_ = 0;
  std::size_t done_ = 0;
  bool is_closed_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::optional<ContentDigests> digest_content(
    const ByteSource& source, const std::vector<TensorInfo>& tensors,
    HashedAs as, HashLanes lanes, const HashStep& step) {
  if (as == HashedAs::nothing) {
    return ContentDigests{.file = {},
                          .tensors = std::vector<KnownDigests>(tensors.size())};
  }
  const bool skips_holes = as == HashedAs::folded;
  Hashing file(!skips_holes, as != HashedAs::whole, source.size());
  TensorLane tensor_lane(source, tensors, as);
  std::optional<SecondLane> second;
  Bytes own;
  if (lanes == HashLanes::two && !tensors.empty()) {
    second.emplace(tensor_lane);
  } else {
    own.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(source.size(), kPiece)));
  }
  for (std::uint64_t offset = 0; offset < source.size();) {
    const std::uint64_t data = skips_holes ? next_data(source, offset) : offset;
    // A file that changes meanwhile may have a hole there by now.
    const std::uint64_t end =
        data > offset ? data
        : skips_holes ? std::max(next_hole(source, offset), offset + 1)
                      : source.size();
    Piece piece{.offset = offset, .length = end - offset, .bytes = {}};
    const std::span<std::byte> room = second ? second->acquire() : own;
    if (data > offset) {
      file.hole(piece.length);
    } else {
      piece.length = std::min<std::uint64_t>(piece.length, kPiece);
      const auto bytes = room.first(static_cast<std::size_t>(piece.length));
      source.read(offset, bytes);
      piece.bytes = bytes;
    }
    if (second) {
      second->push(piece);
    } else {
      tensor_lane.update(piece);
    }
    if (!piece.bytes.empty()) file.update(piece.bytes);
    offset += piece.length;
    if (!step(piece.length)) return std::nullopt;
  }
  if (second) second->join();
  return ContentDigests{.file = file.finish(), .tensors = tensor_lane.finish()};
}

}  // namespace impound
