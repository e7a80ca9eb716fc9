// SPDX-License-Identifier: Apache-2.0
/// Entry point: maps a command line to one act and its outcome to an exit code.

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "core/base/error.hpp"
#include "core/base/screen_text.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/standard_output.hpp"
#include "lua/host/playbook_commands.hpp"

namespace {

impound::Cancellation cancellation;

extern "C" void on_signal(int) { cancellation.request(); }

/// The first Ctrl-C asks the act at hand to seal what it has; a second one ends
/// the program where it stands, which loses at most that act [I11].
void listen_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);
  // A reader of our output that goes away must not end an acquisition.
  ::signal(SIGPIPE, SIG_IGN);
}

void add_global_options(CLI::App& app, impound::Globals& globals) {
  app.add_flag("--json", globals.json,
               "Print one JSON document (JSON lines for run and collect).");
  app.add_flag("-q,--quiet", globals.quiet, "Say nothing but results.");
  app.add_option("--case", globals.case_name,
                 "Case id below $IMPOUND_HOME (~/impound/cases), or a folder.");
  app.add_option("--key", globals.key_file,
                 "Examiner's private key instead of the configured one.");
  app.add_option("--passphrase-file", globals.passphrase_file,
                 "File whose first line is the passphrase of the key.");
}

void report_error(const impound::Globals& globals, std::string_view code,
                  std::string_view message, impound::ExitCode exit) {
  impound::write_error(code, message);
  if (!globals.json) return;
  impound::Json document;
  document["ok"] = false;
  document["error"] = {{"code", code}, {"message", message}};
  document["exit_code"] = static_cast<int>(exit);
  impound::write_stdout_json(impound::dump_line(document) + "\n");
}

/// The last word on a command: output that could not be written is a failure,
/// whatever the command itself came to. That evidence does not verify is said
/// by the exit code even then.
int finish(int code) {
  const int failure = impound::finish_stdout();
  if (failure == 0) return code;
  if (failure == EPIPE) {
    // Nobody reads on; end as every other program in a pipe does.
    ::signal(SIGPIPE, SIG_DFL);
    ::raise(SIGPIPE);
  }
  impound::write_error("io", fmt::format("cannot write to standard output: {}",
                                         std::strerror(failure)));
  return code == static_cast<int>(impound::ExitCode::tampered)
             ? code
             : static_cast<int>(impound::ExitCode::failed);
}

/// Does what the command line asks for.
/// @return the exit code, unless the output could not be written.
int act(impound::Globals& globals, const impound::Run& run) {
  try {
    return static_cast<int>(run());
  } catch (const impound::Error& error) {
    const auto exit = impound::exit_code_for(error.code());
    report_error(globals, to_string(error.code()), error.what(), exit);
    return static_cast<int>(exit);
  } catch (const std::exception& error) {
    report_error(globals, "internal", error.what(), impound::ExitCode::failed);
  }
  return static_cast<int>(impound::ExitCode::failed);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "playbook-child") == 0) {
    return impound::lua::run_child(impound::lua::kChildSocket);
  }
  impound::reserve_standard_descriptors();
  impound::Globals globals;
  globals.cancellation = &cancellation;
  impound::Run run;

  CLI::App app{
      "impound: incident response and forensics for compromised AI models.\n"
      "Exit codes: 0 done, nothing suspicious; 1 done, findings; 2 usage;\n"
      "3 failed, or incomplete: not everything that was asked could be done;\n"
      "4 evidence or custody does not verify; 5 waiting for an approval or an\n"
      "answer."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "impound " IMPOUND_VERSION);
  add_global_options(app, globals);
  impound::add_examiner(app, globals, run);
  impound::add_case(app, globals, run);
  impound::add_status(app, globals, run);
  impound::add_deployment(app, globals, run);
  impound::add_playbook(app, globals, run);
  impound::add_run(app, globals, run);
  impound::add_collect(app, globals, run);
  impound::add_contain(app, globals, run);
  impound::add_baseline(app, globals, run);
  impound::add_diff(app, globals, run);
  impound::add_scan(app, globals, run);
  impound::add_signature(app, globals, run);
  impound::add_gguf_hash(app, globals, run);
  impound::add_exhibit(app, globals, run);
  impound::add_custody(app, globals, run);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    const bool asked_for_help = app.exit(error, out, complaint) == 0;
    impound::write_stdout(out.str());
    // The words of a command line may break lines: ours are two.
    std::string said = complaint.str();
    if (const std::size_t last = said.rfind("\nRun with "); last != said.npos) {
      said = impound::screen_line(said.substr(0, last)) + said.substr(last);
    }
    impound::write_stderr(said);
    return finish(asked_for_help ? 0
                                 : static_cast<int>(impound::ExitCode::usage));
  }

  listen_for_interrupts();
  return finish(act(globals, run));
}
