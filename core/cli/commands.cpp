// SPDX-License-Identifier: Apache-2.0
/// The one list of the commands there are. Help sorts them by their groups, and
/// inside a group as they stand here.

#include "core/cli/command.hpp"

namespace impound {
namespace {

constexpr const char* kNotes =
    "Exit codes: 0 done, nothing suspicious; 1 done, findings; 2 usage; 3 "
    "failed, or incomplete: not everything that was asked could be done; 4 "
    "evidence or custody does not verify; 5 waiting for an approval or an "
    "answer.";

void add_global_options(CLI::App& app, Globals& globals) {
  app.add_flag("--json", globals.json,
               "Print one JSON document (JSON lines for run and collect).");
  app.add_flag("-q,--quiet", globals.quiet, "Say nothing but results.");
  takes(ValueKind::case_name,
        app.add_option("--case", globals.case_name,
                       "Case id below $IMPOUND_HOME (~/impound/cases), or a "
                       "folder. Else $IMPOUND_CASE, else what 'case use' "
                       "chose, else the only case there is."));
  takes(ValueKind::file,
        app.add_option("--key", globals.key_file,
                       "Examiner's private key instead of the configured "
                       "one."));
  takes(ValueKind::file,
        app.add_option("--passphrase-file", globals.passphrase_file,
                       "File whose first line is the passphrase of the key."));
  app.add_option("--color", globals.color,
                 "Colour and weight of severities; auto: on a terminal, unless "
                 "$NO_COLOR is set.")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

}  // namespace

void add_commands(CLI::App& app, Globals& globals, Run& run) {
  app.name("impound");
  app.description("Incident response and forensics for compromised AI models.");
  app.footer(kNotes);
  app.require_subcommand(1);
  app.set_version_flag("--version", "impound " IMPOUND_VERSION,
                       "Print the version.");
  app.get_help_ptr()->description("Print this help, or that of a command.");
  add_global_options(app, globals);
  add_run(app, globals, run);
  add_contain(app, globals, run);
  add_collect(app, globals, run);
  add_diff(app, globals, run);
  add_scan(app, globals, run);
  add_baseline(app, globals, run);
  add_signature(app, globals, run);
  add_gguf_hash(app, globals, run);
  add_exhibit(app, globals, run);
  add_case(app, globals, run);
  add_status(app, globals, run);
  add_verify(app, globals, run);
  add_custody(app, globals, run);
  add_playbook(app, globals, run);
  add_examiner(app, globals, run);
  add_deployment(app, globals, run);
  add_doctor(app, globals, run);
  add_completion(app, globals, run);
  add_help(app, globals, run);
}

}  // namespace impound
