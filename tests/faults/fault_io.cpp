// SPDX-License-Identifier: Apache-2.0
/// Preloaded into impound by tests/faults/run: makes the Nth thing that a
/// program does to its files go wrong.
///
/// Every call below that changes a file, a folder or what is durable of them is
/// counted if it is about a path below one of the watched folders. A call that
/// is only about other files (a library, a terminal, a control group) is passed
/// on and not counted, so that "the 17th call" is the same one from run to run
/// as far as threads allow. The calls are made by system call and not by the
/// next definition in the line, so that there is nothing to look up and nothing
/// of libc stands between what is recorded and what the kernel was asked.
///
/// The process in which a playbook runs is left alone: it may make no system
/// call that this library needs, and touches no file.
///
/// Memory is refused instead of files if FAULTS_MEMORY is set: from the first
/// line of main() to its end every malloc, calloc and realloc is counted, those
/// of operator new and of all libraries among them. Files are then not looked
/// at, so that this library itself asks for nothing.
///
/// Environment, read once when the library is loaded:
///   FAULTS_BELOW    folders, separated by ':'; nothing is done without it
///   FAULTS_LOG      file that gets one line a counted call: number, operation,
///                   "space" if the call may need room on the disk or "-", path
///   FAULTS_AT       the call that fails; none if unset
///   FAULTS_ERROR    EIO or ENOSPC; with ENOSPC only calls that may need room
///                   fail
///   FAULTS_PERSIST  1: every later call fails as well
///   FAULTS_SHORT    1: a write is made with half of its bytes first; it fails
///                   from the next call on if FAULTS_PERSIST is set, else never
///   FAULTS_RECORD   file that gets every counted call with its bytes, in the
///                   order in which they were done (tests/faults/README.md)
///   FAULTS_MEMORY   1: FAULTS_AT and FAULTS_PERSIST are about memory; the log
///                   gets a line for the first refusal and one for how many
///                   were asked for in all, and nothing else

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace {

enum class Needs { nothing, space };

struct Plan {
  std::vector<std::string> below;
  long at = 0;  ///< 0: no call fails
  int error = EIO;
  bool persists = false;
  bool is_short = false;
  bool is_memory = false;
  int log = -1;
  int record = -1;
};

Plan plan;  // written before main(), read by every thread
std::atomic<long> counted{0};
std::atomic<long> short_at{0};  ///< the call that was made short
std::mutex recording;
std::atomic<bool> counts_memory{false};  ///< between begin and end of main()
std::atomic<long> asked{0};              ///< for memory

int raw_open(const char* path, int flags) {
  return static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600));
}

void raw_write(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const long done = ::syscall(SYS_write, fd, bytes, size);
    if (done <= 0) ::_exit(99);  // a test without its log says nothing
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
}

std::string variable(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_playbook_process() {
  char line[4096];
  const int fd = raw_open("/proc/self/cmdline", O_RDONLY);
  if (fd < 0) return false;
  const long got = ::syscall(SYS_read, fd, line, sizeof(line));
  ::syscall(SYS_close, fd);
  return got > 0 && std::string_view(line, static_cast<std::size_t>(got))
                            .find("playbook-child") != std::string_view::npos;
}

int output(const std::string& path) {
  if (path.empty()) return -1;
  const int low = raw_open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  // Where no program looks for its own.
  const int fd =
      static_cast<int>(::syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, 700));
  ::syscall(SYS_close, low);
  if (fd < 0) ::_exit(99);
  return fd;
}

__attribute__((constructor)) void read_plan() {
  if (is_playbook_process()) return;
  const std::string folders = variable("FAULTS_BELOW");
  for (std::size_t at = 0; at < folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    if (end > at) plan.below.push_back(folders.substr(at, end - at));
    at = end + 1;
  }
  plan.at = std::atol(variable("FAULTS_AT").c_str());
  plan.is_memory = variable("FAULTS_MEMORY") == "1";
  plan.error = variable("FAULTS_ERROR") == "ENOSPC" ? ENOSPC : EIO;
  plan.persists = variable("FAULTS_PERSIST") == "1";
  plan.is_short = variable("FAULTS_SHORT") == "1";
  plan.log = output(variable("FAULTS_LOG"));
  plan.record = output(variable("FAULTS_RECORD"));
}

bool is_watched(std::string_view path) {
  return std::any_of(
      plan.below.begin(), plan.below.end(), [&](const std::string& folder) {
        return path.substr(0, folder.size()) == folder &&
               (path.size() == folder.size() || path[folder.size()] == '/');
      });
}

std::string link_target(const std::string& link) {
  char target[4096];
  const long got =
      ::syscall(SYS_readlinkat, AT_FDCWD, link.c_str(), target, sizeof(target));
  return got <= 0 ? "" : std::string(target, static_cast<std::size_t>(got));
}

std::string path_of(int fd) {
  return link_target("/proc/self/fd/" + std::to_string(fd));
}

std::string path_at(int folder, const char* name) {
  if (name == nullptr) return "";
  if (name[0] == '/') return name;
  const std::string base =
      folder == AT_FDCWD ? link_target("/proc/self/cwd") : path_of(folder);
  return base + "/" + name;
}

bool is_active() { return !plan.below.empty(); }

/// One counted call: decided, done, and recorded.
class Call {
 public:
  Call(const char* operation, std::string path, Needs needs)
      : operation_(operation), path_(std::move(path)), needs_(needs) {
    if (!is_active() || !is_watched(path_)) return;
    if (plan.record >= 0) lock_ = std::unique_lock(recording);
    number_ = ++counted;
    log();
  }

  [[nodiscard]] bool is_counted() const { return number_ > 0; }

  /// The errno to fail with; 0: the call is made.
  [[nodiscard]] int refusal() const {
    if (!is_counted() || plan.at == 0 || number_ < plan.at) return 0;
    if (plan.error == ENOSPC && needs_ != Needs::space) return 0;
    if (plan.is_short) {
      const long made = short_at.load();
      return plan.persists && made > 0 && number_ > made ? plan.error : 0;
    }
    return number_ == plan.at || plan.persists ? plan.error : 0;
  }

  /// How many of `size` bytes a write gets through.
  [[nodiscard]] std::size_t shortened(std::size_t size) const {
    if (!plan.is_short || !is_counted() || number_ != plan.at || size < 2) {
      return size;
    }
    short_at = number_;
    return size / 2;
  }

  void record(const std::string& other, long long offset, const char* bytes,
              std::size_t size) const {
    if (!is_counted() || plan.record < 0) return;
    const std::string head = std::string(operation_) + "\t" + path_ + "\t" +
                             other + "\t" + std::to_string(offset) + "\t" +
                             std::to_string(size) + "\n";
    raw_write(plan.record, head.data(), head.size());
    if (size > 0) raw_write(plan.record, bytes, size);
  }
  void record(const std::string& other = "", long long offset = 0) const {
    record(other, offset, nullptr, 0);
  }

 private:
  void log() const {
    if (plan.log < 0) return;
    const std::string line = std::to_string(number_) + "\t" + operation_ +
                             "\t" + (needs_ == Needs::space ? "space" : "-") +
                             "\t" + path_ + "\n";
    raw_write(plan.log, line.data(), line.size());
  }

  const char* operation_;
  std::string path_;
  Needs needs_;
  long number_ = 0;
  std::unique_lock<std::mutex> lock_;
};

template <typename T>
T failed(int code) {
  errno = code;
  return static_cast<T>(-1);
}

/// A call that is all or nothing.
template <typename Make>
int make(const Call& call, const Make& system_call,
         const std::string& other = "", long long offset = 0) {
  if (const int code = call.refusal(); code != 0) return failed<int>(code);
  const long result = system_call();
  if (result >= 0) call.record(other, offset);
  return static_cast<int>(result);
}

bool exists(const std::string& path) {
  return ::syscall(SYS_faccessat, AT_FDCWD, path.c_str(), F_OK) == 0;
}

int open_any(int folder, const char* name, int flags, mode_t mode) {
  const auto open = [&] {
    return ::syscall(SYS_openat, folder, name, flags, mode);
  };
  const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  if (!is_active() || !writes) return static_cast<int>(open());
  std::string path = path_at(folder, name);
  const bool makes = (flags & O_CREAT) != 0 && !exists(path);
  const bool cuts = (flags & O_TRUNC) != 0 && !makes;
  const Call call(makes  ? "create"
                  : cuts ? "cut"
                         : "open",
                  std::move(path), makes ? Needs::space : Needs::nothing);
  return make(call, open);
}

ssize_t write_any(const Call& call, int fd, const char* bytes, std::size_t size,
                  long long offset) {
  if (const int code = call.refusal(); code != 0) return failed<ssize_t>(code);
  const std::size_t wanted = call.shortened(size);
  long long at = offset;
  long done = 0;
  if (offset >= 0) {
    done = ::syscall(SYS_pwrite64, fd, bytes, wanted, offset);
  } else {
    done = ::syscall(SYS_write, fd, bytes, wanted);
    if (call.is_counted() && plan.record >= 0 && done >= 0) {
      at = ::syscall(SYS_lseek, fd, 0, SEEK_CUR) - done;
    }
  }
  if (done > 0) call.record("", at, bytes, static_cast<std::size_t>(done));
  return done;
}

Call write_call(int fd) {
  return {"write", is_active() ? path_of(fd) : std::string(), Needs::space};
}

ssize_t write_parts(int fd, const iovec* parts, int count, off_t offset) {
  const Call call = write_call(fd);
  if (!call.is_counted()) {
    return offset < 0 ? ::syscall(SYS_writev, fd, parts, count)
                      : ::syscall(SYS_pwritev, fd, parts, count, offset, 0);
  }
  // A writer of parts has to take a short write as any other: one part a call.
  return count == 0
             ? 0
             : write_any(call, fd, static_cast<const char*>(parts[0].iov_base),
                         parts[0].iov_len, offset);
}

int rename_any(int from_folder, const char* from, int to_folder, const char* to,
               unsigned flags) {
  const std::string target = is_active() ? path_at(to_folder, to) : "";
  const Call call("rename", is_active() ? path_at(from_folder, from) : "",
                  Needs::space);
  return make(
      call,
      [&] {
        return ::syscall(SYS_renameat2, from_folder, from, to_folder, to,
                         flags);
      },
      target);
}

int unlink_any(int folder, const char* name, int flags) {
  const Call call((flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink",
                  is_active() ? path_at(folder, name) : "", Needs::nothing);
  return make(call,
              [&] { return ::syscall(SYS_unlinkat, folder, name, flags); });
}

int truncate_any(int fd, off_t size) {
  const Call call("truncate", is_active() ? path_of(fd) : "", Needs::space);
  return make(
      call, [&] { return ::syscall(SYS_ftruncate, fd, size); }, "", size);
}

int allocate_any(int fd, int mode, off_t offset, off_t size) {
  const Call call("allocate", is_active() ? path_of(fd) : "", Needs::space);
  return make(call,
              [&] { return ::syscall(SYS_fallocate, fd, mode, offset, size); });
}

int sync_any(int fd, long number) {
  // A full disk may be told of as late as here.
  const Call call("sync", is_active() ? path_of(fd) : "", Needs::space);
  return make(call, [&] { return ::syscall(number, fd); });
}

/// Says a number without asking for memory.
void log_memory(const char* what, long number) {
  if (plan.log < 0) return;
  char line[64];
  const int size =
      std::snprintf(line, sizeof(line), "%ld\t%s\t-\t-\n", number, what);
  raw_write(plan.log, line, static_cast<std::size_t>(size));
}

bool is_memory_refused() {
  if (!counts_memory.load(std::memory_order_relaxed)) return false;
  const long number = ++asked;
  if (plan.at == 0 || number < plan.at) return false;
  if (number == plan.at) log_memory("memory", number);
  if (number != plan.at && !plan.persists) return false;
  errno = ENOMEM;
  return true;
}

using Main = int (*)(int, char**, char**);
Main real_main = nullptr;

/// A static object that cannot be made is nobody's act, and a handler at the
/// end neither: both are left out.
int main_with_counted_memory(int count, char** arguments, char** environment) {
  counts_memory = plan.is_memory;
  const int code = real_main(count, arguments, environment);
  counts_memory = false;
  if (plan.is_memory) log_memory("asked", asked);
  return code;
}

mode_t mode_in(int flags, va_list rest) {
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return makes ? static_cast<mode_t>(va_arg(rest, int)) : 0;
}

}  // namespace

// The names that programs are linked with. Their declarations in libc's headers
// differ in attributes from version to version; these are the binary ones.
extern "C" {

// What malloc and its kin are called inside of glibc; nothing to look up.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);

void* malloc(size_t size) noexcept {
  return is_memory_refused() ? nullptr : __libc_malloc(size);
}
void* calloc(size_t count, size_t size) noexcept {
  return is_memory_refused() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) noexcept {
  return is_memory_refused() ? nullptr : __libc_realloc(memory, size);
}

int __libc_start_main(Main program, int count, char** arguments, void (*init)(),
                      void (*fini)(), void (*linker_fini)(), void* stack_end) {
  using Start =
      int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  const auto start =
      reinterpret_cast<Start>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  if (start == nullptr) ::_exit(99);
  real_main = program;
  return start(main_with_counted_memory, count, arguments, init, fini,
               linker_fini, stack_end);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_any(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_any(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_any(folder, path, flags, mode);
}
int creat(const char* path, mode_t mode) {
  return open_any(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
int creat64(const char* path, mode_t mode) { return ::creat(path, mode); }
// What a fortified build calls where no file can be made.
int __open_2(const char* path, int flags) {
  return open_any(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char* path, int flags) {
  return open_any(AT_FDCWD, path, flags, 0);
}
int __openat_2(int folder, const char* path, int flags) {
  return open_any(folder, path, flags, 0);
}
int __openat64_2(int folder, const char* path, int flags) {
  return open_any(folder, path, flags, 0);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  const Call call = write_call(fd);
  return write_any(call, fd, static_cast<const char*>(bytes), size, -1);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  const Call call = write_call(fd);
  return write_any(call, fd, static_cast<const char*>(bytes), size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return ::pwrite(fd, bytes, size, offset);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  return write_parts(fd, parts, count, -1);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return write_parts(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
  return write_parts(fd, parts, count, offset);
}

int fsync(int fd) { return sync_any(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_any(fd, SYS_fdatasync); }

int rename(const char* from, const char* to) noexcept {
  return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_folder, const char* from, int to_folder,
             const char* to) noexcept {
  return rename_any(from_folder, from, to_folder, to, 0);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  return rename_any(from_folder, from, to_folder, to, flags);
}

int unlink(const char* path) noexcept { return unlink_any(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char* path, int flags) noexcept {
  return unlink_any(folder, path, flags);
}
int rmdir(const char* path) noexcept {
  return unlink_any(AT_FDCWD, path, AT_REMOVEDIR);
}
int remove(const char* path) noexcept {
  if (unlink_any(AT_FDCWD, path, 0) == 0) return 0;
  return errno == EISDIR ? unlink_any(AT_FDCWD, path, AT_REMOVEDIR) : -1;
}

int link(const char* from, const char* to) noexcept {
  return ::linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int linkat(int from_folder, const char* from, int to_folder, const char* to,
           int flags) noexcept {
  const Call call("link", is_active() ? path_at(to_folder, to) : "",
                  Needs::space);
  return make(
      call,
      [&] {
        return ::syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
      },
      is_active() ? path_at(from_folder, from) : "");
}
int symlink(const char* target, const char* path) noexcept {
  return ::symlinkat(target, AT_FDCWD, path);
}
int symlinkat(const char* target, int folder, const char* path) noexcept {
  const Call call("symlink", is_active() ? path_at(folder, path) : "",
                  Needs::space);
  return make(
      call, [&] { return ::syscall(SYS_symlinkat, target, folder, path); },
      target);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return ::mkdirat(AT_FDCWD, path, mode);
}
int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  std::string whole = is_active() ? path_at(folder, path) : "";
  // Asked for what is there already, as make-all-folders does: nothing is done.
  if (!whole.empty() && exists(whole)) whole.clear();
  const Call call("mkdir", std::move(whole), Needs::space);
  return make(call, [&] { return ::syscall(SYS_mkdirat, folder, path, mode); });
}

int ftruncate(int fd, off_t size) noexcept { return truncate_any(fd, size); }
int ftruncate64(int fd, off64_t size) noexcept {
  return truncate_any(fd, size);
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
  return allocate_any(fd, mode, offset, size);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  return allocate_any(fd, mode, offset, size);
}
// These two return the error.
int posix_fallocate(int fd, off_t offset, off_t size) {
  return allocate_any(fd, 0, offset, size) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t offset, off64_t size) {
  return allocate_any(fd, 0, offset, size) == 0 ? 0 : errno;
}

ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at,
                        size_t size, unsigned flags) {
  const Call call("copy", is_active() ? path_of(to) : "", Needs::space);
  return make(call, [&] {
    return ::syscall(SYS_copy_file_range, from, from_at, to, to_at, size,
                     flags);
  });
}
ssize_t sendfile(int to, int from, off_t* offset, size_t size) noexcept {
  const Call call("copy", is_active() ? path_of(to) : "", Needs::space);
  return make(call,
              [&] { return ::syscall(SYS_sendfile, to, from, offset, size); });
}
ssize_t sendfile64(int to, int from, off64_t* offset, size_t size) noexcept {
  return ::sendfile(to, from, offset, size);
}
int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list rest;
  va_start(rest, request);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  const auto ask = [&] { return ::syscall(SYS_ioctl, fd, request, argument); };
  if (request != FICLONE) return static_cast<int>(ask());
  const Call call("copy", is_active() ? path_of(fd) : "", Needs::space);
  return make(call, ask);
}

}  // extern "C"
