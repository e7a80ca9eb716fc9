// SPDX-License-Identifier: Apache-2.0
#include "core/cli/standard_output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace impound {
namespace {

int first_failure = 0;

void remember(int error) {
  if (first_failure == 0) first_failure = error == 0 ? EIO : error;
}

}  // namespace

void reserve_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    // The lowest free number is taken, which is this one.
    const int direction = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    static_cast<void>(::open("/dev/null", direction));
  }
}

void write_stdout(std::string_view text) {
  if (has_stdout_failed()) return;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
      std::fflush(stdout) != 0) {
    remember(errno);
  }
}

bool has_stdout_failed() { return first_failure != 0; }

int finish_stdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) remember(errno);
  return first_failure;
}

}  // namespace impound
