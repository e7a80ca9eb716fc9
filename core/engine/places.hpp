// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where things of this user lie: settings, cases, shipped files.

#include <cstdint>
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

/// Where the case would be that a person names: a folder, or an id below
/// cases_folder(). Whether it is there, nobody has looked.
[[nodiscard]] std::filesystem::path place_of_case(const std::string& name);

/// Why a command works in this case and in no other.
enum class CaseSource : std::uint8_t {
  named,        ///< --case
  environment,  ///< $IMPOUND_CASE
  chosen,       ///< 'impound case use'
  only,         ///< there is no other below cases_folder()
};
/// "named", "environment", "chosen", "only".
[[nodiscard]] std::string_view to_string(CaseSource source) noexcept;
/// "named by --case", "named by $IMPOUND_CASE" …
[[nodiscard]] std::string_view in_words(CaseSource source) noexcept;

struct CaseChoice {
  std::filesystem::path folder;
  CaseSource source = CaseSource::named;
};

/// The case that is meant: the one that `name` names; with an empty name that
/// of $IMPOUND_CASE, else the one that use_case() chose, else the only one.
/// @throws Error{bad_input} if there is none of that name, or several to choose
///         from, naming what there is and what named it.
[[nodiscard]] CaseChoice choose_case(const std::string& name);
/// The folder of choose_case().
[[nodiscard]] std::filesystem::path find_case(const std::string& name);

/// The file below config_folder() that use_case() writes.
[[nodiscard]] std::filesystem::path chosen_case_file();
/// What use_case() was given last; empty if nothing.
[[nodiscard]] std::string chosen_case();
/// Makes the case that `name` names the one that is meant from now on.
/// @throws Error as choose_case() does, and Error{io}.
[[nodiscard]] std::filesystem::path use_case(const std::string& name);
/// Forgets what use_case() chose.
/// @return whether there was anything to forget.
[[nodiscard]] bool use_no_case();

/// True for [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
[[nodiscard]] bool is_case_id(std::string_view id) noexcept;

}  // namespace impound
