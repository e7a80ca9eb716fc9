// SPDX-License-Identifier: Apache-2.0
#include "core/cli/standard_output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/screen_text.hpp"
#include "core/cli/out_of_memory.hpp"
#include "core/cli/paint.hpp"

namespace impound {
namespace {

/// To the first column, and wipe to the end of the line (ECMA-48, EL).
constexpr std::string_view kWipeLine = "\r\x1b[K";

int first_failure = 0;
ColorChoice color = ColorChoice::automatic;

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool has_dumb_terminal() {
  const char* value = std::getenv("TERM");
  return value != nullptr && std::string_view(value) == "dumb";
}

bool is_painted() {
  switch (color) {
    case ColorChoice::always:
      return true;
    case ColorChoice::never:
      return false;
    case ColorChoice::automatic:
      break;
  }
  return ::isatty(STDOUT_FILENO) != 0 && !is_set("NO_COLOR") &&
         !has_dumb_terminal();
}

void remember(int error) {
  if (first_failure == 0) first_failure = error == 0 ? EIO : error;
}

/// A progress line that could not be drawn is missed by nobody, and an error
/// that could not be said is told by the exit code.
void put_stderr(std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
  static_cast<void>(std::fflush(stderr));
}

/// Columns where there is no terminal to ask.
constexpr std::size_t kColumns = 80;

/// Columns of the terminal behind that descriptor.
std::size_t terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kColumns;
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

void choose_color(ColorChoice choice) { color = choice; }

std::optional<ColorChoice> color_choice_from(std::string_view name) noexcept {
  if (name == "auto") return ColorChoice::automatic;
  if (name == "always") return ColorChoice::always;
  if (name == "never") return ColorChoice::never;
  return std::nullopt;
}

void write_stdout(std::string_view text) {
  // Escaped first: no word of others can paint.
  const std::string shown = screen_text(text);
  write_stdout_bytes(is_painted() ? painted(shown) : shown);
}

void write_stdout_json(std::string_view document) {
  write_stdout_bytes(screen_json(document));
}

void write_stderr(std::string_view text) { put_stderr(screen_text(text)); }

void write_error(std::string_view message) {
  std::string indented;
  for (const char c : message) {
    indented += c;
    if (c == '\n') indented += "  ";
  }
  const bool is_named =
      indented.starts_with("impound:") || indented.starts_with("impound ");
  write_stderr(fmt::format("{}{}\n", is_named ? "" : "impound: ", indented));
}

void write_out_of_memory(bool as_json) {
  put_stderr("impound: out of memory\n");
  if (!as_json) return;
  write_stdout_bytes(
      "{\"ok\":false,\"error\":{\"code\":\"io\",\"message\":\"out of "
      "memory\"},\"exit_code\":3}\n");
}

void draw_progress_line(std::string_view line) {
  std::string shown = screen_line(line);
  const std::size_t width = terminal_width(STDERR_FILENO) - 1;
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

std::size_t help_width() {
  return std::clamp<std::size_t>(terminal_width(STDOUT_FILENO), 40, kColumns);
}

std::optional<std::size_t> table_width() {
  if (::isatty(STDOUT_FILENO) == 0) return std::nullopt;
  return terminal_width(STDOUT_FILENO);
}

bool is_stderr_a_terminal() { return ::isatty(STDERR_FILENO) != 0; }

bool has_stdout_failed() { return first_failure != 0; }

int finish_stdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) remember(errno);
  return first_failure;
}

}  // namespace impound
