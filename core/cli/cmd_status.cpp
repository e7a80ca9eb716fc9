// SPDX-License-Identifier: Apache-2.0
/// impound status: what is open in every case of this user, measured now.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "containment/registry.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/engine/places.hpp"
#include "core/engine/status.hpp"

namespace impound {
namespace {

constexpr const char* kSentence =
    "All cases: what is contained now (measured), what waits for whom, what is "
    "incomplete.";

constexpr const char* kFooter =
    "Looks at the cases below $IMPOUND_HOME (~/impound/cases) and at\n"
    "$IMPOUND_CASE, or at the one that --case names. Under each line stands "
    "the\n"
    "command that goes on. Needs no key and changes no case.\n"
    "\n"
    "Exit codes: 0 nothing is open; 1 something is: out of service or not\n"
    "known, waiting, incomplete, or a case that cannot be read. What stayed\n"
    "incomplete when a case was closed does not count.\n"
    "\n"
    "Example, what waits and the command that answers it:\n"
    "  impound status --json | jq -r '.cases[].waiting[].next'";

std::vector<fs::path> folders_of_all() {
  std::vector<fs::path> folders = list_case_folders();
  // A case may lie elsewhere and be the chosen one.
  const char* chosen = std::getenv("IMPOUND_CASE");
  if (chosen == nullptr || *chosen == '\0') return folders;
  const fs::path one = place_of_case(chosen);
  const bool is_listed =
      std::ranges::any_of(folders, [&](const fs::path& folder) {
        std::error_code absent;
        return fs::equivalent(folder, one, absent);
      });
  if (!is_listed) folders.push_back(one);
  return folders;
}

std::string heading(const CaseStatus& status) {
  std::string text = printable(status.case_id);
  if (!status.title.empty()) {
    text += ": " + printable(from_lossless_utf8(status.title));
  }
  if (!status.closed_at.empty()) text += " (closed)";
  return text + "\n";
}

std::string indented(const std::string& text) {
  std::string out;
  for (std::string line : split(text, '\n')) {
    if (!line.empty()) out += "  " + std::move(line) + "\n";
  }
  return out;
}

std::string count_of(std::size_t cases, std::string_view which) {
  return cases == 1 ? fmt::format("1 {}case", which)
                    : fmt::format("{} {}cases", cases, which);
}

std::string text_of(const std::vector<CaseStatus>& all) {
  std::string text;
  std::size_t quiet = 0;
  std::size_t left = 0;
  for (const CaseStatus& status : all) {
    if (!status.is_open() && status.running.empty()) {
      ++(status.waiting.empty() && status.incomplete.empty() ? quiet : left);
      continue;
    }
    text += heading(status) + indented(status.to_text()) + "\n";
  }
  if (all.empty()) {
    return fmt::format(
        "No case in {}; what lies elsewhere is not known here.\n",
        printable(cases_folder().native()));
  }
  if (quiet != 0) {
    text += fmt::format(
        "{}: no containment is open in the record, nothing waits or is "
        "incomplete.\n",
        count_of(quiet, quiet == all.size() ? "" : "other "));
  }
  if (left != 0) {
    text += fmt::format(
        "{}: no containment is open in the record; what stayed incomplete is "
        "in case show.\n",
        count_of(left, "closed "));
  }
  return text;
}

ExitCode show_status(const Globals& globals) {
  std::vector<CaseStatus> all;
  if (!globals.case_name.empty()) {
    // Named, so not to be read is a failure and not a line of a list.
    all.push_back(status_of(open_case_to_read(globals), all_containments(),
                            globals.clock, *globals.cancellation));
  } else {
    for (const fs::path& folder : folders_of_all()) {
      all.push_back(status_of_folder(folder, all_containments(), globals.clock,
                                     *globals.cancellation));
    }
  }
  if (globals.json) {
    Json cases = Json::array();
    for (const CaseStatus& status : all) cases.push_back(status.to_json());
    print_json({{"cases", std::move(cases)}});
  } else {
    print_text(globals, text_of(all));
  }
  return std::ranges::any_of(all, &CaseStatus::is_open) ? ExitCode::findings
                                                        : ExitCode::clean;
}

}  // namespace

void add_status(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command =
      add_command(app, Group::record, "status", kSentence, "impound status");
  command->footer(kFooter);
  command->callback(
      [&globals, &run] { run = [&globals] { return show_status(globals); }; });
}

}  // namespace impound
