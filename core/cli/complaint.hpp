// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is wrong with a command line, said to the person who typed it.
///
/// CLI11 says "A subcommand is required" to a misspelt command, and "Could not
/// convert: --threads = x". Here the same mistakes are told with the word that
/// was typed, what was expected in its place, and the nearest word there is.

#include <CLI/CLI.hpp>

#include <span>
#include <string>

#include "core/cli/command_tree.hpp"

namespace impound {

struct Complaint {
  std::string message;  ///< "impound diff: B is missing"; may have two lines
  std::string next;     ///< "impound help diff"
  /// No word stood where a command belongs, and nothing else is wrong: help is
  /// the answer.
  bool is_only_unfinished = false;
};

/// @param app    after its parse() threw `error`
/// @param typed  the words, without the name of the program
[[nodiscard]] Complaint complaint_about(const CLI::App& app,
                                        const CLI::ParseError& error,
                                        std::span<const std::string> typed);

/// The page of the command that the parser had come to.
[[nodiscard]] const CommandPage& parsed_page(const CLI::App& app,
                                             const CommandPage& root);

}  // namespace impound
