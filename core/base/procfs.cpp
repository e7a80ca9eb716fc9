// SPDX-License-Identifier: Apache-2.0
#include "core/base/procfs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Descriptors listed of one process. The kernel's own bound is 2^20.
constexpr std::size_t kMaxDescriptors = 1U << 20U;

template <typename T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, base);
  if (failure != std::errc{} || stop != end || text.empty()) {
    return std::nullopt;
  }
  return value;
}

/// Fields between blanks; several blanks count as one.
std::vector<std::string_view> fields(std::string_view line) {
  std::vector<std::string_view> found;
  std::size_t at = 0;
  while (true) {
    at = line.find_first_not_of(" \t", at);
    if (at == line.npos) return found;
    const std::size_t end =
        std::min(line.find_first_of(" \t", at), line.size());
    found.push_back(line.substr(at, end - at));
    at = end;
  }
}

/// Calls `use` with each line, without its LF.
template <typename Use>
void each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

constexpr std::array<std::string_view, 13> kTcpStates{
    "?",         "ESTABLISHED", "SYN_SENT",    "SYN_RECV",   "FIN_WAIT1",
    "FIN_WAIT2", "TIME_WAIT",   "CLOSE",       "CLOSE_WAIT", "LAST_ACK",
    "LISTEN",    "CLOSING",     "NEW_SYN_RECV"};

/// The kernel prints addresses as 32-bit words in its own byte order
/// (little-endian on every machine this runs on), the port as a number.
std::optional<std::pair<std::string, std::uint16_t>> inet_address(
    std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return std::nullopt;
  const auto port = number<std::uint16_t>(text.substr(colon + 1), 16);
  const std::string_view hex = text.substr(0, colon);
  if (!port || (hex.size() != 8 && hex.size() != 32)) return std::nullopt;
  std::array<unsigned, 16> bytes{};
  for (std::size_t word = 0; word * 8 < hex.size(); ++word) {
    const auto value = number<std::uint32_t>(hex.substr(word * 8, 8), 16);
    if (!value) return std::nullopt;
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[word * 4 + i] = (*value >> (8 * i)) & 0xFFU;
    }
  }
  if (hex.size() == 8) {
    return std::pair{fmt::format("{}.{}.{}.{}:{}", bytes[0], bytes[1], bytes[2],
                                 bytes[3], *port),
                     *port};
  }
  std::string address;
  for (std::size_t i = 0; i < 16; i += 2) {
    address += fmt::format("{}{:x}", i == 0 ? "" : ":",
                           (bytes[i] << 8U) | bytes[i + 1]);
  }
  return std::pair{fmt::format("[{}]:{}", address, *port), *port};
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // "7 (name) S 1 …": the name may hold blanks and parentheses, so it ends at
  // the last one.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == text.npos || close == text.npos || close < open) {
    return std::nullopt;
  }
  ProcessStat stat;
  const auto pid = number<Pid>(trim(text.substr(0, open)));
  const auto rest = fields(trim(text.substr(close + 1)));
  if (!pid || rest.size() < 20 || rest[0].size() != 1) return std::nullopt;
  const auto parent = number<Pid>(rest[1]);
  const auto group = number<Pid>(rest[2]);
  const auto session = number<Pid>(rest[3]);
  const auto threads = number<std::uint32_t>(rest[17]);
  const auto start = number<std::uint64_t>(rest[19]);
  if (!parent || !group || !session || !threads || !start) return std::nullopt;
  return ProcessStat{
      .pid = *pid,
      .parent = *parent,
      .group = *group,
      .session = *session,
      .state = rest[0][0],
      .threads = *threads,
      .start_ticks = *start,
      .name = std::string(text.substr(open + 1, close - open - 1))};
}

std::vector<CgroupMembership> parse_cgroups(std::string_view text) {
  std::vector<CgroupMembership> found;
  each_line(text, [&](std::string_view line) {
    const std::size_t first = line.find(':');
    if (first == line.npos) return;
    const std::size_t second = line.find(':', first + 1);
    if (second == line.npos) return;
    found.push_back({std::string(line.substr(first + 1, second - first - 1)),
                     std::string(line.substr(second + 1))});
  });
  return found;
}

std::vector<SocketEntry> parse_inet_sockets(std::string_view text,
                                            std::string_view protocol) {
  std::vector<SocketEntry> found;
  each_line(text, [&](std::string_view line) {
    const auto part = fields(line);
    if (part.size() < 10) return;
    const auto local = inet_address(part[1]);
    const auto remote = inet_address(part[2]);
    const auto state = number<std::size_t>(part[3], 16);
    const auto uid = number<std::uint32_t>(part[7]);
    const auto inode = number<std::uint64_t>(part[9]);
    if (!local || !remote || !state || !uid || !inode) return;  // the heading
    found.push_back({.protocol = std::string(protocol),
                     .local = local->first,
                     .remote = remote->first,
                     .state = std::string(
                         kTcpStates[*state < kTcpStates.size() ? *state : 0]),
                     .local_port = local->second,
                     .inode = *inode,
                     .uid = *uid});
  });
  return found;
}

std::vector<SocketEntry> parse_unix_sockets(std::string_view text) {
  std::vector<SocketEntry> found;
  each_line(text, [&](std::string_view line) {
    const auto part = fields(line);
    if (part.size() < 7) return;
    const auto inode = number<std::uint64_t>(part[6]);
    if (!inode) return;
    SocketEntry entry{.protocol = "unix",
                      .local = "",
                      .remote = "",
                      .state = std::string(part[5]),
                      .inode = *inode};
    if (part.size() > 7) {  // the path may hold blanks
      entry.local =
          line.substr(static_cast<std::size_t>(part[7].data() - line.data()));
    }
    found.push_back(std::move(entry));
  });
  return found;
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> found;
  each_line(mountinfo, [&](std::string_view line) {
    // "36 35 98:0 / /sys/fs/cgroup/freezer rw … - cgroup cgroup rw,freezer"
    const std::size_t dash = line.find(" - ");
    if (dash == line.npos) return;
    const auto left = fields(line.substr(0, dash));
    const auto right = fields(line.substr(dash + 3));
    if (left.size() < 6 || right.size() < 3) return;
    if (right[0] != "cgroup" && right[0] != "cgroup2") return;
    found.push_back({.is_v2 = right[0] == "cgroup2",
                     .options = std::string(right[2]),
                     .path = fs::path(left[4]),
                     .root = std::string(left[3])});
  });
  return found;
}

fs::path ProcFs::path(Pid pid, std::string_view file) const {
  return root_ / std::to_string(pid) / file;
}

std::vector<Pid> ProcFs::pids() const {
  std::vector<Pid> found;
  const auto names = list_directory(root_);
  if (!names) return found;
  for (const std::string& name : *names) {
    if (const auto pid = number<Pid>(name)) found.push_back(*pid);
  }
  std::ranges::sort(found);
  return found;
}

std::optional<ProcessStat> ProcFs::stat(Pid pid) const {
  const auto text = read_proc_text(path(pid, "stat"));
  if (!text) return std::nullopt;
  return parse_process_stat(*text);
}

bool ProcFs::is_same(Pid pid, std::uint64_t start_ticks) const {
  const auto now = stat(pid);
  return now && now->start_ticks == start_ticks;
}

std::vector<ProcessStat> ProcFs::tree(std::span<const Pid> roots) const {
  std::multimap<Pid, ProcessStat> by_parent;
  std::map<Pid, ProcessStat> found;
  for (const Pid pid : pids()) {
    const auto one = stat(pid);
    if (!one) continue;
    by_parent.emplace(one->parent, *one);
    if (std::ranges::find(roots, pid) != roots.end()) found.emplace(pid, *one);
  }
  std::vector<Pid> open;
  for (const auto& [pid, one] : found) open.push_back(pid);
  while (!open.empty()) {
    const Pid parent = open.back();
    open.pop_back();
    const auto [begin, end] = by_parent.equal_range(parent);
    for (auto child = begin; child != end; ++child) {
      if (found.emplace(child->second.pid, child->second).second) {
        open.push_back(child->second.pid);
      }
    }
  }
  std::vector<ProcessStat> tree;
  for (auto& [pid, one] : found) tree.push_back(std::move(one));
  return tree;
}

std::vector<CgroupMembership> ProcFs::cgroups(Pid pid) const {
  const auto text = read_proc_text(path(pid, "cgroup"));
  if (!text) return {};
  return parse_cgroups(*text);
}

OsResult<std::vector<int>> ProcFs::descriptors(Pid pid) const {
  const auto names = list_directory(path(pid, "fd"));
  if (!names) return names.failure();
  std::vector<int> found;
  for (const std::string& name : *names) {
    const auto fd = number<int>(name);
    if (fd && found.size() < kMaxDescriptors) found.push_back(*fd);
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::uint64_t> ProcFs::socket_inodes(Pid pid) const {
  std::vector<std::uint64_t> found;
  const auto open = descriptors(pid);
  if (!open) return found;
  for (const int fd : *open) {
    const auto target = read_link(path(pid, "fd") / std::to_string(fd));
    if (!target || !target->starts_with("socket:[")) continue;
    const std::string_view text = *target;
    const auto inode = number<std::uint64_t>(text.substr(8, text.size() - 9));
    if (inode) found.push_back(*inode);
  }
  std::ranges::sort(found);
  return found;
}

std::vector<SocketEntry> ProcFs::sockets(Pid pid) const {
  const fs::path folder =
      pid == 0 ? root_ / "net" : root_ / std::to_string(pid) / "net";
  std::vector<SocketEntry> found;
  for (const std::string_view protocol : {"tcp", "tcp6", "udp", "udp6"}) {
    const auto text = read_proc_text(folder / protocol);
    if (!text) continue;
    auto some = parse_inet_sockets(*text, protocol);
    std::ranges::move(some, std::back_inserter(found));
  }
  if (const auto text = read_proc_text(folder / "unix")) {
    auto some = parse_unix_sockets(*text);
    std::ranges::move(some, std::back_inserter(found));
  }
  return found;
}

std::optional<TimeNs> ProcFs::start_time(std::uint64_t ticks) const {
  const auto text = read_proc_text(root_ / "stat");
  if (!text) return std::nullopt;
  std::optional<std::int64_t> boot;
  each_line(*text, [&](std::string_view line) {
    if (line.starts_with("btime ")) boot = number<std::int64_t>(line.substr(6));
  });
  const std::int64_t per_second = ::sysconf(_SC_CLK_TCK);
  if (!boot || per_second <= 0) return std::nullopt;
  constexpr std::int64_t kSecond = 1'000'000'000;
  // Both are below 2^40 on any machine that was booted in this century.
  if (*boot > (std::int64_t{1} << 33) || ticks > (std::uint64_t{1} << 40U)) {
    return std::nullopt;
  }
  const auto since_boot = static_cast<std::int64_t>(ticks);
  return *boot * kSecond + since_boot / per_second * kSecond +
         since_boot % per_second * (kSecond / per_second);
}

std::vector<CgroupMount> ProcFs::cgroup_mounts() const {
  const auto text = read_proc_text(root_ / "self" / "mountinfo");
  if (!text) return {};
  return parse_cgroup_mounts(*text);
}

}  // namespace impound
