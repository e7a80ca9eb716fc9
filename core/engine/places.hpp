// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where things of this user lie: settings, cases, shipped files.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// $HOME; empty if it is not set.
[[nodiscard]] std::filesystem::path home_folder();

/// $XDG_CONFIG_HOME/impound, or ~/.config/impound.
/// @throws Error{bad_input} if neither XDG_CONFIG_HOME nor HOME is set.
[[nodiscard]] std::filesystem::path config_folder();

/// $IMPOUND_HOME, or ~/impound/cases.
[[nodiscard]] std::filesystem::path cases_folder();

/// Where this machine keeps what is held out of service and for which case
/// (holds.hpp): $IMPOUND_RUN, else /run/impound for root, else
/// $XDG_RUNTIME_DIR/impound, else ~/.local/state/impound.
/// @throws Error{bad_input} if none of these is set.
[[nodiscard]] std::filesystem::path holds_folder();

/// Folders below cases_folder() that hold a case.db, sorted by name.
[[nodiscard]] std::vector<std::filesystem::path> list_case_folders();

/// The case that a person names: a folder, or an id below cases_folder(). With
/// an empty name: $IMPOUND_CASE, else the only case there is.
/// @throws Error{bad_input} naming what there is to choose from.
[[nodiscard]] std::filesystem::path find_case(const std::string& name);

/// True for [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
[[nodiscard]] bool is_case_id(std::string_view id) noexcept;

}  // namespace impound
