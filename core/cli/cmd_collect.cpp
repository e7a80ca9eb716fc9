// SPDX-License-Identifier: Apache-2.0
/// impound collect: evidence by hand, without a playbook.

#include <fmt/format.h>

#include "collectors/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/arguments.hpp"
#include "core/cli/command.hpp"
#include "core/engine/deployment.hpp"
#include "core/engine/snapshot.hpp"

namespace impound {
namespace {

struct Options {
  std::vector<std::string> names;
  fs::path deployment;
  std::vector<std::string> parameters;
  std::string purpose = "evidence taken by hand";
  unsigned threads = 0;
  bool list = false;
};

ExitCode list_collectors(const Globals& globals) {
  Json documents = Json::array();
  std::string text;
  for (const Collector* one : all_collectors()) {
    Json parameters = Json::array();
    text += fmt::format("{}\n    {}\n", one->name, one->summary);
    for (const Parameter& parameter : one->parameters) {
      parameters.push_back({{"name", parameter.name},
                            {"type", parameter.type},
                            {"help", parameter.help}});
      text += fmt::format("    -p {}=<{}>  {}\n", parameter.name,
                          parameter.type, parameter.help);
    }
    documents.push_back({{"name", one->name},
                         {"summary", one->summary},
                         {"volatility", one->volatility},
                         {"parameters", parameters}});
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, text);
  }
  return ExitCode::clean;
}

ExitCode collect(const Globals& globals, const Options& options) {
  if (options.list) return list_collectors(globals);
  if (options.names.empty() || options.deployment.empty()) {
    throw Error(Errc::bad_input,
                "collect needs at least one collector and --deployment; "
                "'impound collect --list' prints the collectors");
  }
  const Deployment deployment = load_deployment(options.deployment);
  SnapshotRequest request{.deployment = deployment};
  request.purpose = options.purpose;
  request.threads = options.threads;
  for (const std::string& name : options.names) {
    const Collector& collector = find_collector(name);
    // A parameter goes to every named collector that has it.
    request.collectors.push_back(
        {.collector = &collector,
         .arguments = arguments_for(collector.parameters, options.parameters)});
    request.title += (request.title.empty() ? "" : ", ") + name;
  }
  refuse_unused_arguments(request.collectors, options.parameters);
  request.title += " of " + deployment.name;
  OpenCase open(globals, Events::stream);
  const Snapshot snapshot = take_snapshot(open.session(), request);
  if (globals.json) {
    Json line = snapshot.to_json();
    Json event;
    event["event"] = "exhibit";
    event.update(line);
    open.progress().event(event);
  } else {
    print_text(globals, snapshot.to_text());
  }
  if (snapshot.is_interrupted || snapshot.is_empty_handed()) {
    return ExitCode::failed;
  }
  return ExitCode::clean;
}

}  // namespace

void add_collect(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, "collect", "Take evidence by hand into one sealed exhibit.");
  auto options = std::make_shared<Options>();
  command->add_option("collectors", options->names,
                      "model-files, prompt-log, process, host.");
  command->add_option("--deployment", options->deployment,
                      "Descriptor of the deployment (TOML).");
  command->add_option("-p,--param", options->parameters,
                      "Parameter of a collector, name=value.");
  command->add_option("--purpose", options->purpose, "Why, for the chain.");
  command->add_option("--threads", options->threads, "Cores to use; 0 = all.");
  command->add_flag("--list", options->list, "Print the collectors there are.");
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return collect(globals, *options); };
  });
}

}  // namespace impound
