// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The settings of a model folder that run something, fetch something, lead out
/// of the folder or rewrite what is said: one row a key, for every loader whose
/// files are known. `scan --rules` and docs/settings.md print the same table.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/json.hpp"

namespace impound {

/// What a loader does because of a setting.
enum class SettingEffect : std::uint8_t {
  runs,       ///< code that the setting names or holds
  fetches,    ///< something from an address or a hub
  redirects,  ///< takes a part of the model from somewhere else
  rewrites,   ///< what the user wrote, or what the model said
};

/// "runs".
[[nodiscard]] std::string_view to_string(SettingEffect effect) noexcept;

/// How the value of a setting is judged.
enum class SettingJudge : std::uint8_t {
  elsewhere,      ///< a reader of its own does: the row is here for the table
  python_name,    ///< a Python object that is imported and called
  library_type,   ///< the same, and only one of `library` is ordinary
  python_file,    ///< a file of the folder that is imported
  evaluated,      ///< a text that is evaluated as Python
  script,         ///< a text that is run as Python or by a shell
  is_true,        ///< harmful if true
  any_value,      ///< a person has to look at whatever it says
  address,        ///< an address, or an absolute path
  outside,        ///< a path that leaves the folder
  chat_template,  ///< a Jinja template
  registry,  ///< a function by its registered name; spaCy's own are ordinary
  node,      ///< a node of a workflow whose name says that it runs code
};

struct SettingRow {
  std::string_view library;  ///< whose loader
  std::string_view files;    ///< names, separated by blanks: "*.yaml MLmodel"
  std::string_view key;      ///< "_target_"; "weight_map/*": any key within it
  SettingEffect effect;
  SettingJudge judge;
  std::string_view rule;  ///< of the finding
  std::string_view does;  ///< what the loader does with it
};

[[nodiscard]] std::span<const SettingRow> setting_rows();

/// Whether the last component of a name is among the files of a row.
[[nodiscard]] bool is_setting_file(const SettingRow& row,
                                   std::string_view name);

/// [{"library","files","key","effect","rule","does"}].
[[nodiscard]] Json settings_to_json();
/// The table of docs/settings.md.
[[nodiscard]] std::string settings_to_markdown();

}  // namespace impound
