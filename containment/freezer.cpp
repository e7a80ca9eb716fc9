// SPDX-License-Identifier: Apache-2.0
#include "containment/freezer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/process_control.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 3> kNames{"freeze-v2", "freeze-v1",
                                                 "stop"};

/// How long the kernel gets to freeze or empty a group. It takes milliseconds
/// unless a thread sits in uninterruptible sleep.
constexpr auto kPatience = 5s;

template <typename Condition>
bool wait_for(Condition is_met) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!is_met()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

[[noreturn]] void fail(std::string_view tried, const fs::path& path,
                       const std::string& why) {
  throw Error(Errc::io, fmt::format("cannot {} {}: {}", tried,
                                    printable(path.native()), why));
}

bool has_option(std::string_view options, std::string_view wanted) {
  const auto all = split(options, ',');
  return std::ranges::find(all, wanted) != all.end();
}

/// The first mount of the hierarchy as a whole; a part of it (in a container)
/// does not hold the paths of /proc/PID/cgroup.
std::optional<fs::path> mount_of(FreezeMethod method, const ProcFs& procfs) {
  for (const CgroupMount& mount : procfs.cgroup_mounts()) {
    if (mount.root != "/") continue;
    const bool fits =
        method == FreezeMethod::cgroup_v2
            ? mount.is_v2
            : !mount.is_v2 && has_option(mount.options, "freezer");
    if (fits) return mount.path;
  }
  return std::nullopt;
}

fs::path folder_of(const fs::path& mount, std::string_view group) {
  return mount / fs::path(group).relative_path();
}

bool file_says(const fs::path& path, std::string_view wanted) {
  const auto text = read_proc_text(path);
  return text && text->find(wanted) != std::string::npos;
}

bool are_all_threads_stopped(Pid pid, const ProcFs& procfs) {
  const auto threads = list_directory(procfs.path(pid, "task"));
  if (!threads || threads->empty()) return false;
  return std::ranges::all_of(*threads, [&](const std::string& thread) {
    const auto text =
        read_proc_text(procfs.path(pid, "task") / thread / "stat");
    if (!text) return true;  // ended since
    const auto stat = parse_process_stat(*text);
    return stat &&
           (stat->state == 'T' || stat->state == 't' || stat->is_dead());
  });
}

}  // namespace

std::string_view to_string(FreezeMethod method) noexcept {
  return kNames[static_cast<std::size_t>(method)];
}

std::optional<FreezeMethod> freeze_method_from(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<FreezeMethod>(i);
  }
  return std::nullopt;
}

FreezerMount find_freezer(FreezeMethod method, const ProcFs& procfs) {
  const auto mount = mount_of(method, procfs);
  const std::string_view version =
      method == FreezeMethod::cgroup_v2 ? "version 2" : "version 1 (freezer)";
  if (!mount) {
    return {std::nullopt,
            fmt::format("control groups {} are not mounted", version)};
  }
  if (!may_write(*mount) || !may_write(*mount / "cgroup.procs")) {
    return {std::nullopt, fmt::format("{} may not be written; try as root",
                                      printable(mount->native()))};
  }
  if (method == FreezeMethod::cgroup_v1) return {*mount, ""};
  // The root group has no cgroup.freeze to look for and nothing may be made
  // yet, so the kernel's version is asked.
  const auto release = read_proc_text("/proc/sys/kernel/osrelease");
  int major = 0;
  int minor = 0;
  if (release) {
    const char* const end = release->data() + release->size();
    const auto first = std::from_chars(release->data(), end, major);
    if (first.ptr != end) std::from_chars(first.ptr + 1, end, minor);
  }
  if (major < 5 || (major == 5 && minor < 2)) {
    return {std::nullopt, "cgroup.freeze came with Linux 5.2"};
  }
  return {*mount, ""};
}

std::optional<std::string> freezer_group_of(FreezeMethod method, Pid pid,
                                            const ProcFs& procfs) {
  for (const CgroupMembership& group : procfs.cgroups(pid)) {
    const bool fits = method == FreezeMethod::cgroup_v2
                          ? group.controllers.empty()
                          : has_option(group.controllers, "freezer");
    if (fits) return group.path;
  }
  return std::nullopt;
}

bool FreezerGroup::exists() const {
  const auto stat = stat_path(folder_, Links::refuse);
  return stat && stat->kind == FileKind::directory;
}

void FreezerGroup::create_frozen() const {
  std::error_code failure;
  fs::create_directory(folder_, failure);
  if (failure) fail("create", folder_, failure.message());
  const bool is_v2 = method_ == FreezeMethod::cgroup_v2;
  const fs::path file = folder_ / (is_v2 ? "cgroup.freeze" : "freezer.state");
  const auto done = write_control(file, is_v2 ? "1" : "FROZEN");
  if (!done) fail("write", file, done.failure().message());
}

std::set<Pid> FreezerGroup::members() const {
  std::set<Pid> found;
  const auto text = read_proc_text(folder_ / "cgroup.procs");
  if (!text) return found;
  for (const std::string& line : split(*text, '\n')) {
    Pid pid = 0;
    const auto [stop, failure] =
        std::from_chars(line.data(), line.data() + line.size(), pid);
    // 0 stands for a process of another pid namespace.
    if (failure == std::errc{} && pid > 0) found.insert(pid);
  }
  return found;
}

OsResult<bool> FreezerGroup::add(Pid pid) const {
  const auto done =
      write_control(folder_ / "cgroup.procs", std::to_string(pid));
  if (!done) return done.failure();
  return true;
}

bool FreezerGroup::is_frozen() const {
  if (method_ == FreezeMethod::cgroup_v2) {
    return file_says(folder_ / "cgroup.events", "frozen 1");
  }
  return file_says(folder_ / "freezer.state", "FROZEN");
}

bool FreezerGroup::wait_until_frozen() const {
  return wait_for([&] { return is_frozen(); });
}

bool FreezerGroup::thaw() const {
  const bool is_v2 = method_ == FreezeMethod::cgroup_v2;
  const fs::path file = folder_ / (is_v2 ? "cgroup.freeze" : "freezer.state");
  const auto done = write_control(file, is_v2 ? "0" : "THAWED");
  if (done) return true;
  // ENODEV: removed between being opened and being written.
  if (done.failure().is_missing() || done.failure().code == ENODEV) {
    return false;
  }
  fail("write", file, done.failure().message());
}

bool FreezerGroup::remove() const {
  // A process that was moved or ended leaves the group with a short delay.
  return wait_for([&] {
    std::error_code failure;
    fs::remove(folder_, failure);
    return !failure || !exists();
  });
}

bool is_standing_still(Pid pid, const ProcFs& procfs) {
  if (are_all_threads_stopped(pid, procfs)) return true;
  const auto v2 = mount_of(FreezeMethod::cgroup_v2, procfs);
  const auto v2_group = freezer_group_of(FreezeMethod::cgroup_v2, pid, procfs);
  if (v2 && v2_group &&
      file_says(folder_of(*v2, *v2_group) / "cgroup.events", "frozen 1")) {
    return true;
  }
  const auto v1 = mount_of(FreezeMethod::cgroup_v1, procfs);
  const auto v1_group = freezer_group_of(FreezeMethod::cgroup_v1, pid, procfs);
  return v1 && v1_group &&
         file_says(folder_of(*v1, *v1_group) / "freezer.state", "FROZEN");
}

}  // namespace impound
