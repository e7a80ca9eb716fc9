// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Reading /proc: processes, their tree, their control groups and sockets.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/fs.hpp"

namespace impound {

using Pid = std::int32_t;

/// /proc/PID/stat. A pid alone is reused; with its start time it names one
/// process of this boot.
struct ProcessStat {
  Pid pid = 0;
  Pid parent = 0;
  Pid group = 0;
  Pid session = 0;
  char state = '?';  ///< R S D T t Z X I, as in proc(5)
  std::uint32_t threads = 0;
  std::uint64_t start_ticks = 0;  ///< since boot
  std::string name;               ///< raw bytes, at most 15

  [[nodiscard]] bool is_stopped() const { return state == 'T'; }
  /// Dead and not yet collected by its parent: it cannot run again.
  [[nodiscard]] bool is_dead() const { return state == 'Z' || state == 'X'; }
};

/// One line of /proc/PID/cgroup.
struct CgroupMembership {
  std::string controllers;  ///< "freezer", "name=systemd", "" for v2
  std::string path;         ///< "/system.slice/vllm.service"
};

/// One line of /proc/net/{tcp,tcp6,udp,udp6,unix}.
struct SocketEntry {
  std::string protocol;  ///< "tcp", "tcp6", "udp", "udp6", "unix"
  std::string local;     ///< "127.0.0.1:8080", "[::1]:8080", a path, "@name"
  std::string remote;
  std::string state;  ///< "LISTEN", "ESTABLISHED" …; unix: as the kernel's
                      ///< number
  std::uint16_t local_port = 0;
  std::uint64_t inode = 0;
  std::uint32_t uid = 0;
};

/// A mounted hierarchy of control groups.
struct CgroupMount {
  bool is_v2 = false;
  std::string options;  ///< "rw,freezer"
  fs::path path;        ///< where it is mounted
  std::string root;     ///< the part of the hierarchy that is mounted: "/"
};

/// What the kernel says of processes. `root` is /proc but in tests.
class ProcFs {
 public:
  explicit ProcFs(fs::path root = "/proc") : root_(std::move(root)) {}

  [[nodiscard]] fs::path path(Pid pid, std::string_view file) const;
  [[nodiscard]] const fs::path& root() const { return root_; }

  /// Ascending.
  [[nodiscard]] std::vector<Pid> pids() const;
  /// Empty once the process is gone.
  [[nodiscard]] std::optional<ProcessStat> stat(Pid pid) const;
  /// Whether `pid` still is the process that started at `start_ticks`.
  [[nodiscard]] bool is_same(Pid pid, std::uint64_t start_ticks) const;

  /// The processes of `roots` and everything below them, ascending by pid.
  [[nodiscard]] std::vector<ProcessStat> tree(std::span<const Pid> roots) const;

  [[nodiscard]] std::vector<CgroupMembership> cgroups(Pid pid) const;
  /// Numbers of the open descriptors, ascending.
  [[nodiscard]] OsResult<std::vector<int>> descriptors(Pid pid) const;
  /// Inodes of the sockets that a process holds.
  [[nodiscard]] std::vector<std::uint64_t> socket_inodes(Pid pid) const;

  /// Sockets of the network namespace of `pid`; of our own where it is 0.
  /// Sorted as the kernel lists them, tcp first.
  [[nodiscard]] std::vector<SocketEntry> sockets(Pid pid) const;

  /// Nanoseconds since 1970 of a start time in ticks; empty if /proc/stat does
  /// not say when the machine was booted.
  [[nodiscard]] std::optional<TimeNs> start_time(std::uint64_t ticks) const;

  /// Hierarchies of control groups that are mounted, from
  /// /proc/self/mountinfo.
  [[nodiscard]] std::vector<CgroupMount> cgroup_mounts() const;

 private:
  fs::path root_;
};

/// Pure parsers, for hostile text: a process chooses its own name.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(
    std::string_view text);
[[nodiscard]] std::vector<CgroupMembership> parse_cgroups(
    std::string_view text);
[[nodiscard]] std::vector<SocketEntry> parse_inet_sockets(
    std::string_view text, std::string_view protocol);
[[nodiscard]] std::vector<SocketEntry> parse_unix_sockets(
    std::string_view text);
[[nodiscard]] std::vector<CgroupMount> parse_cgroup_mounts(
    std::string_view mountinfo);

}  // namespace impound
