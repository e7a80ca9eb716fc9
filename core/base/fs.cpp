// SPDX-License-Identifier: Apache-2.0
#include "core/base/fs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/base/handle.hpp"
#include "core/base/held_locks.hpp"
#include "core/base/holes.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

using Directory = Handle<DIR, ::closedir>;

[[noreturn]] void fail(std::string_view tried, const fs::path& path, int code) {
  throw Error(Errc::io,
              fmt::format("{} {}: {}", tried, printable(path.native()),
                          OsFailure{code}.message()),
              code);
}

FileKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileKind::regular;
    case S_IFDIR:
      return FileKind::directory;
    case S_IFLNK:
      return FileKind::symlink;
    case S_IFIFO:
      return FileKind::fifo;
    case S_IFSOCK:
      return FileKind::socket;
    case S_IFCHR:
      return FileKind::character_device;
    case S_IFBLK:
      return FileKind::block_device;
    default:
      return FileKind::unknown;
  }
}

TimeNs to_ns(const timespec& time) {
  return static_cast<TimeNs>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileStat convert(const struct stat& raw) {
  FileStat stat;
  stat.kind = kind_of(raw.st_mode);
  stat.size = static_cast<std::uint64_t>(raw.st_size);
  stat.mode = raw.st_mode & 07777U;
  stat.uid = raw.st_uid;
  stat.gid = raw.st_gid;
  stat.device = raw.st_dev;
  stat.inode = raw.st_ino;
  stat.links = raw.st_nlink;
  stat.allocated = static_cast<std::uint64_t>(raw.st_blocks) * 512;
  stat.mtime_ns = to_ns(raw.st_mtim);
  stat.ctime_ns = to_ns(raw.st_ctim);
  stat.atime_ns = to_ns(raw.st_atim);
  return stat;
}

class FileSource final : public SparseSource {
 public:
  FileSource(UniqueFd fd, std::uint64_t size, fs::path path)
      : fd_(std::move(fd)), size_(size), path_(std::move(path)) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      throw Error(
          Errc::malformed,
          fmt::format("{}: offset {}: expected {} bytes, the file "
                      "has {}",
                      printable(path_.native()), offset, out.size(), size_));
    }
    const auto got = read_at(fd_, offset, out);
    if (!got) fail("cannot read", path_, got.failure().code);
    if (*got != out.size()) {
      throw Error(
          Errc::io,
          fmt::format("{} became shorter while it was read: {} of {} "
                      "bytes at offset {}",
                      printable(path_.native()), *got, out.size(), offset));
    }
  }

  [[nodiscard]] std::uint64_t next_data(std::uint64_t offset) const override {
    return seek(offset, SEEK_DATA).value_or(std::min(offset, size_));
  }
  [[nodiscard]] std::uint64_t next_hole(std::uint64_t offset) const override {
    return seek(offset, SEEK_HOLE).value_or(size_);
  }

 private:
  /// Empty where the file system knows no holes. Bytes are read by their place
  /// alone: where this leaves the descriptor is nobody's.
  [[nodiscard]] std::optional<std::uint64_t> seek(std::uint64_t offset,
                                                  int whence) const {
    if (offset >= size_) return size_;
    const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset), whence);
    if (found >= 0) {
      return std::clamp(static_cast<std::uint64_t>(found), offset, size_);
    }
    if (errno != ENXIO) return std::nullopt;
    // A hole to the end; or an end that is nearer now, behind which nothing is
    // known to be zero.
    const auto now = stat_fd(fd_);
    if (!now) fail("cannot read", path_, now.failure().code);
    if (now->size < size_) {
      throw Error(Errc::io,
                  fmt::format("{} became shorter while it was read: {} of {} "
                              "bytes",
                              printable(path_.native()), now->size, size_));
    }
    return size_;
  }

  UniqueFd fd_;
  std::uint64_t size_;
  fs::path path_;
};

}  // namespace

std::string OsFailure::message() const {
  if (code == kOurLockedFile) {
    return "it is the database that this process has open: reading it beside "
           "SQLite would give up the locks on it";
  }
  return std::error_code(code, std::generic_category()).message();
}

bool OsFailure::is_missing() const noexcept {
  return code == ENOENT || code == ENOTDIR || code == ESRCH;
}

bool OsFailure::is_denied() const noexcept {
  return code == EACCES || code == EPERM;
}

bool OsFailure::is_lasting() const noexcept {
  return is_missing() || is_denied() || code == EISDIR || code == ELOOP ||
         code == ENAMETOOLONG || code == ENOTSUP;
}

void UniqueFd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string_view to_string(FileKind kind) noexcept {
  switch (kind) {
    case FileKind::regular:
      return "file";
    case FileKind::directory:
      return "directory";
    case FileKind::symlink:
      return "symlink";
    case FileKind::fifo:
      return "fifo";
    case FileKind::socket:
      return "socket";
    case FileKind::character_device:
      return "character device";
    case FileKind::block_device:
      return "block device";
    case FileKind::unknown:
      return "unknown";
  }
  return "unknown";
}

OsResult<FileStat> stat_path(const fs::path& path, Links links) {
  struct stat raw {};
  const int flags = links == Links::refuse ? AT_SYMLINK_NOFOLLOW : 0;
  if (::fstatat(AT_FDCWD, path.c_str(), &raw, flags) != 0) {
    return OsFailure{errno};
  }
  return convert(raw);
}

OsResult<FileStat> stat_fd(const UniqueFd& fd) {
  struct stat raw {};
  if (::fstat(fd.get(), &raw) != 0) return OsFailure{errno};
  return convert(raw);
}

OsResult<UniqueFd> open_read(const fs::path& path, Links links) {
  // Before it is opened, so that nothing has to be closed.
  const auto before = stat_path(path, links);
  if (before && is_locked_by_us(*before)) return OsFailure{kOurLockedFile};
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  if (links == Links::refuse) flags |= O_NOFOLLOW;
  // Only the owner may ask for O_NOATIME; others read with it unset.
  int fd = ::open(path.c_str(), flags | O_NOATIME);
  if (fd < 0 && errno == EPERM) fd = ::open(path.c_str(), flags);
  if (fd < 0) return OsFailure{errno};
  struct stat found {};
  if (::fstat(fd, &found) == 0 && is_locked_by_us(convert(found))) {
    // The name changed hands in between. It stays open until the process ends:
    // closing it is what must not happen.
    return OsFailure{kOurLockedFile};
  }
  return UniqueFd(fd);
}

OsResult<std::size_t> read_at(const UniqueFd& fd, std::uint64_t offset,
                              std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(fd.get(), out.data() + done, out.size() - done,
                                static_cast<off_t>(offset + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      return OsFailure{errno};
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

OsResult<std::string> read_link(const fs::path& path) {
  std::string target(256, '\0');
  while (true) {
    const ssize_t got = ::readlink(path.c_str(), target.data(), target.size());
    if (got < 0) return OsFailure{errno};
    if (static_cast<std::size_t>(got) < target.size()) {
      target.resize(static_cast<std::size_t>(got));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

OsResult<std::vector<ExtendedAttribute>> read_xattrs(const UniqueFd& fd) {
  std::string names(64 * limits::kKiB, '\0');
  const ssize_t total = ::flistxattr(fd.get(), names.data(), names.size());
  if (total < 0) {
    if (errno == ENOTSUP) return std::vector<ExtendedAttribute>{};
    return OsFailure{errno};
  }
  names.resize(static_cast<std::size_t>(total));
  std::vector<ExtendedAttribute> attributes;
  for (std::size_t at = 0; at < names.size();) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    Bytes value(64 * limits::kKiB);
    const ssize_t got =
        ::fgetxattr(fd.get(), name.c_str(), value.data(), value.size());
    if (got < 0) continue;  // vanished, or not for us: the next may be
    value.resize(static_cast<std::size_t>(got));
    attributes.push_back({name, std::move(value)});
  }
  std::ranges::sort(attributes, {}, &ExtendedAttribute::name);
  return attributes;
}

OsResult<std::vector<std::string>> list_directory(const fs::path& path) {
  const Directory directory(::opendir(path.c_str()));
  if (!directory) return OsFailure{errno};
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) {
      if (errno != 0) return OsFailure{errno};
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string read_text_file(const fs::path& path, std::uint64_t limit) {
  auto fd = open_read(path, Links::follow);
  if (!fd) fail("cannot read", path, fd.failure().code);
  const auto stat = stat_fd(*fd);
  if (stat && stat->kind == FileKind::directory) {
    fail("cannot read", path, EISDIR);
  }
  std::string text;
  Bytes block(256 * limits::kKiB);
  while (true) {
    const auto got = read_at(*fd, text.size(), block);
    if (!got) fail("cannot read", path, got.failure().code);
    text.append(as_text(ByteView(block).first(*got)));
    if (text.size() > limit) {
      throw Error(Errc::limit,
                  fmt::format("{} is larger than {}", printable(path.native()),
                              human_bytes(limit)));
    }
    if (*got < block.size()) return text;
  }
}

std::optional<std::string> read_proc_text(const fs::path& path) {
  auto read = read_volatile(path);
  if (!read) return std::nullopt;
  return std::move(read->text);
}

OsResult<VolatileText> read_volatile(const fs::path& path) {
  const auto fd = open_read(path, Links::follow);
  if (!fd) return fd.failure();
  using SteadyClock = std::chrono::steady_clock;
  const auto deadline =
      SteadyClock::now() + std::chrono::seconds(limits::kVolatileSeconds);
  VolatileText result;
  Bytes block(64 * limits::kKiB);
  while (result.text.size() < limits::kVolatileBytes &&
         SteadyClock::now() < deadline) {
    const ssize_t got = ::read(fd->get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      pollfd wait{fd->get(), POLLIN, 0};
      if (::poll(&wait, 1, 100) < 0 && errno != EINTR) break;
      continue;
    }
    if (got == 0) return result;
    if (got < 0) {
      if (result.text.empty()) return OsFailure{errno};
      break;
    }
    result.text.append(
        as_text(ByteView(block).first(static_cast<std::size_t>(got))));
  }
  result.is_whole = false;
  return result;
}

std::unique_ptr<ByteSource> open_source(const fs::path& path) {
  auto fd = open_read(path, Links::follow);
  if (!fd) fail("cannot read", path, fd.failure().code);
  const auto stat = stat_fd(*fd);
  if (!stat) fail("cannot read", path, stat.failure().code);
  if (stat->kind != FileKind::regular) {
    throw Error(Errc::io,
                fmt::format("cannot read {}: it is a {}, expected a "
                            "regular file",
                            printable(path.native()), to_string(stat->kind)),
                stat->kind == FileKind::directory ? EISDIR : ENOTSUP);
  }
  return std::make_unique<FileSource>(std::move(*fd), stat->size, path);
}

void write_all(const UniqueFd& fd, ByteView bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd.get(), bytes.data(), bytes.size());
    if (done < 0) {
      if (errno == EINTR) continue;
      fail("cannot write", path, errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

UniqueFd create_file(const fs::path& path, std::uint32_t mode) {
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
             static_cast<mode_t>(mode));
  if (fd < 0) fail("cannot create", path, errno);
  return UniqueFd(fd);
}

void sync_fd(const UniqueFd& fd, const fs::path& path) {
  if (::fsync(fd.get()) != 0) fail("cannot make durable", path, errno);
}

void sync_folder(const fs::path& folder) {
  const int raw = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (raw < 0) fail("cannot open folder", folder, errno);
  const UniqueFd fd(raw);
  sync_fd(fd, folder);
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    fail("cannot rename to " + printable(to.native()) + " from", from, errno);
  }
  sync_folder(to.has_parent_path() ? to.parent_path() : fs::path("."));
}

void write_file_durably(const fs::path& path, ByteView bytes,
                        std::uint32_t mode) {
  fs::path temporary = path;
  temporary += ".new";
  ::unlink(temporary.c_str());  // left by a crash; never evidence
  try {
    const UniqueFd fd = create_file(temporary, mode);
    write_all(fd, bytes, temporary);
    sync_fd(fd, temporary);
    rename_durably(temporary, path);
  } catch (const Error&) {
    remove_file(temporary);
    throw;
  }
}

void create_folders(const fs::path& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (failure) fail("cannot create folder", path, failure.value());
}

UniqueFd open_lock_file(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) fail("cannot open lock file", path, errno);
  return UniqueFd(fd);
}

bool try_lock(const UniqueFd& fd) {
  return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

void remove_file(const fs::path& path) noexcept { ::unlink(path.c_str()); }

void make_symlink(const std::string& target, const fs::path& path) {
  if (::symlink(target.c_str(), path.c_str()) != 0) {
    fail("cannot make link", path, errno);
  }
}

void restore_metadata(const fs::path& path, std::uint32_t mode,
                      std::uint32_t uid, std::uint32_t gid, TimeNs mtime_ns) {
  if (::geteuid() == 0 && ::lchown(path.c_str(), uid, gid) != 0) {
    fail("cannot set the owner of", path, errno);
  }
  // A working copy never gains the power to run as somebody else.
  if (::chmod(path.c_str(), mode & 0777U) != 0) {
    fail("cannot set the mode of", path, errno);
  }
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = mtime_ns / 1'000'000'000;
  times[1].tv_nsec = mtime_ns % 1'000'000'000;
  if (times[1].tv_nsec < 0) {
    times[1].tv_nsec += 1'000'000'000;
    --times[1].tv_sec;
  }
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
    fail("cannot set the times of", path, errno);
  }
}

std::uint64_t free_bytes(const fs::path& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) {
    fail("cannot ask for free space of", path, errno);
  }
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

bool is_safe_member_name(std::string_view name) noexcept {
  if (name.empty() || name.front() == '/') return false;
  if (name.find('\0') != name.npos) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == name.npos) return true;
    name.remove_prefix(slash + 1);
  }
}

fs::path existing_part(const fs::path& path) {
  fs::path place = fs::absolute(path);
  while (!stat_path(place, Links::follow) && place.has_relative_path()) {
    place = place.parent_path();
  }
  return place;
}

}  // namespace impound
