// SPDX-License-Identifier: Apache-2.0
#include "core/cli/consent.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/text.hpp"
#include "core/cli/arguments.hpp"
#include "core/cli/standard_output.hpp"

namespace impound {
namespace {

/// How long a cancelled program may sit in a read before it notices: a signal
/// that comes between the check and the wait must not be lost.
constexpr int kNoticeMs = 200;

/// More than a person types; a pasted file ends here.
constexpr std::size_t kLongestAnswer = 4096;

/// What a person may type instead of waiting to be asked.
std::vector<std::string> ways_to_answer(const Question& question) {
  std::vector<std::string> ways;
  const bool guards = question.approves != GuardedAct::none;
  const std::string sample = guards                      ? "yes"
                             : !question.choices.empty() ? question.choices[0]
                                                         : "TEXT";
  ways.push_back("--answer " + question.id + "=" + sample);
  if (guards) ways.emplace_back("--yes");
  return ways;
}

/// "… out of service now? [yes/no, Enter means no] "
std::string prompt_of(const Question& question) {
  std::string hint;
  for (const std::string& choice : question.choices) {
    hint += (hint.empty() ? "" : "/") + printable(choice);
  }
  if (question.otherwise) {
    hint += (hint.empty() ? "" : ", ");
    hint += "Enter means " + printable(*question.otherwise);
  }
  return printable(question.text) + (hint.empty() ? " " : " [" + hint + "] ");
}

/// One line of the terminal. The terminal hands over whole lines, so that
/// reading byte by byte takes nothing of the next one.
struct Line {
  AskedHow how = AskedHow::answered;
  std::string text;
};

Line read_line(const Cancellation& cancellation) {
  Line line;
  for (;;) {
    if (cancellation.requested()) return {AskedHow::interrupted, {}};
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, kNoticeMs);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    char c = 0;
    const ssize_t got = ready < 0 ? -1 : ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {AskedHow::ended, {}};
    if (c == '\n') return line;
    if (line.text.size() < kLongestAnswer) line.text.push_back(c);
  }
}

std::string when(const ExpectedQuestion& one) {
  if (one.question.approves == GuardedAct::read) {
    return " (before the first step)";
  }
  return one.step.empty() ? " (only if the evidence leads there)"
                          : " (step " + one.step + ")";
}

}  // namespace

void add_consent_options(CLI::App& command, ConsentOptions& options) {
  takes(ValueKind::assignment,
        command.add_option(
            "--answer", options.answers,
            "Answer to a question of the playbook, given beforehand: "
            "question=answer. 'playbook plan' names the questions."));
  command.add_flag("--yes", options.yes,
                   "Say yes to every question that approves an act "
                   "(containment, release). Recorded as said this way.");
}

TypedConsent ConsentOptions::typed() const {
  TypedConsent typed;
  typed.yes = yes;
  for (const std::string& answer : answers) {
    typed.answers.push_back(split_assignment(answer));
  }
  return typed;
}

Json to_json(const ExpectedQuestion& expected) {
  Json json = expected.question.to_json();
  json["step"] = expected.step.empty() ? Json(nullptr) : Json(expected.step);
  json["ways"] = ways_to_answer(expected.question);
  return json;
}

std::string consent_text(std::span<const ExpectedQuestion> questions) {
  if (questions.empty()) return "It asks nobody anything.\n";
  std::string text = "Consent it asks for:\n";
  for (const ExpectedQuestion& one : questions) {
    const Question& question = one.question;
    text += fmt::format("  {}{}: {}\n", printable(question.id), when(one),
                        printable(question.text));
    if (question.approves != GuardedAct::none) {
      text += fmt::format("    \"yes\" allows to {}; ",
                          to_string(question.approves));
    } else {
      text += fmt::format("    {}; ", question.admitted());
    }
    text += question.otherwise
                ? fmt::format("Enter means {}.", printable(*question.otherwise))
                : "it has no default.";
    text += " Answer at the terminal, or with ";
    std::string separator;
    for (const std::string& way : ways_to_answer(question)) {
      text += separator + printable(way);
      separator = " or ";
    }
    text += ".\n";
  }
  return text +
         "Without an answer the run waits (exit code 5). --active-harm alone "
         "is no consent. Approvals\nthat the case asks for come on top.\n";
}

bool is_at_terminal(const Globals& globals) {
  return !globals.json && ::isatty(STDIN_FILENO) != 0 && is_stderr_a_terminal();
}

TerminalAnswer ask_at_terminal(const Question& question,
                               const Cancellation& cancellation) {
  for (;;) {
    write_stderr("\n" + prompt_of(question));
    const Line line = read_line(cancellation);
    if (line.how != AskedHow::answered) {
      write_stderr("\n");
      return {line.how, {}};
    }
    const std::string answer(trim(line.text));
    if (answer.empty() && question.otherwise) {
      return {AskedHow::defaulted, *question.otherwise};
    }
    if (question.admits(answer)) return {AskedHow::answered, answer};
    write_stderr(fmt::format("\"{}\" is no answer: expected {}.\n",
                             printable(answer), question.admitted()));
  }
}

}  // namespace impound
