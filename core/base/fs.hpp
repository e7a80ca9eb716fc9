// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The only door to files: safe opening, whole reads, durable writes.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/clock.hpp"
#include "core/base/source.hpp"

namespace impound {

namespace fs = std::filesystem;

/// Why the operating system refused, as a value. `code` is an errno.
struct OsFailure {
  int code = 0;

  [[nodiscard]] std::string message() const;       ///< "Permission denied"
  [[nodiscard]] bool is_missing() const noexcept;  ///< ENOENT, ENOTDIR, ESRCH
  [[nodiscard]] bool is_denied() const noexcept;   ///< EACCES, EPERM
  /// Asked again, the system would say the same until somebody changes the
  /// files: what is_missing() and is_denied() name, and a path of another kind
  /// or length than can be opened. A read error, a full disk, a lack of
  /// descriptors and an unknown cause (0) are not.
  [[nodiscard]] bool is_lasting() const noexcept;
};

/// A value, or why there is none.
template <typename T>
class OsResult {
 public:
  OsResult(T value) : value_(std::move(value)) {}     // NOLINT
  OsResult(OsFailure failure) : failure_(failure) {}  // NOLINT

  explicit operator bool() const noexcept { return value_.has_value(); }
  [[nodiscard]] T& operator*() { return *value_; }
  [[nodiscard]] const T& operator*() const { return *value_; }
  [[nodiscard]] T* operator->() { return &*value_; }
  [[nodiscard]] const T* operator->() const { return &*value_; }
  /// Meaningful only where there is no value.
  [[nodiscard]] const OsFailure& failure() const noexcept { return failure_; }

 private:
  std::optional<T> value_;
  OsFailure failure_;
};

/// An owned file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

enum class FileKind : std::uint8_t {
  regular,
  directory,
  symlink,
  fifo,
  socket,
  character_device,
  block_device,
  unknown,
};

[[nodiscard]] std::string_view to_string(FileKind kind) noexcept;

/// What stat says. Times in nanoseconds since 1970, UTC.
struct FileStat {
  FileKind kind = FileKind::unknown;
  std::uint64_t size = 0;  ///< bytes
  std::uint32_t mode = 0;  ///< permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
  std::uint64_t allocated = 0;  ///< bytes on disk; below size for sparse files
  TimeNs mtime_ns = 0;
  TimeNs ctime_ns = 0;
  TimeNs atime_ns = 0;
};

struct ExtendedAttribute {
  std::string name;
  Bytes value;
};

enum class Links : std::uint8_t { refuse, follow };

/// Stat of `path` itself (refuse) or of what it points at (follow).
[[nodiscard]] OsResult<FileStat> stat_path(const fs::path& path, Links links);
[[nodiscard]] OsResult<FileStat> stat_fd(const UniqueFd& fd);

/// The path itself, absolute, or the nearest folder above it that is there.
[[nodiscard]] fs::path existing_part(const fs::path& path);

/// Opens for reading without changing the access time where allowed, without
/// blocking on pipes, and by default not through a symbolic link.
[[nodiscard]] OsResult<UniqueFd> open_read(const fs::path& path,
                                           Links links = Links::refuse);

/// Reads up to out.size() bytes at `offset`; 0 is the end of the file.
/// Interrupted and short system calls are repeated until `out` is full.
[[nodiscard]] OsResult<std::size_t> read_at(const UniqueFd& fd,
                                            std::uint64_t offset,
                                            std::span<std::byte> out);

[[nodiscard]] OsResult<std::string> read_link(const fs::path& path);

/// Sorted by name.
[[nodiscard]] OsResult<std::vector<ExtendedAttribute>> read_xattrs(
    const UniqueFd& fd);

/// Names in a directory, sorted by bytes, without "." and "..".
[[nodiscard]] OsResult<std::vector<std::string>> list_directory(
    const fs::path& path);

/// A whole file that must not be larger than `limit` bytes.
/// @throws Error{io} or Error{limit} naming the file.
[[nodiscard]] std::string read_text_file(const fs::path& path,
                                         std::uint64_t limit);

/// A /proc or /sys file: size unknown, bounded by limits::kVolatileBytes and
/// kVolatileSeconds; what was read until then. Empty if it cannot be opened.
[[nodiscard]] std::optional<std::string> read_proc_text(const fs::path& path);

/// What was read of a volatile source, and whether it came to its end.
struct VolatileText {
  std::string text;
  bool is_whole = true;
};

/// Like read_proc_text, and says why there is nothing or not everything.
[[nodiscard]] OsResult<VolatileText> read_volatile(const fs::path& path);

/// A regular file as a random-access source.
/// @throws Error{io} naming the file and the operating system's words.
[[nodiscard]] std::unique_ptr<ByteSource> open_source(const fs::path& path);

/// Writes everything or throws Error{io} naming `path`.
void write_all(const UniqueFd& fd, ByteView bytes, const fs::path& path);

/// Creates a file that must not exist yet.
/// @throws Error{io}.
[[nodiscard]] UniqueFd create_file(const fs::path& path, std::uint32_t mode);

void sync_fd(const UniqueFd& fd, const fs::path& path);  ///< @throws Error{io}
void sync_folder(const fs::path& folder);                ///< @throws Error{io}

/// Renames within one folder and makes it durable [I3].
void rename_durably(const fs::path& from, const fs::path& to);

/// Writes a small file so that it is there whole or not at all: temporary file,
/// fsync, rename, fsync of the folder. Replaces an existing one.
void write_file_durably(const fs::path& path, ByteView bytes,
                        std::uint32_t mode = 0644);

/// @throws Error{io} naming the folder.
void create_folders(const fs::path& path);

/// Opens or creates a file that only serves try_lock().
/// @throws Error{io}.
[[nodiscard]] UniqueFd open_lock_file(const fs::path& path);

/// Takes an exclusive lock that lives as long as `fd` is open in some process;
/// false if another open file holds it.
[[nodiscard]] bool try_lock(const UniqueFd& fd);

/// Removes a file of our own; silent if it is gone already.
void remove_file(const fs::path& path) noexcept;

/// @throws Error{io} if something is there already.
void make_symlink(const std::string& target, const fs::path& path);

/// Sets permission bits and modification time; the owner only as root.
/// @throws Error{io}.
void restore_metadata(const fs::path& path, std::uint32_t mode,
                      std::uint32_t uid, std::uint32_t gid, TimeNs mtime_ns);

/// Bytes that this user may still write on the disk that holds `path`.
[[nodiscard]] std::uint64_t free_bytes(const fs::path& path);

/// Relative, '/'-separated, no empty, "." or ".." component, no NUL [I7].
[[nodiscard]] bool is_safe_member_name(std::string_view name) noexcept;

}  // namespace impound
