// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Manual pages (man(7)), made from the pages of the tree of commands: one for
/// the program, and one for each command at the top with all that is below it.

#include <string>
#include <string_view>
#include <vector>

#include "core/cli/command_tree.hpp"

namespace impound {

struct ManPage {
  std::string file;  ///< "impound-case.1"
  std::string text;
};

/// Every page there is; the same text for the same tree and version.
[[nodiscard]] std::vector<ManPage> man_pages(const CommandPage& root,
                                             std::string_view version);

/// `text` as roff shows it literally: no request, no escape, hyphens that can
/// be copied into a shell.
[[nodiscard]] std::string roff_text(std::string_view text);

/// What the program reads of the environment, with its sentence.
struct EnvironmentVariable {
  std::string_view name;
  std::string_view sentence;
};
[[nodiscard]] const std::vector<EnvironmentVariable>& environment_variables();

}  // namespace impound
