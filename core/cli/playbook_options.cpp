// SPDX-License-Identifier: Apache-2.0
#include "core/cli/playbook_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "containment/probe.hpp"
#include "core/base/error.hpp"
#include "core/cli/arguments.hpp"

namespace impound {

RunRequest PlaybookOptions::request() const {
  return {.playbook = playbook,
          .deployment = deployment,
          .parameters = given_by(parameters),
          .active_harm = active_harm,
          .consent = consent.typed()};
}

void add_playbook_options(CLI::App& command, PlaybookOptions& options) {
  takes(ValueKind::playbook, command.add_option("playbook", options.playbook,
                                                "Id, folder, or playbook.lua."))
      ->required();
  takes(ValueKind::descriptor,
        command.add_option("--deployment", options.deployment,
                           "Descriptor of the deployment (TOML)."));
  takes(ValueKind::assignment,
        command.add_option("-p,--param", options.parameters,
                           "Parameter of the playbook, name=value."));
  command.add_flag("--active-harm", options.active_harm,
                   "Harm is going on: contain before evidence is taken "
                   "(parameter active_harm).");
}

lua::ChildOptions child_options(const Globals& globals) {
  lua::ChildOptions options;
  options.cancellation = globals.cancellation;
  constexpr const char* kName = "IMPOUND_PLAYBOOK_SECONDS";
  const char* const said = std::getenv(kName);
  if (said == nullptr) return options;
  Parameter seconds{.name = kName, .type = ParameterType::integer};
  seconds.least = 1;
  try {
    const auto value = convert_value(seconds, said, Spelling::command_line, 0)
                           .get<std::int64_t>();
    const auto most =
        std::chrono::floor<std::chrono::seconds>(options.limits.wall);
    options.limits.wall =
        std::chrono::seconds(std::min<std::int64_t>(value, most.count()));
  } catch (const Error& error) {
    throw Error(Errc::bad_input, fmt::format("{}: {}", kName, error.what()));
  }
  return options;
}

RunTools run_tools(const Globals& globals) {
  return {.clock = globals.clock,
          .instruments = instruments(),
          .probe = run_probe,
          .child = child_options(globals),
          .tool_version = IMPOUND_VERSION,
          .case_name = globals.case_name,
          .key_file = globals.key_file};
}

}  // namespace impound
