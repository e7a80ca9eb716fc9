// SPDX-License-Identifier: Apache-2.0
/// Entry point: maps a command line to one act and its outcome to an exit code.

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/complaint.hpp"
#include "core/cli/completion.hpp"
#include "core/cli/help.hpp"
#include "core/cli/known_things.hpp"
#include "core/cli/out_of_memory.hpp"
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

/// The code of an error is for programs: people are told what was tried, on
/// what, and what was said to it.
void report_error(const impound::Globals& globals, std::string_view code,
                  std::string_view message, impound::ExitCode exit) {
  impound::write_error(message);
  if (!globals.json) return;
  impound::Json document;
  document["ok"] = false;
  document["error"] = {{"code", code},
                       {"message", impound::lossless_utf8(message)}};
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
  impound::write_error(fmt::format("cannot write to standard output: {}",
                                   std::strerror(failure)));
  return code == static_cast<int>(impound::ExitCode::tampered)
             ? code
             : static_cast<int>(impound::ExitCode::failed);
}

/// Said without asking for memory, of which there is none. What the act had
/// committed stays; the rest is as after any failure.
int report_out_of_memory(const impound::Globals& globals) {
  impound::write_out_of_memory(globals.json);
  return static_cast<int>(impound::ExitCode::failed);
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
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    report_error(globals, "internal", error.what(), impound::ExitCode::failed);
  }
  return static_cast<int>(impound::ExitCode::failed);
}

/// What a shell asks when Tab is pressed; says nothing but the answer.
int offer(const CLI::App& app, const impound::Globals& globals,
          std::span<const std::string> typed) {
  const auto known = [&globals](impound::ValueKind kind,
                                const impound::TypedBefore& before) {
    return impound::known_things(globals, kind, before);
  };
  impound::write_stdout(impound::to_text(
      impound::complete(impound::page_of(app), typed.subspan(1), known)));
  return 0;
}

/// Help and version, which CLI11 throws too, and mistakes.
/// @return the exit code.
int answer_to(const CLI::App& app, const CLI::ParseError& error,
              impound::Globals& globals,
              const std::vector<std::string>& typed) {
  if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr) {
    impound::write_stdout(std::string(error.what()) + "\n");
    return 0;
  }
  const impound::CommandPage root = impound::page_of(app);
  const std::string help = impound::help_text(
      root, impound::parsed_page(app, root), impound::help_width());
  if (error.get_exit_code() == 0) {
    impound::write_stdout(help);
    return 0;
  }
  // The parser stopped before it had set its flags.
  globals.json = std::ranges::find(typed, "--json") != typed.end();
  const impound::Complaint complaint =
      impound::complaint_about(app, error, typed);
  if (complaint.is_only_unfinished && !globals.json) {
    impound::write_stderr(help);
  } else {
    report_error(globals, to_string(impound::Errc::bad_input),
                 fmt::format("{}\nMore: {}", complaint.message, complaint.next),
                 impound::ExitCode::usage);
  }
  return static_cast<int>(impound::ExitCode::usage);
}

int run_program(int argc, char** argv, impound::Globals& globals) {
  globals.cancellation = &cancellation;
  impound::Run run;

  CLI::App app;
  impound::add_commands(app, globals, run);
  const std::vector<std::string> typed(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (!typed.empty() && typed.front() == impound::kCompleteWord) {
    return finish(offer(app, globals, typed));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return finish(answer_to(app, error, globals, typed));
  }

  impound::choose_color(impound::color_choice_from(globals.color)
                            .value_or(impound::ColorChoice::automatic));
  listen_for_interrupts();
  return finish(act(globals, run));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "playbook-child") == 0) {
    return impound::lua::run_child(impound::lua::kChildSocket);
  }
  impound::reserve_standard_descriptors();
  impound::Globals globals;
  try {
    return run_program(argc, argv, globals);
  } catch (const std::bad_alloc&) {
    return finish(report_out_of_memory(globals));
  }
}
