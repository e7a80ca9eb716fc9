// SPDX-License-Identifier: Apache-2.0
/// impound deployment: everything of a descriptor, before it is needed.

#include <fmt/format.h>

#include <algorithm>

#include "collectors/registry.hpp"
#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/table.hpp"
#include "core/engine/deployment.hpp"
#include "core/engine/discovery.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

ExitCode check(const Globals& globals, const fs::path& file) {
  const Deployment deployment = load_deployment(file);
  CheckTools tools{.collectors = all_collectors(),
                   .containments = all_containments(),
                   .probe = run_probe,
                   .clock = globals.clock,
                   .cancellation = *globals.cancellation};
  const fs::path cases = cases_folder();
  if (stat_path(cases, Links::follow)) tools.evidence_folder = cases;
  bool any_failed = false;
  bool any_warned = false;
  Json checks = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const DeploymentCheck& one : check_deployment(deployment, tools)) {
    any_failed = any_failed || one.level == CheckLevel::fail;
    any_warned = any_warned || one.level == CheckLevel::warn;
    checks.push_back({{"subject", lossless_utf8(one.subject)},
                      {"level", to_string(one.level)},
                      {"sentence", lossless_utf8(one.sentence)}});
    rows.push_back({std::string(to_string(one.level)), printable(one.subject),
                    printable(one.sentence)});
  }
  if (globals.json) {
    print_json({{"deployment", deployment.name},
                {"ok", !any_failed},
                {"checks", checks}});
  } else {
    print_text(globals, fmt::format("{}\n{}", printable(deployment.name),
                                    fitted_table(rows, TableHead::none)));
  }
  if (any_failed) return ExitCode::failed;
  return any_warned ? ExitCode::findings : ExitCode::clean;
}

struct NewOptions {
  fs::path file;
  std::string name;
  Pid pid = 0;
  std::uint16_t port = 0;

  [[nodiscard]] bool fits(const FoundServer& server) const {
    if (pid != 0 && server.pid != pid) return false;
    return port == 0 ||
           std::ranges::any_of(server.listeners, [this](const Listener& one) {
             return one.port == port;
           });
  }
};

std::string found_text(const Discovery& discovery) {
  std::string text;
  for (const FoundServer& server : discovery.servers) {
    text += "\n" + server.in_words();
  }
  return text;
}

/// What was looked at, and what could not be: a search that found nothing says
/// no more than that.
std::string search_text(const Discovery& discovery) {
  return fmt::format(
      "{} processes were looked at{}", discovery.processes,
      discovery.hidden == 0
          ? ""
          : fmt::format("; {} of them may not be looked into, try as root",
                        discovery.hidden));
}

Json server_json(const FoundServer& server) {
  Json listeners = Json::array();
  for (const Listener& one : server.listeners) {
    listeners.push_back(lossless_utf8(one.address));
  }
  Json logs = Json::array();
  for (const OpenLog& log : server.logs) {
    logs.push_back(lossless_utf8(log.path.native()));
  }
  return {{"pid", server.pid},
          {"name", lossless_utf8(server.name)},
          {"server",
           server.known == nullptr ? Json(nullptr) : Json(server.known->name)},
          {"listeners", std::move(listeners)},
          {"unit", lossless_utf8(server.unit)},
          {"model_path", lossless_utf8(server.model_path().native())},
          {"weights", server.weights().size()},
          {"not_measured", lossless_utf8(server.not_measured())},
          {"logs", std::move(logs)}};
}

/// Writes a descriptor of what is served here, to be read and corrected.
ExitCode make_new(const Globals& globals, const NewOptions& options) {
  if (!options.file.empty() && stat_path(options.file, Links::refuse)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is there already, and is not overwritten",
                            printable(options.file.native())));
  }
  const Discovery discovery = find_servers(ProcFs());
  std::vector<const FoundServer*> fitting;
  for (const FoundServer& server : discovery.servers) {
    if (options.fits(server)) fitting.push_back(&server);
  }
  if (fitting.size() > 1) {
    throw Error(Errc::bad_input,
                fmt::format("{} serving processes were found: name one with "
                            "--pid or --port{}",
                            fitting.size(), found_text(discovery)));
  }
  if (fitting.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("no {}process that serves a model was found: {}{}",
                            discovery.servers.empty() ? "" : "such ",
                            search_text(discovery), found_text(discovery)));
  }
  const std::string text = descriptor_of(*fitting.front(), options.name);
  if (!options.file.empty()) {
    const UniqueFd file = create_file(options.file, 0644);
    write_all(file, as_bytes(text), options.file);
  }
  if (globals.json) {
    Json document = server_json(*fitting.front());
    document["descriptor"] = lossless_utf8(text);
    document["file"] = options.file.empty()
                           ? Json(nullptr)
                           : Json(lossless_utf8(options.file.native()));
    print_json(document);
    return ExitCode::clean;
  }
  if (options.file.empty()) {
    print_text(globals, text);
  } else {
    print_text(globals,
               fmt::format("{}\nwritten to {}\nRead it, correct it, then: "
                           "impound deployment check {}\n",
                           fitting.front()->in_words(),
                           printable(options.file.native()),
                           shell_word(options.file.native())));
  }
  print_note(globals, search_text(discovery) + ".");
  return ExitCode::clean;
}

}  // namespace

void add_deployment(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group =
      add_command(app, Group::set_up, "deployment", "Served models.",
                  "impound deployment check d.toml");
  group->require_subcommand(1);
  CLI::App* command = add_command(
      *group, "check",
      "Try every path, process, credential and probe of a descriptor.",
      "impound deployment check d.toml");
  auto file = std::make_shared<fs::path>();
  takes(ValueKind::descriptor,
        command->add_option("file", *file, "Descriptor (TOML)."))
      ->required();
  command->callback([&globals, &run, file] {
    run = [&globals, file] { return check(globals, *file); };
  });

  CLI::App* make = add_command(
      *group, "new",
      "Find what serves a model on this machine, and write the descriptor of "
      "it, to be corrected by a person.",
      "impound deployment new d.toml --port 8080");
  make->footer(
      "Looks at the processes that listen, what they have open and mapped, and "
      "the logs they write to. Asks no server anything, changes nothing, and "
      "never overwrites. Each line says what it was measured from.");
  auto options = std::make_shared<NewOptions>();
  takes(ValueKind::file,
        make->add_option("file", options->file,
                         "Descriptor to write; standard output if not named."));
  make->add_option("--name", options->name,
                   "What people call it; made of the model's folder if not "
                   "given.");
  make->add_option("--pid", options->pid, "This process, where several serve.");
  make->add_option("--port", options->port,
                   "The process that listens there, where several serve.");
  make->callback([&globals, &run, options] {
    run = [&globals, options] { return make_new(globals, *options); };
  });
}

}  // namespace impound
