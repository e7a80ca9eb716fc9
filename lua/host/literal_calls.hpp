// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Mistakes in calls of ctx that can be read in the source, for `check`.
///
/// A step that runs once a year, in a branch that no test takes, is where a
/// misspelt field waits for the night it is needed. So whatever is written out
/// (names of fields, and values that are literals) is held against the same
/// declarations that judge the call when it is made; what is computed is left
/// to that. Only what is called `ctx` is looked at, as every step calls it.

#include <map>
#include <string>
#include <vector>

#include "lua/host/playbook.hpp"

namespace impound::lua {

/// In the order of files and lines; at most one for a line.
[[nodiscard]] std::vector<Problem> literal_problems(
    const LoadedPlaybook& playbook, const Instruments& instruments);

}  // namespace impound::lua
