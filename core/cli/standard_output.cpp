// SPDX-License-Identifier: Apache-2.0
#include "core/cli/standard_output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "core/base/screen_text.hpp"

namespace impound {
namespace {

/// To the first column, and wipe to the end of the line (ECMA-48, EL).
constexpr std::string_view kWipeLine = "\r\x1b[K";

int first_failure = 0;

void remember(int error) {
  if (first_failure == 0) first_failure = error == 0 ? EIO : error;
}

/// A progress line that could not be drawn is missed by nobody, and an error
/// that could not be said is told by the exit code.
void put_stderr(std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
  static_cast<void>(std::fflush(stderr));
}

/// Columns of the terminal behind stderr.
std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 80;
  }
  return size.ws_col;
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

void write_stdout_bytes(std::string_view bytes) {
  if (has_stdout_failed()) return;
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() ||
      std::fflush(stdout) != 0) {
    remember(errno);
  }
}

void write_stdout(std::string_view text) {
  write_stdout_bytes(screen_text(text));
}

void write_stdout_json(std::string_view document) {
  write_stdout_bytes(screen_json(document));
}

void write_stderr(std::string_view text) { put_stderr(screen_text(text)); }

void write_error(std::string_view code, std::string_view message) {
  std::string indented;
  for (const char c : message) {
    indented += c;
    if (c == '\n') indented += "  ";
  }
  write_stderr(fmt::format("impound: {}: {}\n", code, indented));
}

void draw_progress_line(std::string_view line) {
  std::string shown = screen_line(line);
  const std::size_t width = terminal_width() - 1;
  // Cut at a character, not inside one.
  if (shown.size() > width) {
    std::size_t end = width;
    while (end > 0 &&
           (static_cast<unsigned char>(shown[end]) & 0xc0U) == 0x80U) {
      --end;
    }
    shown.resize(end);
  }
  put_stderr(std::string(kWipeLine) + shown);
}

void wipe_progress_line() { put_stderr(kWipeLine); }

bool is_stderr_a_terminal() { return ::isatty(STDERR_FILENO) != 0; }

bool has_stdout_failed() { return first_failure != 0; }

int finish_stdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) remember(errno);
  return first_failure;
}

}  // namespace impound
