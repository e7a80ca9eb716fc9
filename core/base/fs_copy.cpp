// SPDX-License-Identifier: Apache-2.0
#include "core/base/fs_copy.hpp"

#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::size_t kBlock = 4 << 20;
constexpr std::uint32_t kPrivate = 0600;  // until it is whole

[[noreturn]] void fail(std::string_view act, const fs::path& path,
                       const OsFailure& failure) {
  throw Error(Errc::io,
              fmt::format("cannot {} {}: {}", act, printable(path.native()),
                          failure.message()),
              failure.code);
}

UniqueFd open_original(const fs::path& from) {
  auto opened = open_read(from);
  if (!opened) fail("read", from, opened.failure());
  return std::move(*opened);
}

bool share_blocks(const UniqueFd& from, const UniqueFd& to) {
  return ::ioctl(to.get(), FICLONE, from.get()) == 0;
}

/// @return bytes that were copied.
std::uint64_t copy_bytes(const UniqueFd& from, const fs::path& from_path,
                         const UniqueFd& to, const fs::path& to_path) {
  Bytes block(kBlock);
  std::uint64_t at = 0;
  while (true) {
    const auto read = read_at(from, at, block);
    if (!read) fail("read", from_path, read.failure());
    if (*read == 0) return at;
    write_all(to, ByteView(block).first(*read), to_path);
    at += *read;
  }
}

}  // namespace

void copy_file_apart(const fs::path& from, const fs::path& to) {
  const UniqueFd original = open_original(from);
  const auto stat = stat_fd(original);
  if (!stat) fail("read", from, stat.failure());
  if (stat->kind != FileKind::regular) {
    throw Error(Errc::io,
                fmt::format("cannot copy {}: it is a {}, expected a "
                            "regular file",
                            printable(from.native()), to_string(stat->kind)));
  }
  const UniqueFd copy = create_file(to, kPrivate);
  if (!share_blocks(original, copy)) {
    const std::uint64_t copied = copy_bytes(original, from, copy, to);
    if (copied != stat->size) {
      throw Error(Errc::integrity,
                  fmt::format("{} had {} bytes when its copy began, and {} "
                              "were read",
                              printable(from.native()), stat->size, copied));
    }
  }
  if (::fchmod(copy.get(), static_cast<mode_t>(stat->mode & 0777U)) != 0) {
    fail("set the mode of", to, OsFailure{errno});
  }
  sync_fd(copy, to);
}

bool can_share_blocks(const fs::path& from, const fs::path& folder) {
  const fs::path probe =
      folder / fmt::format(".impound-probe-{}", static_cast<int>(::getpid()));
  bool done = false;
  try {
    const UniqueFd original = open_original(from);
    const UniqueFd copy = create_file(probe, kPrivate);
    done = share_blocks(original, copy);
  } catch (const Error&) {
    return false;  // whoever copies says why it cannot be read or written
  }
  remove_file(probe);
  return done;
}

}  // namespace impound
