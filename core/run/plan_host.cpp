// SPDX-License-Identifier: Apache-2.0
/// What a run would do, told by the collectors and containments themselves.

#include "core/run/plan_host.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/engine/baseline_check.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/places.hpp"
#include "core/engine/served_model.hpp"
#include "core/engine/snapshot.hpp"

namespace impound {
namespace {

constexpr std::string_view kSource = "playbook call";

/// The sentence, or why the act would fail as things are: a server that is down
/// ends no plan, and so no run. The act itself will say it in the record.
template <typename Describe>
std::string described(const Describe& describe) {
  try {
    return describe();
  } catch (const Error& error) {
    return fmt::format("As things are, this would fail: {}.", error.what());
  }
}

/// A plan without a deployment.
const Deployment& nothing_named() {
  static const Deployment kNothing;
  return kNothing;
}

/// The folder of the case that a run would write to; empty if there is none
/// yet, or several.
fs::path case_of(const RunTools& tools) {
  try {
    return find_case(tools.case_name);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

PlanHost::PlanHost(const RunTools& tools, const Deployment* deployment,
                   const lua::LoadedPlaybook& playbook, const ReachGiven& given)
    : tools_(tools),
      deployment_(deployment),
      reach_(deployment == nullptr ? nothing_named() : *deployment,
             {.given = given,
              .reads = {playbook.reads.begin(), playbook.reads.end()},
              .own = own_places(case_of(tools), tools.key_file),
              .home = home_folder()},
             PlaybookReach::Disk::real) {}

Json PlanHost::perform(const lua::HostCall& call, std::int64_t) {
  throw Error(Errc::unsupported, "a plan performs nothing, and ctx:" +
                                     std::string(to_string(call.function)) +
                                     " was asked for");
}

lua::PlannedCall PlanHost::plan(const lua::HostCall& call) {
  lua::PlannedCall planned = lua::plan_from_arguments(call);
  if (deployment_ == nullptr) return planned;
  switch (call.function) {
    case lua::CtxFunction::collect:
      planned.sentence = collecting(call.admitted);
      break;
    case lua::CtxFunction::contain:
      planned.sentence = containing(call.admitted);
      break;
    case lua::CtxFunction::served:
      planned.sentence += " Now: " + served_model_now(*deployment_).sentence();
      break;
    case lua::CtxFunction::load_baseline: {
      const std::string path =
          call.admitted.contains("path")
              ? from_lossless_utf8(require_text(call.admitted, "path", kSource))
              : deployment_->baseline_path.native();
      const BaselineCheck check = check_baseline(fs::path(path));
      planned.sentence =
          fmt::format("Would read the baseline: {}.", check.sentence());
      planned.answer.update(check.to_json());
      break;
    }
    default:  // the arguments say all there is
      break;
  }
  return planned;
}

std::string PlanHost::collecting(const Json& arguments) const {
  const Cancellation never;
  const Collector& collector =
      find_collector(tools_.instruments.collectors,
                     require_text(arguments, "collector", kSource));
  const Target target{
      .deployment = *deployment_,
      .arguments =
          arguments_for(collector, require_key(arguments, "arguments", kSource),
                        Spelling::values, tools_.clock.now()),
      .clock = tools_.clock,
      .cancellation = never};
  const std::string sentence = described([&] {
    std::string text = collector.describe(target);
    if (const std::uint64_t bytes = collector.estimate(target); bytes > 0) {
      text += fmt::format(" About {}.", human_bytes(bytes));
    }
    return text;
  });
  return sentence + fmt::format(" Reaches {}.", in_words(collector.reach));
}

std::string PlanHost::containing(const Json& arguments) const {
  const Cancellation never;
  const std::string named = text_or(arguments, "method", "");
  const auto names = named.empty() ? deployment_->containment_methods()
                                   : std::vector<std::string>{named};
  // How many of them will prove anything is known when they were asked.
  const std::size_t probes = deployment_->probes.size();
  return described([&] {
    std::string text;
    for (const std::string& name : names) {
      const Containment& method =
          find_containment(tools_.instruments.containments, name);
      const Target target{.deployment = *deployment_,
                          .arguments = arguments_for(
                              *deployment_, method,
                              require_key(arguments, "arguments", kSource),
                              Spelling::values, tools_.clock.now()),
                          .clock = tools_.clock,
                          .cancellation = never};
      text += method.describe(target) + " ";
    }
    if (names.empty()) {
      static_cast<void>(find_containment(tools_.instruments.containments, ""));
    }
    return fmt::format(
        "{}{}", text,
        probes == 0 ? std::string("No probe is named that could prove it.")
                    : fmt::format("Asks {} probe{} before and after.", probes,
                                  probes == 1 ? "" : "s"));
  });
}

}  // namespace impound
