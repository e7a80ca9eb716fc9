// SPDX-License-Identifier: Apache-2.0
#include "collectors/host_facts.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/utsname.h>
#include <utmpx.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/handle.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

using Interfaces = Handle<ifaddrs, freeifaddrs>;

/// A field of fixed width that need not end in NUL.
template <std::size_t Size>
std::string fixed_text(const char (&field)[Size]) {
  return lossless_utf8(std::string_view(field, ::strnlen(field, Size)));
}

std::string address_text(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* raw = nullptr;
  if (address.sa_family == AF_INET) {
    raw = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  } else {
    raw = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  }
  const char* const done = ::inet_ntop(address.sa_family, raw, text.data(),
                                       static_cast<socklen_t>(text.size()));
  return done == nullptr ? std::string() : std::string(done);
}

bool is_container_id(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// "docker-<id>.scope" → "docker"; "" where the path says nothing.
std::string runtime_of(std::string_view cgroup) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kMarks{
      {{"cri-containerd", "containerd"},
       {"crio", "cri-o"},
       {"libpod", "podman"},
       {"docker", "docker"},
       {"kubepods", "kubernetes"},
       {"lxc", "lxc"}}};
  for (const auto& [mark, runtime] : kMarks) {
    if (cgroup.find(mark) != cgroup.npos) return std::string(runtime);
  }
  return "";
}

std::vector<std::string> command_words(Pid pid, const ProcFs& procfs) {
  auto text = read_proc_text(procfs.path(pid, "cmdline"));
  if (!text || text->empty()) return {};
  if (text->back() == '\0') text->pop_back();
  return split(*text, '\0');
}

}  // namespace

Json kernel_identity() {
  utsname names{};
  if (::uname(&names) != 0) return Json::object();
  return {{"sysname", fixed_text(names.sysname)},
          {"nodename", fixed_text(names.nodename)},
          {"release", fixed_text(names.release)},
          {"version", fixed_text(names.version)},
          {"machine", fixed_text(names.machine)}};
}

Json clock_facts(const Clock& clock) {
  const ClockState state = clock.state();
  Json json{{"now", format_time(clock.now())},
            {"source", state.source},
            {"monotonic_ns", state.monotonic_ns},
            {"boot_id", state.boot_id}};
  if (state.offset_ms) json["offset_ms"] = *state.offset_ms;
  return json;
}

std::optional<Json> logged_in_users(const fs::path& utmp) {
  const auto text = read_proc_text(utmp);
  if (!text) return std::nullopt;
  Json users = Json::array();
  for (std::size_t at = 0; at + sizeof(utmpx) <= text->size();
       at += sizeof(utmpx)) {
    utmpx entry{};
    std::memcpy(&entry, text->data() + at, sizeof entry);
    if (entry.ut_type != USER_PROCESS) continue;
    const TimeNs since = TimeNs{entry.ut_tv.tv_sec} * 1'000'000'000 +
                         TimeNs{entry.ut_tv.tv_usec} * 1'000;
    users.push_back({{"user", fixed_text(entry.ut_user)},
                     {"terminal", fixed_text(entry.ut_line)},
                     {"from", fixed_text(entry.ut_host)},
                     {"pid", entry.ut_pid},
                     {"since", format_time(since)}});
  }
  return users;
}

Json network_interfaces() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) {
    throw Error(Errc::io, "the kernel does not list network interfaces");
  }
  const Interfaces list(raw);
  std::map<std::string, Json> by_name;
  for (const ifaddrs* one = raw; one != nullptr; one = one->ifa_next) {
    Json& json = by_name[lossless_utf8(one->ifa_name)];
    if (json.is_null()) {
      json = {{"up", (one->ifa_flags & IFF_UP) != 0},
              {"loopback", (one->ifa_flags & IFF_LOOPBACK) != 0},
              {"promiscuous", (one->ifa_flags & IFF_PROMISC) != 0},
              {"addresses", Json::array()}};
    }
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family != AF_INET &&
        one->ifa_addr->sa_family != AF_INET6) {
      continue;
    }
    Json address{{"address", address_text(*one->ifa_addr)}};
    if (one->ifa_netmask != nullptr) {
      address["mask"] = address_text(*one->ifa_netmask);
    }
    json["addresses"].push_back(std::move(address));
  }
  Json interfaces = Json::object();
  for (auto& [name, json] : by_name) interfaces[name] = std::move(json);
  return interfaces;
}

Json listening_sockets(const ProcFs& procfs) {
  std::map<std::uint64_t, std::vector<Pid>> holders;
  for (const Pid pid : procfs.pids()) {
    for (const std::uint64_t inode : procfs.socket_inodes(pid)) {
      holders[inode].push_back(pid);
    }
  }
  Json found = Json::array();
  for (const SocketEntry& socket : procfs.sockets(0)) {
    const bool is_tcp =
        socket.protocol.starts_with("tcp") && socket.state == "LISTEN";
    if (!is_tcp && !socket.protocol.starts_with("udp")) continue;
    Json processes = Json::array();
    for (const Pid pid : holders[socket.inode]) {
      const auto stat = procfs.stat(pid);
      processes.push_back(
          {{"pid", pid},
           {"name", stat ? Json(lossless_utf8(stat->name)) : Json(nullptr)}});
    }
    found.push_back({{"protocol", socket.protocol},
                     {"local", socket.local},
                     {"uid", socket.uid},
                     {"processes", std::move(processes)}});
  }
  return found;
}

std::string container_id(std::string_view cgroup) {
  for (const std::string& name : split(cgroup, '/')) {
    std::string_view part = name;
    if (part.ends_with(".scope")) part.remove_suffix(6);
    part.remove_prefix(part.rfind('-') + 1);  // all of it where there is none
    if (is_container_id(part)) return std::string(part);
  }
  return "";
}

Json containers(const ProcFs& procfs) {
  struct Found {
    std::string runtime;
    std::string cgroup;
    std::set<Pid> pids;
  };
  std::map<std::string, Found> by_id;
  for (const Pid pid : procfs.pids()) {
    for (const CgroupMembership& group : procfs.cgroups(pid)) {
      const std::string id = container_id(group.path);
      if (id.empty()) continue;
      Found& found = by_id[id];
      found.pids.insert(pid);
      found.cgroup = group.path;
      if (found.runtime.empty()) found.runtime = runtime_of(group.path);
    }
  }
  Json json = Json::array();
  for (const auto& [id, found] : by_id) {
    json.push_back({{"id", id},
                    {"runtime", found.runtime},
                    {"cgroup", lossless_utf8(found.cgroup)},
                    {"pids", Json(found.pids)}});
  }
  return json;
}

std::string process_list(const ProcFs& procfs, Redactor& redactor) {
  std::string lines;
  for (const Pid pid : procfs.pids()) {
    const auto stat = procfs.stat(pid);
    if (!stat) continue;  // ended since the list was made
    const fs::path source = procfs.path(pid, "cmdline");
    Json command = Json::array();
    for (const std::string& word :
         redactor.arguments(command_words(pid, procfs), source.native())) {
      command.push_back(lossless_utf8(word));
    }
    Json json{{"pid", pid},
              {"parent", stat->parent},
              {"name", lossless_utf8(stat->name)},
              {"state", std::string(1, stat->state)},
              {"threads", stat->threads},
              {"start_ticks", stat->start_ticks}};
    if (const auto owner = stat_path(procfs.path(pid, ""), Links::follow)) {
      json["uid"] = owner->uid;
    }
    if (const auto exe = read_link(procfs.path(pid, "exe"))) {
      json["exe"] = lossless_utf8(*exe);
    }
    json["command_line"] = std::move(command);
    lines += dump_line(json) + "\n";
  }
  return lines;
}

}  // namespace impound
