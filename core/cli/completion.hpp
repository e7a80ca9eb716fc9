// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a shell offers when Tab is pressed.
///
/// The scripts for bash, zsh and fish are a few lines each: they hand the words
/// typed so far to `impound __complete` and show what comes back. So the three
/// shells offer the same, a new command is offered by itself, and what depends
/// on the machine (cases, exhibits, runs, playbooks) is looked up when it is
/// asked for. A key press must answer at once and must never disturb: nothing
/// here writes, asks for a key or reports an error.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cli/command_tree.hpp"

namespace impound {

/// The word that main() knows the asking script by.
inline constexpr std::string_view kCompleteWord = "__complete";

struct Candidate {
  std::string word;
  std::string sentence;
};

/// Whether the shell adds names of its own.
enum class FileNames : std::uint8_t { none, any, folders, descriptors };

struct Completion {
  std::vector<Candidate> candidates;
  FileNames files = FileNames::none;
};

/// What is known of the words in front of the one that is typed.
struct TypedBefore {
  std::string case_name;                 ///< --case, or empty
  std::vector<std::string> positionals;  ///< of the command
};

/// What there is of a kind on this machine.
using KnownThings =
    std::function<std::vector<Candidate>(ValueKind kind, const TypedBefore&)>;

/// @param words  what was typed behind the name of the program; the last one is
///               being typed and may be empty
[[nodiscard]] Completion complete(const CommandPage& root,
                                  std::span<const std::string> words,
                                  const KnownThings& known);

/// One candidate a line, a tab before its sentence; last a line ":none",
/// ":files", ":folders" or ":descriptors".
[[nodiscard]] std::string to_text(const Completion& completion);

enum class Shell : std::uint8_t { bash, zsh, fish };
[[nodiscard]] std::string_view to_string(Shell shell) noexcept;
[[nodiscard]] std::optional<Shell> shell_from(std::string_view name) noexcept;
[[nodiscard]] std::string_view completion_script(Shell shell) noexcept;

}  // namespace impound
