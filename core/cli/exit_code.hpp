// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the shell sees. Listed in README.md and docs/commands.md; other
/// people's scripts depend on it, so a number is never reused.

#include "core/base/error.hpp"

namespace impound {

enum class ExitCode : int {
  clean = 0,     ///< done, nothing suspicious
  findings = 1,  ///< done, and there is something to look at
  usage = 2,     ///< the command line made no sense
  failed = 3,    ///< failed, or incomplete: not all that was asked was done
  tampered = 4,  ///< evidence or custody does not verify
  waiting = 5,   ///< waits for an approval or an answer
};

[[nodiscard]] constexpr ExitCode exit_code_for(Errc code) noexcept {
  switch (code) {
    case Errc::bad_input:
      return ExitCode::usage;
    case Errc::integrity:
      return ExitCode::tampered;
    case Errc::io:
    case Errc::malformed:
    case Errc::limit:
    case Errc::unsupported:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace impound
