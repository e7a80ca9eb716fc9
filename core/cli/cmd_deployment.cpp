// SPDX-License-Identifier: Apache-2.0
/// impound deployment: everything of a descriptor, before it is needed.

#include <fmt/format.h>

#include "collectors/registry.hpp"
#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/engine/deployment.hpp"
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
                                    format_table(rows)));
  }
  if (any_failed) return ExitCode::failed;
  return any_warned ? ExitCode::findings : ExitCode::clean;
}

}  // namespace

void add_deployment(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group = add_command(app, "deployment", "Served models.");
  group->require_subcommand(1);
  CLI::App* command = add_command(
      *group, "check",
      "Try every path, process, credential and probe of a descriptor.");
  auto file = std::make_shared<fs::path>();
  command->add_option("file", *file, "Descriptor (TOML).")->required();
  command->callback([&globals, &run, file] {
    run = [&globals, file] { return check(globals, *file); };
  });
}

}  // namespace impound
