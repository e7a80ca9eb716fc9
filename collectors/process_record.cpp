// SPDX-License-Identifier: Apache-2.0
#include "collectors/process_record.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

/// linux/capability.h, in the order of the bits.
constexpr std::array<std::string_view, 41> kCapabilities{
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, base);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

bool OpenFile::is_deleted_file() const {
  return stat && stat->kind == FileKind::regular && stat->links == 0;
}

std::optional<std::uint64_t> OpenFile::socket_inode() const {
  const std::string_view text = target;
  if (!text.starts_with("socket:[") || !text.ends_with(']')) {
    return std::nullopt;
  }
  return parse_number(text.substr(8, text.size() - 9), 10);
}

FileIdentity OpenFile::identity() const {
  if (!stat) return {0, 0};
  return {stat->device, stat->inode};
}

Json OpenFile::to_json() const {
  Json json{{"fd", fd}, {"target", lossless_utf8(target)}};
  if (!flags.empty()) json["flags"] = flags;
  if (!position.empty()) json["position"] = position;
  if (stat) {
    json["kind"] = to_string(stat->kind);
    json["inode"] = stat->inode;
    if (stat->kind == FileKind::regular) json["size"] = stat->size;
    if (is_deleted_file()) json["deleted"] = true;
  }
  return json;
}

OsResult<std::vector<OpenFile>> read_open_files(Pid pid, const ProcFs& procfs) {
  const auto descriptors = procfs.descriptors(pid);
  if (!descriptors) return descriptors.failure();
  std::vector<OpenFile> found;
  for (const int fd : *descriptors) {
    const fs::path link = procfs.path(pid, "fd") / std::to_string(fd);
    const auto target = read_link(link);
    if (!target) continue;  // closed since the list was made
    OpenFile file;
    file.fd = fd;
    file.target = *target;
    if (const auto stat = stat_path(link, Links::follow)) file.stat = *stat;
    const auto info =
        read_proc_text(procfs.path(pid, "fdinfo") / std::to_string(fd));
    if (info) {
      auto values = parse_status(*info);
      file.position = values["pos"];
      file.flags = values["flags"];
    }
    found.push_back(std::move(file));
  }
  return found;
}

std::vector<DeletedMapping> find_deleted_mappings(std::string_view maps) {
  std::vector<DeletedMapping> found;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    const std::size_t path = line.find('/');
    if (path == line.npos || !line.ends_with(kDeleted)) continue;
    const std::string_view name = line.substr(path);
    if (name == "/dev/zero (deleted)" || name.starts_with("/SYSV")) continue;
    found.push_back(
        {std::string(line.substr(0, line.find(' '))), std::string(name)});
  }
  return found;
}

std::map<std::string, std::string> parse_status(std::string_view text) {
  std::map<std::string, std::string> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    found.emplace(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
  return found;
}

std::vector<std::string> capability_names(std::string_view hex) {
  std::vector<std::string> names;
  const auto mask = parse_number(hex, 16);
  if (!mask) return names;
  for (std::size_t bit = 0; bit < 64; ++bit) {
    if (((*mask >> bit) & 1U) == 0) continue;
    names.push_back(bit < kCapabilities.size() ? std::string(kCapabilities[bit])
                                               : "CAP_" + std::to_string(bit));
  }
  return names;
}

}  // namespace impound
