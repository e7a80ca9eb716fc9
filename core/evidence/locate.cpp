// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/locate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/fs.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Those of `members` whose parent is none of them.
std::vector<Pid> topmost(const std::set<Pid>& members, const ProcFs& procfs) {
  std::vector<Pid> roots;
  for (const Pid pid : members) {
    const auto stat = procfs.stat(pid);
    if (stat && !members.contains(stat->parent)) roots.push_back(pid);
  }
  return roots;
}

LocatedProcesses by_pid(Pid pid, const ProcFs& procfs) {
  LocatedProcesses found{.how = fmt::format("is process {}", pid)};
  if (procfs.stat(pid)) {
    found.roots = {pid};
  } else {
    found.problem = fmt::format("there is no process {}", pid);
  }
  return found;
}

LocatedProcesses by_port(std::uint16_t port, const ProcFs& procfs) {
  LocatedProcesses found{.how = fmt::format("listens on TCP port {}", port)};
  std::set<std::uint64_t> inodes;
  for (const SocketEntry& socket : procfs.sockets(0)) {
    if (socket.state == "LISTEN" && socket.local_port == port &&
        socket.protocol.starts_with("tcp")) {
      inodes.insert(socket.inode);
    }
  }
  if (inodes.empty()) {
    found.problem = fmt::format("nothing listens on TCP port {}", port);
    return found;
  }
  std::set<Pid> owners;
  std::size_t hidden = 0;
  for (const Pid pid : procfs.pids()) {
    const auto open = procfs.socket_inodes(pid);
    if (open.empty() && !procfs.descriptors(pid)) ++hidden;
    if (std::ranges::any_of(open, [&](std::uint64_t inode) {
          return inodes.contains(inode);
        })) {
      owners.insert(pid);
    }
  }
  // With socket activation the init process holds the socket as well; it does
  // not serve.
  if (owners.size() > 1) owners.erase(1);
  found.roots = topmost(owners, procfs);
  if (found.roots.empty()) {
    found.is_denied = hidden != 0;
    found.problem = fmt::format(
        "something listens on TCP port {}, but no process that may be looked "
        "at owns the socket ({} may not be looked at; try as root)",
        port, hidden);
  }
  return found;
}

bool belongs_to(std::string_view cgroup, std::string_view unit) {
  if (unit.starts_with('/')) {
    return cgroup == unit ||
           (cgroup.starts_with(unit) && cgroup.substr(unit.size())[0] == '/');
  }
  return std::ranges::any_of(split(cgroup, '/'), [&](const std::string& part) {
    return part == unit || part == std::string(unit) + ".service";
  });
}

LocatedProcesses by_unit(const std::string& unit, const ProcFs& procfs) {
  LocatedProcesses found{.how = "belongs to " + printable(unit)};
  if (unit.empty() || unit == "/") {
    found.problem = "the root control group holds every process";
    return found;
  }
  std::set<Pid> members;
  for (const Pid pid : procfs.pids()) {
    const auto groups = procfs.cgroups(pid);
    if (std::ranges::any_of(groups, [&](const CgroupMembership& group) {
          return belongs_to(group.path, unit);
        })) {
      members.insert(pid);
    }
  }
  found.roots = topmost(members, procfs);
  if (found.roots.empty()) {
    found.problem = "no process belongs to a unit or control group named " +
                    printable(unit);
  }
  return found;
}

LocatedProcesses by_pidfile(const fs::path& path, const ProcFs& procfs) {
  const auto text = read_proc_text(path);
  if (!text) {
    const auto opened = open_read(path, Links::follow);
    const std::string why = opened ? "" : ": " + opened.failure().message();
    return {.roots = {},
            .how = "is named by " + printable(path.native()),
            .problem = "cannot read " + printable(path.native()) + why,
            .is_denied = !opened && opened.failure().is_denied()};
  }
  const std::string_view digits = trim(*text);
  Pid pid = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, failure] = std::from_chars(digits.data(), end, pid);
  if (failure != std::errc{} || stop != end || pid <= 0) {
    return {.roots = {},
            .how = "is named by " + printable(path.native()),
            .problem = fmt::format(
                "{}: expected a process number, found \"{}\"",
                printable(path.native()), printable(digits.substr(0, 32)))};
  }
  LocatedProcesses found = by_pid(pid, procfs);
  found.how += ", named by " + printable(path.native());
  if (!found.problem.empty()) {
    found.problem += ", which " + printable(path.native()) + " names";
  }
  return found;
}

}  // namespace

LocatedProcesses locate_processes(const ProcessLocator& locator,
                                  const ProcFs& procfs) {
  if (locator.pid) return by_pid(*locator.pid, procfs);
  if (locator.port) return by_port(*locator.port, procfs);
  if (locator.unit) return by_unit(*locator.unit, procfs);
  if (locator.pidfile) return by_pidfile(*locator.pidfile, procfs);
  return {.roots = {},
          .how = "",
          .problem = "the deployment does not say how its process is found"};
}

std::string in_words(const ProcessLocator& locator) {
  if (locator.pid) return fmt::format("pid {}", *locator.pid);
  if (locator.port) return fmt::format("port {}", *locator.port);
  if (locator.unit) return "unit " + printable(*locator.unit);
  if (locator.pidfile) {
    return "pidfile " + printable(locator.pidfile->native());
  }
  return "";
}

}  // namespace impound
