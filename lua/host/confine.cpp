// SPDX-License-Identifier: Apache-2.0
#include "lua/host/confine.hpp"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"
#include "core/base/limits.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define IMPOUND_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IMPOUND_HAS_ASAN 1
#endif
#endif

namespace impound::lua {
namespace {

[[noreturn]] void refuse(const char* what, int code) {
  throw Error(Errc::unsupported,
              std::string("cannot confine the playbook process: ") + what +
                  ": " + std::strerror(code));
}

void limit(__rlimit_resource resource, rlim_t value, const char* name) {
  const rlimit bound{.rlim_cur = value, .rlim_max = value};
  if (::setrlimit(resource, &bound) != 0) refuse(name, errno);
}

void control(int option, unsigned long value, const char* name) {
  if (::prctl(option, value, 0, 0, 0) != 0) refuse(name, errno);
}

#ifndef IMPOUND_HAS_ASAN
using Filter = Handle<void, seccomp_release>;

template <typename... Conditions>
void allow(const Filter& filter, int call, Conditions... conditions) {
  const int failure = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call,
                                       sizeof...(conditions), conditions...);
  if (failure != 0) refuse("seccomp rule", -failure);
}

void install_filter(int fd) {
  const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (filter == nullptr) refuse("seccomp", ENOMEM);
  const auto socket = static_cast<scmp_datum_t>(fd);
  for (const int call :
       {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
        SCMP_SYS(recvmsg), SCMP_SYS(sendmsg)}) {
    allow(filter, call, SCMP_A0(SCMP_CMP_EQ, socket));
  }
  // Memory, but never executable memory.
  const scmp_datum_t executable = PROT_EXEC;
  allow(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, executable, 0));
  allow(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, executable, 0));
  for (const int call :
       {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
        SCMP_SYS(futex), SCMP_SYS(poll), SCMP_SYS(ppoll),
        SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(restart_syscall),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group)}) {
    allow(filter, call);
  }
  const int failure = seccomp_load(filter.get());
  if (failure != 0) refuse("seccomp filter", -failure);
}
#endif

}  // namespace

bool has_filter() noexcept {
#ifdef IMPOUND_HAS_ASAN
  return false;
#else
  return true;
#endif
}

void confine(int fd, [[maybe_unused]] std::uint64_t memory_bytes,
             std::uint64_t cpu_seconds) {
  control(PR_SET_PDEATHSIG, SIGKILL, "PR_SET_PDEATHSIG");
  control(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE");
  limit(RLIMIT_CORE, 0, "RLIMIT_CORE");
  limit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE");
  limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC");
  limit(RLIMIT_CPU, cpu_seconds, "RLIMIT_CPU");
#ifndef IMPOUND_HAS_ASAN
  // The program and its libraries are mapped already (about 200 MiB of
  // addresses); messages and their JSON live beside the Lua heap.
  limit(RLIMIT_AS, memory_bytes + limits::kGiB, "RLIMIT_AS");
  // One, not none: poll() refuses more descriptors than the limit allows.
  limit(RLIMIT_NOFILE, 1, "RLIMIT_NOFILE");
#endif
  control(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS");
#ifdef IMPOUND_HAS_ASAN
  static_cast<void>(fd);
#else
  install_filter(fd);
#endif
}

}  // namespace impound::lua
