// SPDX-License-Identifier: Apache-2.0
#include "core/storage/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/handle.hpp"

namespace impound {
namespace {

using ArchiveHandle = Handle<archive, archive_read_free>;

constexpr std::size_t kChunk = std::size_t{1} << 18U;
constexpr std::uint64_t kInMemory = std::uint64_t{64} << 20U;

/// What libarchive reads from. A failure of the source is kept and thrown again
/// outside of C code.
struct Feed {
  const ByteSource* source = nullptr;
  std::uint64_t at = 0;
  Bytes chunk = Bytes(kChunk);
  std::optional<Error> failure;
};

la_ssize_t read_some(archive* handle, void* context, const void** out) {
  auto* const feed = static_cast<Feed*>(context);
  const auto count = static_cast<std::size_t>(
      std::min<std::uint64_t>(kChunk, feed->source->size() - feed->at));
  try {
    feed->source->read(feed->at, {feed->chunk.data(), count});
  } catch (const Error& error) {
    feed->failure = error;
    archive_set_error(handle, EIO, "%s", error.what());
    return -1;
  }
  feed->at += count;
  *out = feed->chunk.data();
  return static_cast<la_ssize_t>(count);
}

la_int64_t skip_some(archive* /*handle*/, void* context, la_int64_t wanted) {
  auto* const feed = static_cast<Feed*>(context);
  const std::uint64_t count = std::min<std::uint64_t>(
      static_cast<std::uint64_t>(std::max<la_int64_t>(wanted, 0)),
      feed->source->size() - feed->at);
  feed->at += count;
  return static_cast<la_int64_t>(count);
}

la_int64_t seek_to(archive* /*handle*/, void* context, la_int64_t offset,
                   int whence) {
  auto* const feed = static_cast<Feed*>(context);
  const auto size = static_cast<la_int64_t>(feed->source->size());
  la_int64_t from = size;
  if (whence == SEEK_SET) from = 0;
  if (whence == SEEK_CUR) from = static_cast<la_int64_t>(feed->at);
  la_int64_t place = 0;
  if (__builtin_add_overflow(from, offset, &place) || place < 0 ||
      place > size) {
    return ARCHIVE_FATAL;
  }
  feed->at = static_cast<std::uint64_t>(place);
  return place;
}

/// The bytes of a file that has no name any more.
class SpillSource final : public ByteSource {
 public:
  SpillSource(const UniqueFd& fd, std::uint64_t size) : fd_(fd), size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      throw Error(Errc::malformed, "read behind the end of an unpacked member");
    }
    const OsResult<std::size_t> got = read_at(fd_, offset, out);
    if (!got || *got != out.size()) {
      throw Error(Errc::io, "cannot read an unpacked member back");
    }
  }

 private:
  const UniqueFd& fd_;
  std::uint64_t size_;
};

UniqueFd open_spill() {
  const std::string folder = std::filesystem::temp_directory_path().string();
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.is_open()) {
    throw Error(Errc::io, "cannot make a temporary file in " + folder);
  }
  return fd;
}

/// The content of one member, as far as the limits allow.
struct Unpacked {
  Bytes memory;
  UniqueFd spill;
  std::uint64_t size = 0;
  std::string problem;
};

class ArchiveWalk {
 public:
  ArchiveWalk(const ByteSource& packed, const ArchiveLimits& limits,
              const ArchiveVisit& visit)
      : limits_(limits), visit_(visit) {
    feed_.source = &packed;
  }

  ArchiveOutcome run() {
    // Bytes under a filter (xz, bzip2, zstd …) are unpacked whole, as one
    // member: libarchive's readers stop where they think an archive ends, and
    // take 1 KiB of zeros for an empty tar. What is inside is for the caller to
    // recognise.
    if (walk(Way::filtered)) return std::move(outcome_);
    feed_.at = 0;
    outcome_ = ArchiveOutcome();
    static_cast<void>(walk(Way::archive));
    return std::move(outcome_);
  }

 private:
  enum class Way : std::uint8_t { filtered, archive };

  /// @return false if the bytes are not of this kind.
  bool walk(Way way) {
    const ArchiveHandle handle(archive_read_new());
    if (!handle) throw Error(Errc::io, "libarchive: out of memory");
    open(handle.get(), way);
    bool goes_on = outcome_.problem.empty();
    while (goes_on && outcome_.problem.empty()) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(handle.get(), &entry);
      if (feed_.failure) throw Error(*feed_.failure);
      if (way == Way::filtered && archive_filter_count(handle.get()) < 2) {
        return false;
      }
      if (result == ARCHIVE_EOF) {
        outcome_.is_archive = true;
        break;
      }
      if (result < ARCHIVE_WARN) {
        fail(handle.get());
        break;
      }
      goes_on = member(handle.get(), entry);
    }
    if (feed_.failure) throw Error(*feed_.failure);
    if (way == Way::filtered && goes_on && outcome_.problem.empty()) {
      const la_int64_t used = archive_filter_bytes(handle.get(), -1);
      if (used >= 0 &&
          static_cast<std::uint64_t>(used) < feed_.source->size()) {
        outcome_.problem = "bytes behind the packed data";
      }
    }
    return true;
  }

  void open(archive* handle, Way way) {
    archive_read_support_filter_all(handle);
    if (way == Way::filtered) {
      archive_read_support_format_raw(handle);
    } else {
      archive_read_support_format_all(handle);
    }
    archive_read_set_callback_data(handle, &feed_);
    archive_read_set_read_callback(handle, read_some);
    archive_read_set_skip_callback(handle, skip_some);
    archive_read_set_seek_callback(handle, seek_to);
    if (archive_read_open1(handle) != ARCHIVE_OK) fail(handle);
  }

  void fail(archive* handle) {
    const char* const words = archive_error_string(handle);
    outcome_.problem = words != nullptr ? words : "cannot be read";
    if (outcome_.problem.find("ncrypt") != std::string::npos ||
        outcome_.problem.find("assphrase") != std::string::npos) {
      outcome_.is_encrypted = true;
    }
    if (archive_format(handle) != 0 || archive_filter_count(handle) > 1) {
      outcome_.is_archive = true;
    }
  }

  bool member(archive* handle, archive_entry* entry) {
    outcome_.is_archive = true;
    if (archive_entry_is_encrypted(entry) != 0) outcome_.is_encrypted = true;
    const auto type = archive_entry_filetype(entry);
    if (type != AE_IFREG && type != 0) return true;
    if (++outcome_.members > limits_.members) {
      outcome_.problem = "more members than the limit";
      return false;
    }
    const char* const path = archive_entry_pathname(entry);
    const std::string name = path != nullptr ? path : "";
    const Unpacked content = unpack(handle);
    outcome_.problem = content.problem;
    // What came out before an error is looked at all the same.
    if (content.spill.is_open()) {
      return visit_(name, SpillSource(content.spill, content.size));
    }
    return visit_(name, SpanSource(content.memory));
  }

  Unpacked unpack(archive* handle) {
    Unpacked content;
    Bytes chunk(kChunk);
    while (true) {
      const la_ssize_t got =
          archive_read_data(handle, chunk.data(), chunk.size());
      if (feed_.failure) throw Error(*feed_.failure);
      if (got == 0) return content;
      if (got < 0) {
        const char* const words = archive_error_string(handle);
        content.problem = words != nullptr ? words : "cannot be unpacked";
        return content;
      }
      const auto count = static_cast<std::size_t>(got);
      outcome_.bytes += count;
      if (content.size + count > limits_.member ||
          outcome_.bytes > limits_.total) {
        content.problem = "unpacks to more bytes than the limit";
        return content;
      }
      if (outcome_.bytes > kInMemory &&
          outcome_.bytes / limits_.ratio > feed_.source->size()) {
        content.problem = "unpacks to suspiciously many bytes";
        return content;
      }
      store(content, ByteView(chunk).first(count));
    }
  }

  static void store(Unpacked& content, ByteView bytes) {
    content.size += bytes.size();
    if (!content.spill.is_open() && content.size <= kInMemory) {
      content.memory.insert(content.memory.end(), bytes.begin(), bytes.end());
      return;
    }
    if (!content.spill.is_open()) {
      content.spill = open_spill();
      write_all(content.spill, content.memory, "an unpacked member");
      content.memory = Bytes();
    }
    write_all(content.spill, bytes, "an unpacked member");
  }

  Feed feed_;
  const ArchiveLimits& limits_;
  const ArchiveVisit& visit_;
  ArchiveOutcome outcome_;
};

}  // namespace

ArchiveOutcome read_archive(const ByteSource& packed,
                            const ArchiveLimits& limits,
                            const ArchiveVisit& visit) {
  return ArchiveWalk(packed, limits, visit).run();
}

}  // namespace impound
