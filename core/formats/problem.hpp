// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is odd or wrong inside a file under examination: a value beside the
/// partial parse, never an exception.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// How much an oddity matters to somebody who loads the file.
enum class Severity : std::uint8_t { info, low, medium, high, critical };

[[nodiscard]] constexpr std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::low:
      return "low";
    case Severity::medium:
      return "medium";
    case Severity::high:
      return "high";
    case Severity::critical:
      return "critical";
  }
  return "info";
}

/// One broken rule of a format.
struct Problem {
  std::string rule;  ///< stable id, kebab-case: "safetensors-trailing-bytes"
  Severity severity = Severity::medium;
  std::uint64_t offset = 0;  ///< in the file, bytes; 0 where none applies
  std::string message;       ///< what was found, what was expected

  friend bool operator==(const Problem&, const Problem&) = default;
};

using Problems = std::vector<Problem>;

}  // namespace impound
