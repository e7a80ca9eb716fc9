// SPDX-License-Identifier: Apache-2.0
/// impound contain, impound release: out of service and back, proved.

#include <fmt/format.h>

#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/arguments.hpp"
#include "core/cli/command.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/deployment.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/release.hpp"
#include "core/engine/status.hpp"

namespace impound {
namespace {

struct ContainOptions {
  std::string method;
  fs::path deployment;
  std::vector<std::string> parameters;
  std::string purpose = "containment by hand";
  std::string accept_loss;
  bool destroys_evidence = false;
  bool dry_run = false;
  bool list = false;
};

/// The case asks for more people than the one who acts.
ExitCode wait_for_approval(const Globals& globals, Session& session,
                           const ApprovalSubject& subject) {
  const OpenApproval open = request_approval(session, subject);
  const std::string how =
      fmt::format("{}; then this command again",
                  next_command(session.case_file.folder(),
                               {"approve", open.request, "--reason", "WHY"}));
  if (globals.json) {
    print_json({{"contained", false},
                {"waiting", how},
                {"request", open.request},
                {"missing", open.missing}});
  } else {
    print_text(
        globals,
        fmt::format("Nothing was done: to {} waits for {} approval{} of "
                    "another examiner than {}: {}.\n",
                    subject.what, open.missing, open.missing == 1 ? "" : "s",
                    printable(open.requester), how));
  }
  return ExitCode::waiting;
}

/// "real, HAProxy 2.6 (Debian 12)".
std::string tried_in_words(const Containment& method) {
  std::string text(to_string(method.tried));
  if (!method.tried_with.empty()) text += ", " + std::string(method.tried_with);
  return text;
}

ExitCode list_containments(const Globals& globals) {
  Json documents = Json::array();
  std::string text;
  for (const Containment* one : all_containments()) {
    text += fmt::format("{}\n    {}\n    {}; tried against: {}\n", one->name,
                        one->summary, one->effects.in_words(),
                        tried_in_words(*one)) +
            help_text(one->parameters);
    Json document{{"name", one->name}, {"summary", one->summary}};
    document.update(one->effects.to_json());
    document["tried"] = to_string(one->tried);
    document["tried_with"] = one->tried_with;
    document["parameters"] = to_json(one->parameters);
    documents.push_back(std::move(document));
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, text);
  }
  return ExitCode::clean;
}

/// The methods of a call: the one that is named, else all of the descriptor.
std::vector<std::string> chosen_methods(const ContainOptions& options,
                                        const Deployment& deployment) {
  const auto names = options.method.empty()
                         ? deployment.containment_methods()
                         : std::vector<std::string>{options.method};
  if (names.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("{} names no containment method: add [containment] "
                            "method or name one",
                            printable(options.deployment.native())));
  }
  if (names.size() > 1 && !options.parameters.empty()) {
    throw Error(
        Errc::bad_input,
        fmt::format("{} names several containment methods ({}): name "
                    "the one that -p is for",
                    printable(options.deployment.native()), join(names)));
  }
  return names;
}

Arguments arguments_of(const Globals& globals, const ContainOptions& options,
                       const Deployment& deployment,
                       const Containment& method) {
  return arguments_for(deployment, method, given_by(options.parameters),
                       Spelling::command_line, globals.clock.now());
}

/// Everything is looked at, nothing is done; needs no case.
ExitCode rehearse_all(const Globals& globals, const ContainOptions& options,
                      const Deployment& deployment,
                      const std::vector<std::string>& names) {
  Json documents = Json::array();
  bool could_begin = true;
  for (const std::string& name : names) {
    const Containment& method = find_containment(all_containments(), name);
    const Rehearsal rehearsal = rehearse(
        deployment, method, arguments_of(globals, options, deployment, method),
        globals.clock, *globals.cancellation);
    could_begin = could_begin && rehearsal.problem.empty();
    documents.push_back(rehearsal.to_json());
    if (!globals.json) print_text(globals, rehearsal.to_text());
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, "Nothing was done.\n");
  }
  return could_begin ? ExitCode::clean : ExitCode::failed;
}

/// What the case holds after the act, measured.
CaseStatus status_now(const Globals& globals, const CaseFile& case_file) {
  return status_of_folder(case_file.folder(), all_containments(), globals.clock,
                          *globals.cancellation);
}

ExitCode contain_by_hand(const Globals& globals,
                         const ContainOptions& options) {
  if (options.list) return list_containments(globals);
  if (options.deployment.empty()) {
    throw Error(Errc::bad_input,
                "contain needs --deployment; 'impound contain --list' prints "
                "the methods");
  }
  const Deployment deployment = load_deployment(options.deployment);
  const auto names = chosen_methods(options, deployment);
  if (options.dry_run) {
    return rehearse_all(globals, options, deployment, names);
  }
  // The act as an approval sees it: the methods, and all that is said to them.
  const Json given = given_by(options.parameters);
  Json arguments = Json::object();
  bool is_destructive = false;
  for (const std::string& name : names) {
    const Containment& method = find_containment(all_containments(), name);
    const Arguments one = arguments_of(globals, options, deployment, method);
    // Before anybody is asked to approve what is refused anyway.
    require_leave(method, one,
                  {.reason = options.accept_loss,
                   .is_destroying = options.destroys_evidence});
    is_destructive = is_destructive || method.effects_of(one).is_destructive;
    if (names.size() == 1) {
      arguments = one.json();
    } else {
      arguments[name] = one.json();
    }
  }
  OpenCase open(globals);
  ApprovalSubject subject =
      subject_by_hand(open.session(), deployment, join(names, "+"), arguments);
  if (is_destructive) {
    subject.what = "destroy evidence: " + subject.what;
    subject.at_least = kApprovalsToDestroy;
  }
  const ApprovalState approvals =
      approvals_for(open.file(), subject, globals.clock.now());
  if (approvals.missing > 0) {
    return wait_for_approval(globals, open.session(), subject);
  }
  Json authority;
  authority["basis"] = "decision of the acting examiner";
  authority["approvals"] = approvals.grants;
  authority["plan_sha256"] = subject.plan_sha256;
  authority["subject_sha256"] = subject.sha256;
  Deployment chosen = deployment;
  if (!options.method.empty()) {
    chosen.containments = {
        {.method = options.method,
         .settings = deployment.settings_of(options.method)}};
  }
  const ContainAllResult result = contain_all(
      open.session(), {.deployment = chosen,
                       .methods = all_containments(),
                       .arguments = {{names.front(), given}},
                       .spelling = Spelling::command_line,
                       .purpose = options.purpose,
                       .authority = authority,
                       .probe = run_probe,
                       .loss = {.reason = options.accept_loss,
                                .is_destroying = options.destroys_evidence}});
  if (globals.json) {
    print_json(result.to_json());
  } else {
    print_text(globals, result.to_text());
    const CaseStatus status = status_now(globals, open.file());
    if (!status.contained.empty()) print_text(globals, status.closing_text());
  }
  return result.is_contained() ? ExitCode::clean : ExitCode::failed;
}

struct ReleaseOptions {
  std::string deployment;
  std::string held_by;
  std::string purpose = "back into service";
  fs::path from_state;
  bool show_commands = false;
};

/// The one that is meant of what a file tells: the newest of the deployment.
Hold choose_state(const ReleaseOptions& options) {
  const auto states = read_states(options.from_state);
  std::string names;
  std::optional<Hold> chosen;
  bool is_ambiguous = false;
  for (const Hold& state : states) {
    if (!options.deployment.empty() && state.deployment != options.deployment) {
      names += (names.empty() ? "" : ", ") + printable(state.deployment);
      continue;
    }
    if (chosen && chosen->deployment != state.deployment) is_ambiguous = true;
    names += (names.empty() ? "" : ", ") + printable(state.deployment);
    chosen = state;
  }
  if (!chosen || is_ambiguous) {
    throw Error(Errc::bad_input,
                fmt::format("{} tells of {}: name one with --deployment",
                            printable(options.from_state.native()), names));
  }
  return *chosen;
}

/// No case and no key: what is known of the state before is enough.
ExitCode release_by_state(const Globals& globals,
                          const ReleaseOptions& options) {
  const Hold state = choose_state(options);
  if (options.show_commands) {
    const Containment& method =
        find_containment(all_containments(), state.method);
    const auto lines = method.by_hand == nullptr ? std::vector<std::string>{}
                                                 : method.by_hand(state.before);
    if (lines.empty()) {
      throw Error(Errc::unsupported,
                  fmt::format("the method {} cannot be undone by a shell",
                              printable(state.method)));
    }
    if (globals.json) {
      print_json(Json(lines));
    } else {
      for (const std::string& line : lines) print_text(globals, line + "\n");
    }
    return ExitCode::clean;
  }
  const ReleaseResult result =
      release_from_state(state, all_containments(), run_probe, globals.clock,
                         *globals.cancellation);
  if (globals.json) {
    print_json(result.to_json());
  } else {
    print_text(globals, result.to_text());
  }
  return result.is_released() ? ExitCode::clean : ExitCode::failed;
}

ExitCode release_by_hand(const Globals& globals,
                         const ReleaseOptions& options) {
  if (!options.from_state.empty()) return release_by_state(globals, options);
  if (options.show_commands) {
    throw Error(Errc::bad_input, "--show-commands needs --from-state FILE");
  }
  // A person may name the deployment or its descriptor.
  std::optional<Deployment> descriptor;
  if (options.deployment.ends_with(".toml")) {
    descriptor = load_deployment(options.deployment);
  }
  OpenCase open(globals);
  const auto results =
      release(open.session(),
              {.methods = all_containments(),
               .probe = run_probe,
               .purpose = options.purpose,
               .deployment = descriptor ? descriptor->name : options.deployment,
               .descriptor = descriptor ? &*descriptor : nullptr,
               .held_by = options.held_by});
  Json documents = Json::array();
  bool is_settled = true;
  for (const ReleaseResult& result : results) {
    is_settled = is_settled && result.is_settled();
    documents.push_back(result.to_json());
    if (!globals.json) print_text(globals, result.to_text());
  }
  if (globals.json) print_json(documents);
  if (results.empty() && !options.deployment.empty()) {
    std::string open_now;
    for (const ContainmentRow& row : open_containments(open.file())) {
      open_now += (open_now.empty() ? "" : ", ") + printable(row.deployment);
    }
    throw Error(Errc::bad_input,
                fmt::format("case {} knows no deployment \"{}\"; open in its "
                            "record: {}",
                            open.file().id(), printable(options.deployment),
                            open_now.empty() ? "none" : open_now));
  }
  if (results.empty() && !globals.json) {
    print_text(globals,
               "This case's record has nothing to release, and names no "
               "deployment that could be measured.\n");
  }
  if (!globals.json) {
    print_text(globals, status_now(globals, open.file()).closing_text());
  }
  return is_settled ? ExitCode::clean : ExitCode::failed;
}

}  // namespace

void add_contain(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, Group::respond, "contain",
      "Take a deployment out of service, and prove it.",
      "impound contain --deployment d.toml --purpose \"stop the leak\"");
  auto options = std::make_shared<ContainOptions>();
  takes(ValueKind::containment,
        command->add_option("method", options->method,
                            "Method; the descriptor's own if not named."));
  takes(ValueKind::descriptor,
        command->add_option("--deployment", options->deployment,
                            "Descriptor of the deployment (TOML)."));
  takes(ValueKind::assignment,
        command->add_option("-p,--param", options->parameters,
                            "Parameter of the method, name=value."));
  command->add_option("--purpose", options->purpose, "Why, for the chain.");
  command->add_option("--accept-loss", options->accept_loss,
                      "Why what the method loses in memory may be lost; goes "
                      "into the chain.");
  command->add_flag("--destroys-evidence", options->destroys_evidence,
                    "Allow a method that destroys evidence; two others must "
                    "approve it.");
  command->add_flag("--dry-run", options->dry_run,
                    "Show each act and request, and do nothing.");
  command->add_flag("--list", options->list,
                    "Print the methods there are, what each keeps, and what it "
                    "was tried against.");
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return contain_by_hand(globals, *options); };
  });

  CLI::App* back = add_command(
      app, Group::respond, "release",
      "Undo every containment of the case that is open in its record, measure, "
      "and prove it. With nothing open, measure what the case knows.",
      "impound release --deployment d.toml");
  auto release_options = std::make_shared<ReleaseOptions>();
  takes(ValueKind::deployment,
        back->add_option("--deployment", release_options->deployment,
                         "Only this one: its name or descriptor."));
  takes(ValueKind::case_name,
        back->add_option(
            "--held-by", release_options->held_by,
            "Undo also what this other case (id or folder) holds of the "
            "same deployment; its record is told by its own case check."));
  back->add_option("--purpose", release_options->purpose,
                   "Why, for the chain.");
  takes(
      ValueKind::file,
      back->add_option(
          "--from-state", release_options->from_state,
          "When the case or the key is gone: undo what this file tells of. It "
          "is "
          "the mark on the machine (/run/impound/*.json), custody.jsonl of an "
          "export, or 'custody log --json'. Needs neither; nothing is "
          "recorded."));
  back->add_flag("--show-commands", release_options->show_commands,
                 "With --from-state: do nothing, print what it would do as "
                 "lines for a shell.");
  back->callback([&globals, &run, release_options] {
    run = [&globals, release_options] {
      return release_by_hand(globals, *release_options);
    };
  });
}

}  // namespace impound
