// SPDX-License-Identifier: Apache-2.0
#include "collectors/registry.hpp"

#include <array>

namespace impound {

// One line for each collector here …
extern const Collector kHost;
extern const Collector kModelFiles;
extern const Collector kProcess;
extern const Collector kPromptLog;

std::span<const Collector* const> all_collectors() {
  // … and one here.
  static constexpr std::array kAll{
      &kProcess,
      &kHost,
      &kPromptLog,
      &kModelFiles,
  };
  return kAll;
}

}  // namespace impound
