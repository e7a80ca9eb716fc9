// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The files of a playbook and their hash, for the functions of this room.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lua/host/child_message.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

/// Every *.lua below `folder`, by relative name; symbolic links are not
/// followed.
/// @throws Error{io}, Error{limit}, Error{malformed} if one is not text.
[[nodiscard]] std::map<std::string, std::string> read_sources(
    const std::filesystem::path& folder);

/// SHA-256 over one line "<sha256>  <name>" per file, sorted by name.
[[nodiscard]] std::string sources_sha256(
    const std::map<std::string, std::string>& sources);

/// A failure in Lua as a problem with file and line.
[[nodiscard]] Problem problem_from(const std::filesystem::path& folder,
                                   const ChildFailure& failure);

/// As read_playbook, with what only `check` wants to know.
struct LoadedFile {
  LoadResult result;
  std::vector<DeclaredGlobal> globals;
  int line = 0;  ///< of the call of impound.playbook
};
[[nodiscard]] LoadedFile read_playbook_file(const std::filesystem::path& folder,
                                            const ChildOptions& options);

}  // namespace impound::lua
