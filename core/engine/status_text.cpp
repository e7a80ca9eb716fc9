// SPDX-License-Identifier: Apache-2.0
/// How the status of a case is told: as JSON, as text, and in the last words of
/// a run. What it says was gathered and measured in status.cpp.

#include "core/engine/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/engine/questions.hpp"
#include "core/evidence/finding_words.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 5> kIncompleteKinds{
    "run", "exhibit", "gaps", "release", "stray"};
constexpr std::array<std::string_view, 4> kWaitsFor{"answer", "approval",
                                                    "resume", "abort"};

// --- JSON

Json or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(lossless_utf8(text));
}

Json to_json(const OpenContainment& one) {
  Json json = one.now.to_json();
  json["by"] = one.by;
  json["run"] = or_null(one.run);
  json["cleared_by"] = or_null(one.cleared_by);
  json["next"] = one.next;
  return json;
}

Json to_json(const WaitingRun& one) {
  Json json;
  json["run"] = or_null(one.run);
  json["question"] = one.question;
  json["next"] = lossless_utf8(one.next);
  json["waits_for"] = to_string(one.waits_for);
  json["playbook"] = one.playbook;
  json["deployment"] = one.deployment;
  json["since"] = one.since;
  json["text"] = lossless_utf8(one.text);
  json["choices"] = one.choices;
  json["default"] = or_null(one.default_choice);
  json["approvals_missing"] = one.approvals_missing;
  json["started_by"] = one.starter;
  Json commands = Json::array();
  for (const std::string& command : one.commands) {
    commands.push_back(lossless_utf8(command));
  }
  json["commands"] = std::move(commands);
  json["then"] = or_null(one.then);
  return json;
}

Json to_json(const IncompleteThing& one) {
  Json steps = Json::array();
  for (const StepNotDone& step : one.steps) {
    steps.push_back({{"step", step.step},
                     {"result", step.result},
                     {"reason", step.reason}});
  }
  return {
      {"kind", to_string(one.kind)},         {"subject", or_null(one.subject)},
      {"what", lossless_utf8(one.what)},     {"steps", std::move(steps)},
      {"next_does", or_null(one.next_does)}, {"next", or_null(one.next)}};
}

// --- Text

/// "24 min 03 s"; empty where the clock was set back since.
std::string how_long(std::string_view since, TimeNs now) {
  const auto at = parse_time(since);
  if (!at || *at > now) return {};
  return human_seconds(static_cast<double>(now - *at) / 1e9);
}

/// What is measured of one containment, as the start of a sentence.
std::string measured_text(const OpenContainment& one) {
  const std::string name = printable(one.now.row.deployment);
  const std::string why = printable(one.now.why);
  switch (one.now.measured) {
    case Containedness::contained:
      return fmt::format("{} is out of service by {} (measured now: {})", name,
                         printable(one.now.row.method), why);
    case Containedness::not_contained:
      return fmt::format(
          "{} is NOT out of service (measured now: {}), and the record of its "
          "containment by {} is open ({})",
          name, why, printable(one.now.row.method),
          to_string(one.now.row.state));
    case Containedness::unknown:
      return fmt::format("whether {} is out of service by {} is UNKNOWN: {}",
                         name, printable(one.now.row.method), why);
  }
  return {};
}

std::string contained_text(const OpenContainment& one, TimeNs now) {
  std::string text = "  " + measured_text(one) + "\n";
  const std::string& at = one.now.row.at;
  const std::string duration = how_long(at, now);
  text += fmt::format(
      "    its containment is recorded at {}{}{}{}\n", to_the_second(at),
      duration.empty() ? "" : " (" + duration + " ago)",
      one.by.empty() ? "" : ", by " + printable(one.by),
      one.run.empty() ? ", by hand" : ", in " + printable(one.run));
  if (!one.cleared_by.empty()) {
    text += fmt::format("    the model was {} by {}\n",
                        printable(one.cleared_as), printable(one.cleared_by));
  }
  return text +
         fmt::format("    this {}: {}\n", release_does(one.now), one.next);
}

std::string waits_for_text(const WaitingRun& one) {
  switch (one.waits_for) {
    case WaitsFor::answer: {
      std::string choices;
      for (const std::string& choice : one.choices) {
        choices += (choices.empty() ? "" : ", ") + printable(choice);
      }
      if (choices.empty()) choices = "free text";
      if (!one.default_choice.empty()) {
        choices += "; default: " + printable(one.default_choice);
      }
      return fmt::format("an answer to \"{}\": {} ({})",
                         printable(one.question),
                         printable(from_lossless_utf8(one.text)), choices);
    }
    case WaitsFor::approval:
      return fmt::format(
          "{} approval{} of {} than {}, to {}", one.approvals_missing,
          one.approvals_missing == 1 ? "" : "s",
          one.approvals_missing == 1 ? "another examiner" : "other examiners",
          printable(one.starter), printable(from_lossless_utf8(one.text)));
    case WaitsFor::resume:
      return "somebody to go on: nothing that it asked for is open";
    case WaitsFor::abort:
      return fmt::format("nothing any more: {}; end it",
                         printable(from_lossless_utf8(one.text)));
  }
  return {};
}

std::string waiting_text(const WaitingRun& one, TimeNs now) {
  const std::string duration = how_long(one.since, now);
  std::string text =
      one.run.empty()
          ? fmt::format("  An act by hand waits for {}\n", waits_for_text(one))
          : fmt::format("  {} of {} ({}) waits for {}\n", printable(one.run),
                        printable(one.playbook), printable(one.deployment),
                        waits_for_text(one));
  if (!duration.empty()) {
    text +=
        fmt::format("    since {} ({})\n", to_the_second(one.since), duration);
  }
  for (const std::string& command : one.commands) {
    text += "    " + command + "\n";
  }
  if (!one.then.empty()) text += "    then: " + one.then + "\n";
  if (one.run.empty()) {
    text += fmt::format("    then: {} gives the same command again\n",
                        printable(one.starter));
  }
  return text;
}

Json to_json(const UnvouchedKey& one) {
  return {{"fingerprint", one.fingerprint},
          {"name", one.name},
          {"since", one.since},
          {"next", one.next}};
}

std::string unvouched_text(const UnvouchedKey& one) {
  return fmt::format(
      "  Key {} of \"{}\", since entry {}: every check of the case fails on "
      "what it signed\n    somebody who may introduce signers vouches for it: "
      "{}\n",
      one.fingerprint, printable(one.name), one.since, one.next);
}

std::string incomplete_text(const IncompleteThing& one) {
  std::string text = "  " + printable(from_lossless_utf8(one.what)) + "\n";
  for (const StepNotDone& step : one.steps) {
    text += fmt::format(
        "    step {} {}{}\n", printable(step.step), printable(step.result),
        step.reason.empty()
            ? ""
            : ": " + printable(from_lossless_utf8(step.reason)));
  }
  if (!one.next.empty()) {
    text += fmt::format("    this {}: {}\n", one.next_does, one.next);
  }
  return text;
}

template <typename List, typename Text>
std::string section(std::string_view heading, const List& list, Text text_of) {
  if (list.empty()) return {};
  std::string text = fmt::format("{}\n", heading);
  for (const auto& one : list) text += text_of(one);
  return text;
}

}  // namespace

std::string to_the_second(std::string_view time) {
  const std::size_t dot = time.find('.');
  if (dot == std::string_view::npos) return printable(time);
  return printable(time.substr(0, dot)) + "Z";
}

std::string_view to_string(IncompleteKind kind) noexcept {
  return kIncompleteKinds[static_cast<std::size_t>(kind)];
}

std::string_view to_string(WaitsFor waits_for) noexcept {
  return kWaitsFor[static_cast<std::size_t>(waits_for)];
}

bool CaseStatus::is_open() const {
  if (!problem.empty() || !contained.empty() || !unvouched.empty()) return true;
  return closed_at.empty() && (!waiting.empty() || !incomplete.empty());
}

Json CaseStatus::to_json() const {
  const auto list_of = [](const auto& list) {
    Json array = Json::array();
    for (const auto& one : list) array.push_back(impound::to_json(one));
    return array;
  };
  Json json;
  json["case"] = lossless_utf8(case_id);
  json["contained"] = list_of(contained);
  json["waiting"] = list_of(waiting);
  json["incomplete"] = list_of(incomplete);
  Json at_work = Json::array();
  for (const RunningNow& one : running) {
    at_work.push_back(
        {{"subject", one.subject}, {"what", lossless_utf8(one.what)}});
  }
  json["running"] = std::move(at_work);
  json["unvouched"] = list_of(unvouched);
  json["open"] = is_open();
  json["title"] = title;
  json["closed_at"] = or_null(closed_at);
  json["folder"] = lossless_utf8(folder.native());
  json["measured_at"] = format_time(measured_at);
  json["problem"] = or_null(problem);
  return json;
}

std::string CaseStatus::to_text() const {
  if (!problem.empty()) {
    return "CANNOT BE READ: nothing is known of this case\n  " +
           printable(problem) + "\n";
  }
  std::vector<OpenContainment> in_force;
  std::vector<OpenContainment> in_doubt;
  for (const OpenContainment& one : contained) {
    (one.now.measured == Containedness::contained ? in_force : in_doubt)
        .push_back(one);
  }
  const auto of_containment = [&](const OpenContainment& one) {
    return contained_text(one, measured_at);
  };
  std::string text = section("CONTAINED NOW", in_force, of_containment);
  text += section("OPEN IN THE RECORD, AND NOT MEASURED AS CONTAINED", in_doubt,
                  of_containment);
  text += section("WAITING", waiting, [&](const auto& one) {
    return waiting_text(one, measured_at);
  });
  text += section("INCOMPLETE", incomplete,
                  [](const auto& one) { return incomplete_text(one); });
  text += section("NOBODY VOUCHED FOR", unvouched, unvouched_text);
  text += section("AT WORK", running, [](const RunningNow& one) {
    return "  " + printable(one.what) + "\n";
  });
  return text;
}

std::string CaseStatus::closing_text() const {
  if (!problem.empty()) {
    return "What is out of service now is UNKNOWN: " + printable(problem) +
           "\n";
  }
  if (contained.empty()) {
    if (containments_begun == 0) {
      return "Nothing is contained in this case: its record has no "
             "containment.\n";
    }
    return fmt::format(
        "Nothing is contained in this case: {} was undone, and was measured to "
        "be undone then.\n",
        containments_begun == 1
            ? std::string("its one containment")
            : fmt::format("each of its {} containments", containments_begun));
  }
  std::vector<std::string> last;
  std::string text;
  for (const OpenContainment& one : contained) {
    const bool is_cleared =
        !one.cleared_by.empty() && one.now.measured == Containedness::contained;
    std::string line =
        is_cleared ? fmt::format(
                         "{} was {} and is still out of service (measured "
                         "now: {})",
                         printable(one.now.row.deployment),
                         printable(one.cleared_as), printable(one.now.why))
                   : measured_text(one);
    line += fmt::format("; this {}: {}\n", release_does(one.now), one.next);
    if (is_cleared) {
      last.push_back(std::move(line));
    } else {
      text += line;
    }
  }
  for (const std::string& line : last) text += line;
  return text;
}

std::string CaseStatus::closing_text(std::string_view run) const {
  std::string text;
  for (const WaitingRun& one : waiting) {
    if (one.run == run) text += waiting_text(one, measured_at);
  }
  for (const IncompleteThing& one : incomplete) {
    if (one.kind == IncompleteKind::run && one.subject == run &&
        !one.next.empty()) {
      text += fmt::format("This {}: {}\n", one.next_does, one.next);
    }
  }
  return text + closing_text();
}

}  // namespace impound
