// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The rules for what a playbook declares, applied to the table
/// its file returns.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

/// Checks `declared` and fills in the fields of a playbook from it.
/// `line` is that of the call of impound.playbook in playbook.lua. The result
/// holds a playbook only if there are no problems.
[[nodiscard]] LoadResult apply_schema(
    const std::filesystem::path& folder,
    const std::map<std::string, std::string>& sources, const Json& declared,
    int line);

/// Lower-case words joined by single dashes, at most 64 bytes.
[[nodiscard]] bool is_kebab_case(std::string_view text) noexcept;

/// What is against good manners only: titles, sentences. For `check`.
[[nodiscard]] std::vector<Problem> pedantic_problems(
    const LoadedPlaybook& playbook, int line);

}  // namespace impound::lua
