// SPDX-License-Identifier: Apache-2.0
#include "lua/host/isolate.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"

namespace impound::lua {
namespace {

/// nobody of every distribution, and the kernel's own overflow id.
constexpr uid_t kNobody = 65534;

constexpr std::array<int, kNamespaces.size()> kFlags{
    CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS,    CLONE_NEWPID,
    CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

constexpr int kAllButUser = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID |
                            CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/// The namespaces of this process, as far as the kernel names them.
class Names {
 public:
  /// Through a descriptor: after pivot_root there is no /proc.
  explicit Names(const UniqueFd& proc) {
    for (std::size_t i = 0; i < kNamespaces.size(); ++i) {
      const std::string path = "self/ns/" + std::string(kNamespaces[i]);
      std::array<char, 64> text{};
      const ssize_t size =
          ::readlinkat(proc.get(), path.c_str(), text.data(), text.size());
      if (size > 0) {
        names_[i] = std::string(text.data(), static_cast<std::size_t>(size));
      }
    }
  }

  /// Which of `later` are known to be others.
  [[nodiscard]] std::array<bool, kNamespaces.size()> differ(
      const Names& later) const {
    std::array<bool, kNamespaces.size()> different{};
    for (std::size_t i = 0; i < kNamespaces.size(); ++i) {
      different[i] = !names_[i].empty() && !later.names_[i].empty() &&
                     names_[i] != later.names_[i];
    }
    return different;
  }

 private:
  std::array<std::string, kNamespaces.size()> names_;
};

/// All at once where that can be had, else each that can.
/// @return whether a new process would be in another pid namespace.
bool leave_namespaces(int wanted) {
  if (::unshare(wanted) == 0) return (wanted & CLONE_NEWPID) != 0;
  bool has_pid = false;
  // The user namespace first: it gives the right to the others.
  for (const int flag : kFlags) {
    if ((wanted & flag) == 0 || ::unshare(flag) != 0) continue;
    has_pid = has_pid || flag == CLONE_NEWPID;
  }
  return has_pid;
}

/// An empty folder in memory becomes the root; the old one is let go.
bool empty_root() {
  // Nothing that happens here reaches the mounts of others.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return false;
  }
  constexpr const char* kPlace = "/proc";  // a folder that is always there
  if (::mount("none", kPlace, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "size=4k,nr_inodes=2,mode=0555") != 0 ||
      ::chdir(kPlace) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
      ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
    return false;
  }
  static_cast<void>(::mount(
      nullptr, "/", nullptr,
      MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_BIND,
      nullptr));
  return true;
}

/// @throws Error{unsupported}: to stay root is no way to go on.
void become_nobody() {
  if (::setgroups(0, nullptr) != 0 ||
      ::setresgid(kNobody, kNobody, kNobody) != 0 ||
      ::setresuid(kNobody, kNobody, kNobody) != 0) {
    throw Error(Errc::unsupported,
                std::string("cannot confine the playbook process: it stays "
                            "root: ") +
                    std::strerror(errno));
  }
}

void drop_capabilities() {
  // What the kernel does not know ends the count.
  for (unsigned long one = 0; one < 64; ++one) {
    if (::prctl(PR_CAPBSET_DROP, one, 0, 0, 0) != 0 && errno == EINVAL) break;
  }
  static_cast<void>(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3,
                                  .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  static_cast<void>(::syscall(SYS_capset, &header, none.data()));
}

bool has_no_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3,
                                  .pid = 0};
  std::array<__user_cap_data_struct, 2> held{};
  if (::syscall(SYS_capget, &header, held.data()) != 0) return false;
  for (const auto& part : held) {
    if ((part.effective | part.permitted | part.inheritable) != 0) return false;
  }
  return true;
}

/// Waits for the first process of the new pid namespace and ends as it ended:
/// whoever waits for this process learns the reason.
[[noreturn]] void end_as(pid_t child) {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  static_cast<void>(::setrlimit(RLIMIT_CORE, &none));
  drop_capabilities();
  static_cast<void>(::syscall(SYS_close_range, 0U, ~0U, 0U));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) ::_exit(3);
  }
  if (WIFSIGNALED(status)) {
    ::signal(WTERMSIG(status), SIG_DFL);
    ::kill(::getpid(), WTERMSIG(status));
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

}  // namespace

Json Isolation::to_json() const {
  Json names = Json::array();
  for (std::size_t i = 0; i < kNamespaces.size(); ++i) {
    if (is_new[i]) names.push_back(kNamespaces[i]);
  }
  return {{"uid", uid},
          {"nobody", is_nobody},
          {"no_groups", has_no_groups},
          {"no_capabilities", has_no_capabilities},
          {"namespaces", std::move(names)},
          {"empty_root", has_empty_root}};
}

Isolation isolate() {
  Isolation isolation;
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Names before(proc);
  isolation.uid = ::geteuid();
  const bool is_root = isolation.uid == 0;
  bool has_pid = false;
  if (is_root) {
    has_pid = leave_namespaces(kAllButUser);
  } else {
    has_pid = leave_namespaces(CLONE_NEWUSER | kAllButUser);
  }
#ifndef __SANITIZE_ADDRESS__
  // The reports of a sanitizer read files. Only in a mount namespace of its
  // own: anywhere else it would be everybody's root.
  const Names left(proc);
  if (before.differ(left)[2]) isolation.has_empty_root = empty_root();
#endif
  if (is_root) {
    become_nobody();
    isolation.uid = ::geteuid();
    isolation.is_nobody = isolation.uid == kNobody;
    static_cast<void>(::unshare(CLONE_NEWUSER));
  }
  isolation.has_no_groups = ::getgroups(0, nullptr) == 0;
  drop_capabilities();
  if (has_pid) {
    static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    const pid_t child = ::fork();
    if (child > 0) end_as(child);
    // Where no process can be made, it goes on without that namespace.
  }
  isolation.has_no_capabilities = has_no_capabilities();
  isolation.is_new = before.differ(Names(proc));
  return isolation;
}

}  // namespace impound::lua
