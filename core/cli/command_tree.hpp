// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The tree of commands, and one walk over it.
///
/// Help, completion, manual pages and the complaints about a command line all
/// tell what the parser accepts. They are made from the parser's own tree, by
/// page_of(), so that a new command or option shows up in each of them by
/// itself. What CLI11 does not keep of a command or a value is kept here, and
/// asked for by the functions that add one: a command without an example does
/// not compile.

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"

namespace impound {

/// Where a command stands in `impound help`, in this order.
enum class Group : std::uint8_t {
  respond,
  look,
  record,
  write,  ///< playbooks
  keys,
  set_up,
};
[[nodiscard]] std::string_view to_string(Group group) noexcept;
[[nodiscard]] std::span<const Group> all_groups() noexcept;

/// What a word of a command line stands for: what is said of it in help and
/// offered for it by completion.
enum class ValueKind : std::uint8_t {
  text,
  number,
  file,
  folder,
  descriptor,  ///< of a deployment: a TOML file
  model,       ///< whatever can be compared: a path, an exhibit, an item
  case_name,
  exhibit,
  item,
  run,
  request,  ///< a run or a request for approval
  question,
  step,
  entry,
  playbook,
  deployment,  ///< the name of one that the case knows, or its descriptor
  collector,
  containment,
  assignment,  ///< name=value
  fingerprint,
  digest,
  command,
};
/// "EXHIBIT": as help names it.
[[nodiscard]] std::string_view to_string(ValueKind kind) noexcept;

/// Says what the value of `option` is. Kept as the type name of the option.
CLI::Option* takes(ValueKind kind, CLI::Option* option);

/// Adds a sub-command under `parent` that shares the global options. `example`
/// is one command line that does something useful.
CLI::App* add_command(CLI::App& parent, const std::string& name,
                      const std::string& sentence, const std::string& example);
/// The same at the top.
CLI::App* add_command(CLI::App& app, Group group, const std::string& name,
                      const std::string& sentence, const std::string& example);
/// Takes it out of help, completion and manual pages: for other programs.
void hide(CLI::App& command);

/// A word or an option, as pages tell of it.
struct ArgumentPage {
  std::vector<std::string> names;  ///< "-p", "--param"; one of a positional
  ValueKind kind = ValueKind::text;
  bool takes_value = true;
  std::string value;                 ///< "NAME=VALUE"; "" of a flag
  std::vector<std::string> choices;  ///< empty where anything goes
  std::string help;
  bool is_required = false;
  bool is_repeated = false;

  /// "-p, --param NAME=VALUE", "PLAYBOOK", "[EXHIBIT…]".
  [[nodiscard]] std::string heading() const;
};

/// A command and what is below it, as values.
struct CommandPage {
  std::string path;  ///< "impound case new"
  std::string name;
  std::optional<Group> group;  ///< of a command at the top
  std::string summary;
  std::string notes;
  std::string example;
  std::vector<ArgumentPage> positionals;
  std::vector<ArgumentPage>
      options;  ///< its own; the shared ones are the root's
  std::vector<CommandPage> commands;

  /// "impound case new ID --title TEXT [OPTIONS]".
  [[nodiscard]] std::string usage() const;
  /// nullptr if there is none of that name.
  [[nodiscard]] const CommandPage* find(std::string_view command) const;
  [[nodiscard]] std::vector<std::string> command_names() const;
};

/// As `impound help --json` prints it, with what is below it.
[[nodiscard]] Json to_json(const CommandPage& page);

/// The page of the whole program or of a part of it.
[[nodiscard]] CommandPage page_of(const CLI::App& app);

}  // namespace impound
