// SPDX-License-Identifier: Apache-2.0
#include "core/compare/view/content_digest.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/base/limits.hpp"

namespace impound {
namespace {

constexpr std::size_t kPiece = 4 * limits::kMiB;
constexpr std::size_t kMostOverlaps = 64;

/// Hashes tensors out of the pieces of a file that pass by in order.
class TensorLane {
 public:
  explicit TensorLane(const std::vector<TensorInfo>& tensors)
      : tensors_(tensors), digests_(tensors.size()) {}

  void update(std::uint64_t offset, ByteView piece) {
    const std::uint64_t end = offset + piece.size();
    while (next_ < tensors_.size() && tensors_[next_].offset < end) {
      start(next_++);
    }
    std::erase_if(active_, [&](Active& each) {
      const TensorInfo& tensor = tensors_[each.index];
      const std::uint64_t from = std::max(offset, tensor.offset);
      const std::uint64_t to = std::min(end, tensor.offset + tensor.size);
      each.hash.update(piece.subspan(static_cast<std::size_t>(from - offset),
                                     static_cast<std::size_t>(to - from)));
      if (to < tensor.offset + tensor.size) return false;
      digests_[each.index] = each.hash.finish();
      return true;
    });
  }

  [[nodiscard]] std::vector<std::optional<Digest>> finish() {
    while (next_ < tensors_.size()) start(next_++);  // empty ones at the end
    return std::move(digests_);
  }

 private:
  struct Active {
    std::size_t index;
    Sha256 hash;
  };

  void start(std::size_t index) {
    if (tensors_[index].size == 0) {
      digests_[index] = sha256(ByteView{});
    } else if (active_.size() < kMostOverlaps) {
      active_.push_back({index, Sha256()});
    }
  }

  const std::vector<TensorInfo>& tensors_;
  std::vector<std::optional<Digest>> digests_;
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
  void push(std::uint64_t offset, ByteView piece) {
    const std::lock_guard lock(mutex_);
    pieces_[pushed_ % kSlots] = {offset, piece};
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
  struct Piece {
    std::uint64_t offset = 0;
    ByteView bytes;
  };

  void run() {
    for (;;) {
      Piece piece;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return done_ < pushed_ || is_closed_; });
        if (done_ == pushed_) return;
        piece = pieces_[done_ % kSlots];
      }
      lane_.update(piece.offset, piece.bytes);
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
    HashLanes lanes, const HashStep& step) {
  Sha256 file;
  TensorLane tensor_lane(tensors);
  std::optional<SecondLane> second;
  Bytes own;
  if (lanes == HashLanes::two && !tensors.empty()) {
    second.emplace(tensor_lane);
  } else {
    own.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(source.size(), kPiece)));
  }
  for (std::uint64_t offset = 0; offset < source.size();) {
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(source.size() - offset, kPiece));
    const std::span<std::byte> room =
        (second ? second->acquire() : std::span(own)).first(count);
    source.read(offset, room);
    if (second) {
      second->push(offset, room);
    } else {
      tensor_lane.update(offset, room);
    }
    file.update(room);
    offset += count;
    if (!step(count)) return std::nullopt;
  }
  if (second) second->join();
  return ContentDigests{.file = file.finish(), .tensors = tensor_lane.finish()};
}

}  // namespace impound
