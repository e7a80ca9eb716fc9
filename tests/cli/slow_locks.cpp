// SPDX-License-Identifier: Apache-2.0
/// Preloaded by concurrency_test.sh: a scheduler that is unkind at locks. Every
/// lock of a file, by flock(2) or fcntl(2), is taken and given back only after
/// a sleep of a random length, so that processes meet in orders that they would
/// meet in once in a million runs.
///
/// IMPOUND_SLOW_LOCKS_US: the longest sleep, microseconds (default 3000).
/// IMPOUND_SLOW_LOCKS_COUNT: a file that grows by one byte a lock.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

std::uint64_t next_random() {
  static std::atomic<std::uint64_t> state{
      static_cast<std::uint64_t>(::getpid()) * 0x9E3779B97F4A7C15U};
  std::uint64_t x = state.fetch_add(0x9E3779B97F4A7C15U);
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

void dawdle() {
  static const long longest = [] {
    const char* const text = std::getenv("IMPOUND_SLOW_LOCKS_US");
    return text == nullptr ? 3000L : std::strtol(text, nullptr, 10);
  }();
  static const int count = [] {
    const char* const path = std::getenv("IMPOUND_SLOW_LOCKS_COUNT");
    return path == nullptr
               ? -1
               : ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  }();
  if (count >= 0 && ::write(count, "x", 1) != 1) std::abort();
  if (longest <= 0) return;
  // Mostly short, now and then long.
  const std::uint64_t draw = next_random();
  const long most = draw % 8 == 0 ? longest : longest / 8 + 1;
  const timespec sleep{
      .tv_sec = 0,
      .tv_nsec =
          static_cast<long>((draw >> 8U) % static_cast<std::uint64_t>(most)) *
          1000};
  ::nanosleep(&sleep, nullptr);
}

bool is_lock(int command) {
  return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
         command == F_OFD_SETLKW;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

int real_fcntl(int fd, int command, void* argument) {
  static const auto function = real<int (*)(int, int, ...)>("fcntl64");
  if (is_lock(command)) dawdle();
  return function(fd, command, argument);
}

}  // namespace

extern "C" {

int flock(int fd, int operation) {
  static const auto function = real<int (*)(int, int)>("flock");
  dawdle();
  return function(fd, operation);
}

int fcntl(int fd, int command, ...) {
  std::va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  return real_fcntl(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
  std::va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  return real_fcntl(fd, command, argument);
}

}  // extern "C"
