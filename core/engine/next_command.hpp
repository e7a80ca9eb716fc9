// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The command that a person types next, exact enough to be pasted into the
/// shell that printed it.
///
/// A hint without --case works only while there is one case; the person who
/// reads it at night has several. So every hint of the program is made here:
/// each word quoted for a shell, the case named last.

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// `text` as one word of a shell: as it is where no character means anything,
/// else in single quotes. Control and invisible characters become bash's
/// $'\xNN', so that a name from a descriptor cannot act on a terminal.
[[nodiscard]] std::string shell_word(std::string_view text);

/// What --case must be given to find this folder again: its name if it lies in
/// cases_folder(), else its absolute path.
[[nodiscard]] std::string case_argument(const std::filesystem::path& folder);

/// "impound answer R001 contain yes --case IR-1": words are quoted.
[[nodiscard]] std::string next_command(
    const std::filesystem::path& case_folder,
    std::initializer_list<std::string_view> words);
[[nodiscard]] std::string next_command(const std::filesystem::path& case_folder,
                                       const std::vector<std::string>& words);

}  // namespace impound
