// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one exception type of the program, and the closed list of its reasons.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace impound {

/// Why an operation could not continue. Closed on purpose: every reason has an
/// exit code (core/cli/exit_code.hpp) and a name in Lua (lua/api/impound.lua).
enum class Errc : std::uint8_t {
  bad_input,    ///< the caller asked for something impossible
  io,           ///< the operating system refused (errno text in the message,
                ///< errno itself in os_error() where it is known)
  malformed,    ///< bytes under examination break their own format
  limit,        ///< a bound of core/base/limits.hpp was reached
  integrity,    ///< our own stored evidence does not match its digest
  unsupported,  ///< a format version or feature this build does not know
};

/// The name used in JSON and Lua: "bad_input", "io" …
[[nodiscard]] std::string_view to_string(Errc code) noexcept;

/// Thrown when the running command cannot go on. Final: nobody derives from it,
/// callers tell cases apart by code().
class Error final : public std::runtime_error {
 public:
  /// os_error: the errno of the refusal, 0 where there was none.
  Error(Errc code, const std::string& message, int os_error = 0)
      : std::runtime_error(message), code_(code), os_error_(os_error) {}

  [[nodiscard]] Errc code() const noexcept { return code_; }

  /// Tells what will come out the same again (there is no such file) from what
  /// may not (the disk gave a read error). 0: not known.
  [[nodiscard]] int os_error() const noexcept { return os_error_; }

 private:
  Errc code_;
  int os_error_;
};

}  // namespace impound
