// SPDX-License-Identifier: Apache-2.0
/// impound completion: what a shell asks when Tab is pressed; and, hidden, the
/// manual pages that the package holds.

#include <fmt/format.h>

#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/completion.hpp"
#include "core/cli/man_page.hpp"

namespace impound {
namespace {

constexpr const char* kNotes =
    "The package puts the three scripts where the shells look for them. "
    "Without "
    "it:\n"
    "  bash: source <(impound completion bash)    (in ~/.bashrc)\n"
    "  zsh:  source <(impound completion zsh)     (in ~/.zshrc, after "
    "compinit)\n"
    "  fish: impound completion fish | source     (in "
    "~/.config/fish/config.fish)\n"
    "Tab then offers commands, options, files, and the ids of the case: "
    "exhibits, runs that can go on, questions, signers.";

ExitCode print_script(const Globals& globals, const std::string& name) {
  const Shell shell = shell_from(name).value();
  if (globals.json) {
    print_json({{"shell", name}, {"script", completion_script(shell)}});
  } else {
    print_text(globals, completion_script(shell));
  }
  return ExitCode::clean;
}

ExitCode write_pages(const Globals& globals, const CLI::App& app,
                     const fs::path& folder) {
  create_folders(folder);
  for (const ManPage& page : man_pages(page_of(app), IMPOUND_VERSION)) {
    write_file_durably(folder / page.file, as_bytes(page.text));
  }
  print_text(globals, printable(folder.native()) + "\n");
  return ExitCode::clean;
}

}  // namespace

void add_completion(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, Group::set_up, "completion",
      "Print what makes Tab complete commands, files and ids in a shell.",
      "impound completion bash > "
      "~/.local/share/bash-completion/completions/impound");
  command->footer(kNotes);
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "Which shell.")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&globals, &run, shell] {
    run = [&globals, shell] { return print_script(globals, *shell); };
  });

  CLI::App* pages = add_command(app, Group::set_up, "man-pages",
                                "Write the manual pages into a folder.",
                                "impound man-pages share/man/man1");
  auto folder = std::make_shared<fs::path>();
  takes(ValueKind::folder,
        pages->add_option("folder", *folder, "Where to write them."))
      ->required();
  pages->callback([&app, &globals, &run, folder] {
    run = [&app, &globals, folder] {
      return write_pages(globals, app, *folder);
    };
  });
  hide(*pages);
}

}  // namespace impound
