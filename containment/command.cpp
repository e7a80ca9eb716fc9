// SPDX-License-Identifier: Apache-2.0
/// command: programs that the descriptor declares, for what no other method can
/// reach. No shell; and only from a descriptor that nobody but its trusted
/// owner can have written.

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "containment/program.hpp"
#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/containment.hpp"

namespace impound {
namespace {

constexpr std::string_view kSource = "the recorded state of containment";

/// What `before` prints and `undo` reads.
constexpr std::size_t kMostState = 64 * limits::kKiB;

/// Exit codes of the probe.
constexpr int kSaysContained = 0;
constexpr int kSaysNotContained = 1;

struct Plan {
  std::vector<std::string> before;
  std::vector<std::string> apply;
  std::vector<std::string> probe;
  std::vector<std::string> undo;
  std::vector<std::string> keeps;
  int timeout_ms = 30'000;
  std::string printed;     ///< by `before`; of a record
  std::string descriptor;  ///< of a record
};

/// Writable by nobody but root and who runs this, and owned by one of them.
/// @throws Error{unsupported}.
void require_trusted(const fs::path& path, std::string_view what) {
  const auto facts = stat_path(path, Links::follow);
  if (!facts) {
    throw Error(Errc::io, fmt::format("cannot look at the {} {}: {}", what,
                                      printable(path.native()),
                                      facts.failure().message()));
  }
  const bool is_owned = facts->uid == 0 || facts->uid == ::geteuid();
  constexpr std::uint32_t kOthersWrite = S_IWGRP | S_IWOTH;
  const bool is_sticky = (facts->mode & S_ISVTX) != 0;
  const bool is_shut = (facts->mode & kOthersWrite) == 0 || is_sticky;
  if (is_owned && is_shut) return;
  throw Error(
      Errc::unsupported,
      fmt::format("the {} {} is not trusted: {}. Commands are run only if root "
                  "or whoever runs this owns it and nobody else can write it",
                  what, printable(path.native()),
                  is_owned ? fmt::format("others may write it (mode {:04o})",
                                         facts->mode)
                           : fmt::format("user {} owns it", facts->uid)));
}

/// A program, by an absolute path that nobody else can have replaced.
void require_program(const std::vector<std::string>& argv,
                     std::string_view name) {
  if (argv.empty() || !argv.front().starts_with('/')) {
    throw Error(Errc::bad_input,
                fmt::format("command: {}: expected a program by its absolute "
                            "path, and its arguments",
                            name));
  }
  require_trusted(argv.front(), "program");
}

/// Of the descriptor alone: neither a command line nor a playbook may say what
/// is run.
Plan plan_from(const Target& target) {
  const Arguments& arguments = target.arguments;
  const Json settings = target.deployment.settings_of("command");
  for (const auto& [name, value] : settings.items()) {
    const auto given = arguments.json().find(name);
    if (given != arguments.json().end() && *given == value) continue;
    throw Error(Errc::bad_input,
                fmt::format("command: {}: only the descriptor may say it",
                            printable(name)));
  }
  for (const std::string_view name :
       {"before", "apply", "probe", "undo", "keeps"}) {
    if (arguments.has(name) && !settings.contains(std::string(name))) {
      throw Error(
          Errc::bad_input,
          fmt::format("command: {}: only the descriptor may say it", name));
    }
  }
  Plan plan;
  plan.before = arguments.texts("before");
  plan.apply = arguments.texts("apply");
  plan.probe = arguments.texts("probe");
  plan.undo = arguments.texts("undo");
  plan.keeps = arguments.texts("keeps");
  plan.timeout_ms =
      static_cast<int>(arguments.integer("timeout_ms").value_or(30'000));
  plan.descriptor = target.deployment.descriptor.native();
  return plan;
}

void require_all_trusted(const Plan& plan) {
  require_trusted(plan.descriptor, "descriptor");
  require_trusted(fs::path(plan.descriptor).parent_path(),
                  "folder of the descriptor");
  if (!plan.before.empty()) require_program(plan.before, "before");
  require_program(plan.apply, "apply");
  require_program(plan.probe, "probe");
  require_program(plan.undo, "undo");
}

std::vector<std::string> texts_in(const Json& record, std::string_view key) {
  std::vector<std::string> list;
  for (const Json& one : require_key(record, key, kSource)) {
    list.push_back(from_lossless_utf8(one.get<std::string>()));
  }
  return list;
}

Plan plan_from(const Json& record) {
  Plan plan;
  plan.apply = texts_in(record, "apply");
  plan.probe = texts_in(record, "probe");
  plan.undo = texts_in(record, "undo");
  plan.timeout_ms =
      static_cast<int>(require_u64(record, "timeout_ms", kSource));
  plan.printed = from_lossless_utf8(require_text(record, "printed", kSource));
  plan.descriptor =
      from_lossless_utf8(require_text(record, "descriptor", kSource));
  return plan;
}

bool is_record(const Json& record) { return record.contains("apply"); }

ProgramRun run_of(const Plan& plan, const std::vector<std::string>& argv,
                  std::string input = "") {
  return {
      .argv = argv, .input = std::move(input), .timeout_ms = plan.timeout_ms};
}

Json texts_json(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& one : list) json.push_back(lossless_utf8(one));
  return json;
}

Json before(const Target& target) {
  Plan plan = plan_from(target);
  require_all_trusted(plan);
  if (!plan.before.empty()) {
    plan.printed = run_program_ok(run_of(plan, plan.before), target).output;
    if (plan.printed.size() > kMostState) {
      throw Error(Errc::limit,
                  fmt::format("command: before printed {} bytes, expected at "
                              "most {}",
                              plan.printed.size(), kMostState));
    }
  }
  return {{"apply", texts_json(plan.apply)},
          {"probe", texts_json(plan.probe)},
          {"undo", texts_json(plan.undo)},
          {"timeout_ms", plan.timeout_ms},
          {"descriptor", lossless_utf8(plan.descriptor)},
          {"descriptor_sha256", target.deployment.descriptor_sha256},
          {"printed", lossless_utf8(plan.printed)}};
}

std::vector<PlannedAct> acts(const Target&, const Json& record) {
  const Plan plan = plan_from(record);
  return {run_of(plan, plan.apply)
              .planned("runs what the descriptor declares as apply")};
}

Json apply(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  static_cast<void>(run_program_ok(run_of(plan, plan.apply), target));
  return {{"done", join(plan.apply, " ")}};
}

Json undo(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  static_cast<void>(
      run_program_ok(run_of(plan, plan.undo, plan.printed), target));
  return {{"done", join(plan.undo, " ")}};
}

MeasuredState state(const Target& target, const Json& record) {
  const bool has_record = is_record(record);
  Plan plan = has_record ? plan_from(record) : plan_from(target);
  if (!has_record) require_all_trusted(plan);
  const ProgramEnd end = run_program(run_of(plan, plan.probe), target);
  MeasuredState measured;
  measured.from = "the program " + plan.probe.front();
  measured.why =
      fmt::format("{} says {}", printable(plan.probe.front()), end.in_words());
  if (end.exit_code == kSaysContained) {
    measured.measured = Containedness::contained;
  } else if (end.exit_code == kSaysNotContained) {
    measured.measured = Containedness::not_contained;
  } else {
    measured.measured = Containedness::unknown;
  }
  measured.holds_something = measured.measured == Containedness::contained;
  measured.is_by_record = has_record && measured.holds_something;
  return measured;
}

std::vector<std::string> things(const Json& record) {
  if (!is_record(record)) return {};
  return {"command " + lossless_utf8(plan_from(record).descriptor)};
}

std::string describe(const Target& target) {
  const Plan plan = plan_from(target);
  return fmt::format(
      "Runs {}, as the descriptor declares; what that does is "
      "its author's word.",
      printable(join(plan.apply, " ")));
}

std::vector<std::string> by_hand(const Json& record) {
  const Plan plan = plan_from(record);
  std::string line;
  for (const std::string& word : plan.undo) {
    line += line.empty() ? "'" : " '";
    for (const char c : word) {
      if (c == '\'') {
        line += "'\\''";
      } else {
        line += c;
      }
    }
    line += "'";
  }
  if (plan.printed.empty()) return {line + " </dev/null"};
  return {"# its standard input is \"printed\" of the record", line};
}

Effects effects_with(const Arguments& arguments) {
  const auto keeps = arguments.texts("keeps");
  const auto kept = [&](std::string_view what) {
    return std::ranges::find(keeps, what) != keeps.end() ? Kept::kept
                                                         : Kept::lost;
  };
  Effects effects{.keeps = {.weights = kept("weights"),
                            .kv = kept("kv"),
                            .inflight = kept("inflight"),
                            .process = kept("process")},
                  .undo = UndoPromise::exact};
  effects.is_destructive = effects.keeps.weights == Kept::lost ||
                           effects.keeps.process == Kept::lost;
  return effects;
}

/// Nobody but the descriptor may give it: plan_from() refuses all others.
Parameter argv(std::string name, std::string help, bool is_required) {
  return {.name = std::move(name),
          .type = ParameterType::texts,
          .help = std::move(help) + " (descriptor only).",
          .is_required = is_required,
          .touches = Touches::nothing};
}

const std::array kParameters{
    argv("before", "Prints the state; undo reads what it printed", false),
    argv("apply", "Takes the model out of service", true),
    argv("probe",
         "Measures: exit code 0 contained, 1 not contained, others unknown",
         true),
    argv("undo", "Gives the model back", true),
    argv("keeps",
         "What apply keeps, of weights, kv, inflight, process: a claim", false),
    Parameter{.name = "timeout_ms",
              .type = ParameterType::integer,
              .help = "How long each program may take, in milliseconds.",
              .otherwise = 30'000,
              .least = 10,
              .most = 600'000,
              .touches = Touches::nothing}};

}  // namespace

extern const Containment kCommandContainment;
constinit const Containment kCommandContainment{
    .name = "command",
    .summary = "Runs programs that a trusted descriptor declares.",
    .parameters = kParameters,
    .before = before,
    .apply = apply,
    .undo = undo,
    .state = state,
    .things = things,
    .describe = describe,
    .by_hand = by_hand,
    .effects = {.keeps = {.weights = Kept::partly,
                          .kv = Kept::partly,
                          .inflight = Kept::partly,
                          .process = Kept::partly},
                .undo = UndoPromise::exact},
    .effects_with = effects_with,
    .tried = Tried::real,
    .tried_with = "programs of the tests; what yours do is their author's word",
    .acts = acts,
};

}  // namespace impound
