// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where each field of a declared table stands in its file, so that a message
/// about a field can name its line.

#include <map>
#include <string>
#include <string_view>

namespace impound::lua {

/// Lines of the fields of the table constructor that follows the word
/// `playbook` in or after line `from`, by path: "params.window.type",
/// "steps[2].id"; the word itself under "". Fields that are made otherwise are
/// absent.
[[nodiscard]] std::map<std::string, int> field_lines(std::string_view source,
                                                     int from);

/// The line of `path`, or of the nearest enclosing field that is known, or
/// `otherwise`.
[[nodiscard]] int line_of_field(const std::map<std::string, int>& lines,
                                std::string path, int otherwise);

}  // namespace impound::lua
