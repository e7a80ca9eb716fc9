// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What this machine lets the program do, measured before it is needed.
///
/// Every line is one measurement and says what measured it. What no act of this
/// program uses is told as well, for the person who goes on by hand, and counts
/// for nothing: the answer of the whole is about the acts that there are.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/base/procfs.hpp"

namespace impound {

/// What a person may want to do.
enum class Act : std::uint8_t {
  record,   ///< anything that becomes an entry of a case
  collect,  ///< evidence of this user's processes and files
  collect_others,
  contain,
  contain_others,
  run,         ///< a playbook
  export_out,  ///< and check an export as its recipient does
  by_hand,     ///< nothing that this program does
};
/// "contain processes of other users": after "missing for:".
[[nodiscard]] std::string_view in_words(Act act) noexcept;

enum class Ability : std::uint8_t {
  yes,
  partly,
  no,
  unknown,  ///< could not be measured; `measured` says why
};
[[nodiscard]] std::string_view to_string(Ability ability) noexcept;

struct Capability {
  std::string name;  ///< "root", "freezer" …
  Ability ability = Ability::unknown;
  /// What was seen, and by what: one or more sentences with full stops.
  std::string measured = {};
  /// What needs it. Empty: nothing of this program.
  std::vector<Act> acts = {};

  /// Something of this program cannot be done, or nobody knows.
  [[nodiscard]] bool is_missing() const;
  [[nodiscard]] Json to_json() const;
};

/// What is looked at; other places in tests.
struct DoctorTools {
  ProcFs procfs = ProcFs();
  std::filesystem::path root = "/";  ///< of /dev, /sys, /run, /var/run
  std::string search_path = {};      ///< $PATH
  const Clock& clock;
  std::filesystem::path cases_folder;
  /// The isolation of a playbook's process, as that process measures it.
  /// @throws Error where it cannot be started or confined.
  std::function<Json()> isolation;
  /// Whether an examiner is set up.
  std::function<bool()> has_examiner;
};

/// Looks; changes nothing but that it starts and ends one process of our own.
[[nodiscard]] std::vector<Capability> examine_machine(const DoctorTools& tools);

/// The first executable file of that name in a $PATH; empty if there is none.
[[nodiscard]] std::filesystem::path find_program(std::string_view search_path,
                                                 std::string_view name);

}  // namespace impound
