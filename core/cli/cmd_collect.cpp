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
    text += fmt::format("{}\n    {}\n    Reaches {}.\n", one->name,
                        one->summary, in_words(one->reach));
    text += help_text(one->parameters);
    documents.push_back({{"name", one->name},
                         {"summary", one->summary},
                         {"reach", to_string(one->reach)},
                         {"volatility", one->volatility},
                         {"parameters", to_json(one->parameters)}});
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, text);
  }
  return ExitCode::clean;
}

/// Before anything is touched, who reads what: a person may still say no.
void announce(const Globals& globals,
              const std::vector<CollectRequest>& requests) {
  for (const CollectRequest& one : requests) {
    print_note(globals, fmt::format("{} reaches {}.", one.collector->name,
                                    in_words(one.collector->reach)));
  }
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
  request.collectors =
      collect_requests(options.names, options.parameters, globals.clock.now());
  request.title = title_of(request.collectors, deployment);
  announce(globals, request.collectors);
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
  CLI::App* command =
      add_command(app, Group::respond, "collect",
                  "Take evidence by hand into one sealed exhibit.",
                  "impound collect model-files prompt-log --deployment d.toml");
  auto options = std::make_shared<Options>();
  takes(ValueKind::collector,
        command->add_option("collectors", options->names,
                            "Names, as 'impound collect --list' prints them."));
  takes(ValueKind::descriptor,
        command->add_option("--deployment", options->deployment,
                            "Descriptor of the deployment (TOML)."));
  takes(ValueKind::assignment,
        command->add_option("-p,--param", options->parameters,
                            "Parameter of a collector, name=value."));
  command->add_option("--purpose", options->purpose, "Why, for the chain.");
  command->add_option("--threads", options->threads, "Cores to use; 0 = all.");
  command->add_flag("--list", options->list, "Print the collectors there are.");
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return collect(globals, *options); };
  });
}

}  // namespace impound
