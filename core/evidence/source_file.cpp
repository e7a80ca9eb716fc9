// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/source_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// After a read error the part is read again in pieces of this many bytes: the
/// smallest unit that disks and FUSE report errors for.
constexpr std::size_t kRetryBytes = 4096;

/// Holes and lost ranges kept of one file. A file with more holes is read
/// through; of more lost ranges the sum alone is kept.
constexpr std::size_t kMaxRanges = 10'000;

void zero(std::span<std::byte> out) { std::ranges::fill(out, std::byte{0}); }

}  // namespace

SourceFile::SourceFile(UniqueFd fd, const FileStat& stat,
                       std::vector<ByteRange> ranges,
                       std::function<bool()> stop)
    : fd_(std::move(fd)),
      stat_(stat),
      ranges_(std::move(ranges)),
      whole_(ranges_.empty()),
      stop_(std::move(stop)) {
  if (whole_ && stat_.size != 0) ranges_.push_back({0, stat_.size});
  for (ByteRange& range : ranges_) {
    const std::uint64_t left = stat_.size - std::min(stat_.size, range.offset);
    if (range.length > left) {
      range.length = left;
      clipped_ = true;
    }
    size_ += range.length;
  }
  if (stat_.allocated < stat_.size) {
    holes_ = find_holes(fd_, stat_.size, kMaxRanges);
  }
}

void SourceFile::load(std::uint64_t offset, std::span<std::byte> out) {
  for (const ByteRange& range : ranges_) {
    if (out.empty()) return;
    if (offset >= range.length) {
      offset -= range.length;
      continue;
    }
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), range.length - offset));
    load_part(range.offset + offset, out.first(count));
    out = out.subspan(count);
    offset = 0;
  }
}

void SourceFile::load_part(std::uint64_t offset, std::span<std::byte> out) {
  const std::uint64_t end = offset + out.size();
  auto hole = std::ranges::upper_bound(
      holes_, offset, {}, [](const Extent& e) { return e.offset + e.length; });
  while (offset < end) {
    std::uint64_t next = end;
    bool in_hole = false;
    if (hole != holes_.end() && hole->offset < end) {
      in_hole = hole->offset <= offset;
      next =
          in_hole ? std::min(end, hole->offset + hole->length) : hole->offset;
    }
    const std::span<std::byte> part =
        out.first(static_cast<std::size_t>(next - offset));
    if (in_hole) {
      zero(part);
      ++hole;
    } else {
      read_part(offset, part);
    }
    out = out.subspan(part.size());
    offset = next;
  }
}

void SourceFile::read_part(std::uint64_t offset, std::span<std::byte> out) {
  if (stop_()) return lose(Loss::stopped, offset, out, 0);
  const auto got = read_at(fd_, offset, out);
  if (!got) return read_blocks(offset, out);
  if (*got < out.size()) {
    lose(Loss::ended, offset + *got, out.subspan(*got), 0);
  }
}

void SourceFile::read_blocks(std::uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const std::span<std::byte> block =
        out.first(std::min(out.size(), kRetryBytes));
    if (stop_()) return lose(Loss::stopped, offset, out, 0);
    const auto got = read_at(fd_, offset, block);
    if (!got) {
      lose(Loss::unreadable, offset, block, got.failure().code);
    } else if (*got < block.size()) {
      return lose(Loss::ended, offset + *got, out.subspan(*got), 0);
    }
    offset += block.size();
    out = out.subspan(block.size());
  }
}

void SourceFile::lose(Loss loss, std::uint64_t offset, std::span<std::byte> out,
                      int error) {
  zero(out);
  const std::lock_guard lock(mutex_);
  lost_bytes_ += out.size();
  ended_ = ended_ || loss == Loss::ended;
  stopped_ = stopped_ || loss == Loss::stopped;
  if (loss == Loss::unreadable && error_ == 0) error_ = error;
  if (!lost_.empty() && lost_.back().offset + lost_.back().length == offset) {
    lost_.back().length += out.size();
  } else if (lost_.size() < kMaxRanges) {
    lost_.push_back({offset, out.size()});
  }
}

void SourceFile::finish(Item& item) {
  const std::lock_guard lock(mutex_);
  item.size_stored = size_;
  item.size_read = size_ - lost_bytes_;
  for (const Extent& hole : holes_) {
    item.holes.push_back({hole.offset, hole.length});
  }
  if (!lost_.empty()) {
    std::ranges::sort(lost_, {}, &ByteRange::offset);
    Json zeros = Json::array();
    for (const ByteRange& range : lost_) {
      zeros.push_back(Json::array({range.offset, range.length}));
    }
    item.notes["zeros_for_unread"] = std::move(zeros);
  }
  judge(item);
  fd_.reset();
}

void SourceFile::judge(Item& item) const {
  const auto say = [&](Outcome outcome, std::string reason) {
    if (item.outcome == Outcome::ok || item.outcome == Outcome::incomplete) {
      item.outcome = outcome;
    }
    item.reason += (item.reason.empty() ? "" : "; ") + std::move(reason);
  };
  const std::string got = fmt::format(
      "{} of {} bytes were read, zeros stand "
      "for the rest",
      item.size_read, size_);
  if (error_ != 0) {
    say(item.size_read == 0 ? Outcome::failed : Outcome::partial,
        fmt::format("{} at offset {}: {}", OsFailure{error_}.message(),
                    lost_.front().offset, got));
  }
  if (ended_) say(Outcome::short_read, "the file became shorter: " + got);
  if (stopped_) say(Outcome::partial, "taking it was stopped: " + got);
  const auto now = stat_fd(fd_);
  std::byte beyond{};
  const auto more = read_at(fd_, stat_.size, std::span(&beyond, 1));
  if (whole_ && ((now && now->size > stat_.size) || (more && *more == 1))) {
    say(Outcome::partial,
        fmt::format("the file grew while it was read: cut at {} bytes",
                    stat_.size));
  } else if (now &&
             (now->mtime_ns != stat_.mtime_ns || now->size != stat_.size)) {
    item.notes["changed_while_read"] = true;
    // A part of a log that only grew behind it is as it was.
    if (now->size <= stat_.size) {
      say(Outcome::incomplete,
          "it changed while it was read: its bytes may be of two states");
    }
  }
  if (clipped_) say(Outcome::partial, "a part lies behind the end of the file");
  if (size_ == 0 && item.outcome == Outcome::ok) item.outcome = Outcome::empty;
}

}  // namespace impound
