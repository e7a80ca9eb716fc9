// SPDX-License-Identifier: Apache-2.0
/// impound doctor: what this machine can do, before it is needed.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/doctor.hpp"
#include "core/cli/help.hpp"
#include "core/cli/playbook_options.hpp"
#include "core/cli/standard_output.hpp"
#include "core/engine/examiner.hpp"
#include "core/engine/places.hpp"
#include "lua/host/playbook_commands.hpp"

namespace impound {
namespace {

constexpr const char* kNotes =
    "Changes nothing; starts and ends one process of its own, as a playbook's "
    "is. Exit codes: 0 nothing that impound does is missing here; 1 something "
    "is, or could not be measured.";

std::string text_of(const std::vector<Capability>& all, std::size_t width) {
  std::string text;
  for (const Capability& one : all) {
    const std::string front =
        fmt::format("{:<9}{:<13}", to_string(one.ability), one.name);
    text +=
        front + wrapped(one.measured, front.size(), width).substr(front.size());
    if (one.ability == Ability::yes) continue;
    std::string acts;
    for (const Act act : one.acts) {
      acts += (acts.empty() ? "" : "; ") + std::string(in_words(act));
    }
    text += wrapped(
        (one.is_missing() ? "Missing to: " : "For those who ") + acts + ".",
        front.size(), width);
  }
  return text;
}

ExitCode examine(const Globals& globals) {
  const char* search_path = std::getenv("PATH");
  const DoctorTools tools{
      .search_path = search_path == nullptr ? "" : search_path,
      .clock = globals.clock,
      .cases_folder = cases_folder(),
      .isolation =
          [&globals] { return lua::measure_isolation(child_options(globals)); },
      .has_examiner = has_profile};
  const std::vector<Capability> all = examine_machine(tools);
  const bool is_missing = std::ranges::any_of(all, &Capability::is_missing);
  if (globals.json) {
    Json list = Json::array();
    for (const Capability& one : all) list.push_back(one.to_json());
    print_json({{"ok", !is_missing}, {"checks", std::move(list)}});
  } else {
    print_text(globals, text_of(all, help_width()));
  }
  return is_missing ? ExitCode::findings : ExitCode::clean;
}

}  // namespace

void add_doctor(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command =
      add_command(app, Group::set_up, "doctor",
                  "What this machine can do, what is missing, and for which "
                  "act; measured.",
                  "impound doctor");
  command->footer(kNotes);
  command->callback(
      [&globals, &run] { run = [&globals] { return examine(globals); }; });
}

}  // namespace impound
