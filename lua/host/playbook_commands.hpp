// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What `impound playbook …` does, one function per sub-command.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "lua/host/playbook.hpp"
#include "lua/host/playbook_host.hpp"
#include "lua/host/playbook_run.hpp"

namespace impound::lua {

/// The body of the hidden sub-command `playbook-child`: the only code that runs
/// in the child process. `fd` is a socket to the parent (kChildSocket), `fd`+1
/// a shared page. Never returns to code that could do more: the caller exits
/// with the result at once.
int run_child(int fd);

/// The file descriptor that the parent gives to the child.
inline constexpr int kChildSocket = 3;

/// Folders that hold playbooks, in the order they are searched:
/// $IMPOUND_PLAYBOOKS (':'-separated), ./playbooks, <prefix>/share/impound/
/// playbooks beside the running program, the source tree of a build.
[[nodiscard]] std::vector<std::filesystem::path> playbook_search_paths();

/// The folder of a playbook given as an id, a folder, or a playbook.lua.
/// @throws Error{bad_input} naming the places that were searched.
[[nodiscard]] std::filesystem::path find_playbook(std::string_view what);

/// What a playbook's process gives up here (isolate.hpp), as a process that is
/// started for it alone and ended measures it of itself; with "filter".
/// @throws Error{io} if it cannot be started, Error{unsupported} with its words
///         if it ended before it was confined.
[[nodiscard]] Json measure_isolation(const ChildOptions& options);

/// The ids that find_playbook() takes here, sorted, by the names of their
/// folders: nothing is read or run.
[[nodiscard]] std::vector<std::string> playbook_ids();

struct ListedPlaybook {
  std::filesystem::path folder;
  std::string id;
  std::string version;
  std::string title;
  Effect effect = Effect::read;
  std::vector<Problem> problems;  ///< not empty: it does not load
};

/// Every playbook of the search paths; of several with one id the first.
[[nodiscard]] std::vector<ListedPlaybook> list_playbooks(
    const ChildOptions& options);

/// Everything declared: id, version, title, owner, effect, needs, references,
/// parameters, steps, sha256, folder.
[[nodiscard]] Json show_playbook(const LoadedPlaybook& playbook);

/// Loads, validates, is pedantic about titles and help texts, looks for
/// accidental globals in every function and for mistakes in what calls of ctx
/// say literally, and runs all steps against an empty made-up case. Empty =
/// nothing wrong.
[[nodiscard]] std::vector<Problem> check_playbook(
    const std::filesystem::path& folder, const ChildOptions& options,
    const Instruments& instruments);

struct TestResult {
  std::string name;
  bool passed = false;
  std::string message;  ///< why not, with file and line
};

/// Runs test.lua of the playbook, every test in a fresh case, sorted by name.
/// @throws Error{bad_input} if there is no test.lua or it does not load.
[[nodiscard]] std::vector<TestResult> test_playbook(
    const std::filesystem::path& folder, const ChildOptions& options,
    const Instruments& instruments);

/// Creates `parent`/`id` with playbook.lua, test.lua, README.md and .luarc.json
/// (completion in editors); check and test pass on it.
/// @throws Error{bad_input} for an id that is not kebab-case or a folder that
///         exists.
std::filesystem::path new_playbook(const std::filesystem::path& parent,
                                   std::string_view id);

/// Markdown of what the playbook declares: the part of its README that a test
/// compares.
[[nodiscard]] std::string document_playbook(const LoadedPlaybook& playbook);

}  // namespace impound::lua
