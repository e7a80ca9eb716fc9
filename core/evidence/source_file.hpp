// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A live file while it is being taken: read in pieces from several threads,
/// whatever happens to it meanwhile.

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/base/fs_holes.hpp"
#include "core/evidence/item.hpp"

namespace impound {

/// Never memory-mapped: a mapped file that is truncated while we read kills the
/// process. Every byte that cannot be had is a zero byte in the evidence, and
/// recorded.
class SourceFile {
 public:
  /// `ranges` empty means the whole file. `stop` is asked before every read.
  SourceFile(UniqueFd fd, const FileStat& stat, std::vector<ByteRange> ranges,
             std::function<bool()> stop);

  [[nodiscard]] const UniqueFd& fd() const noexcept { return fd_; }
  /// Bytes that will be stored.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Fills `out` with the stored bytes from `offset` on. Thread-safe.
  void load(std::uint64_t offset, std::span<std::byte> out);

  /// After the last load: looks at the file once more, closes it, and writes
  /// what happened into the item (outcome, reason, size_read, holes, notes).
  void finish(Item& item);

 private:
  enum class Loss : std::uint8_t { ended, unreadable, stopped };

  void load_part(std::uint64_t offset, std::span<std::byte> out);
  void read_part(std::uint64_t offset, std::span<std::byte> out);
  void read_blocks(std::uint64_t offset, std::span<std::byte> out);
  void lose(Loss loss, std::uint64_t offset, std::span<std::byte> out,
            int error);
  void judge(Item& item) const;

  UniqueFd fd_;
  FileStat stat_;
  std::vector<ByteRange> ranges_;  // never empty unless size_ is 0
  std::vector<Extent> holes_;
  bool whole_ = true;
  bool clipped_ = false;
  std::uint64_t size_ = 0;
  std::function<bool()> stop_;

  std::mutex mutex_;  // guards what follows
  std::uint64_t lost_bytes_ = 0;
  std::vector<ByteRange> lost_;  // in source offsets, bounded
  bool ended_ = false;
  bool stopped_ = false;
  int error_ = 0;
};

}  // namespace impound
