// SPDX-License-Identifier: Apache-2.0
/// impound help: what the commands do, each with an example.

#include "core/cli/command.hpp"
#include "core/cli/help.hpp"
#include "core/cli/standard_output.hpp"

namespace impound {
namespace {

ExitCode show_help(const Globals& globals, const CLI::App& app,
                   const std::vector<std::string>& words) {
  const CommandPage root = page_of(app);
  const CommandPage& page = find_page(root, words);
  if (globals.json) {
    print_json(to_json(page));
  } else {
    print_text(globals, help_text(root, page, help_width()));
  }
  return ExitCode::clean;
}

}  // namespace

void add_help(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command =
      add_command(app, Group::set_up, "help",
                  "What a command does, and an example.", "impound help run");
  auto words = std::make_shared<std::vector<std::string>>();
  takes(ValueKind::command,
        command->add_option("command", *words,
                            "Which one: 'run', 'case new' …; all if none is "
                            "named."));
  command->callback([&app, &globals, &run, words] {
    run = [&app, &globals, words] { return show_help(globals, app, *words); };
  });
}

}  // namespace impound
