// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What of this user's things completion offers: cases, exhibits, runs …

#include <vector>

#include "core/cli/command.hpp"
#include "core/cli/completion.hpp"

namespace impound {

/// Reads folders and the case, and writes nothing. What cannot be read is not
/// offered: a key press is no time for an error.
[[nodiscard]] std::vector<Candidate> known_things(const Globals& globals,
                                                  ValueKind kind,
                                                  const TypedBefore& before);

}  // namespace impound
