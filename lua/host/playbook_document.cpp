// SPDX-License-Identifier: Apache-2.0
/// `playbook doc`: what a playbook declares, as Markdown.

#include "core/base/text.hpp"
#include "lua/host/playbook_commands.hpp"

namespace impound::lua {
namespace {

/// Text inside a cell of a table.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : printable(text)) {
    if (c == '|') result.push_back('\\');
    result.push_back(c);
  }
  return result;
}

std::string names(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& name : list) {
    text += (text.empty() ? "`" : ", `") + cell(name) + "`";
  }
  return text.empty() ? "none" : text;
}

std::string shown_default(const Parameter& parameter) {
  if (parameter.is_required) return "required";
  const Json& value = parameter.otherwise;
  if (value.is_boolean()) return value.get<bool>() ? "`yes`" : "`no`";
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    return text.empty() ? "empty" : "`" + cell(text) + "`";
  }
  return "`" + value.dump() + "`";
}

/// "integer: from 1 to 9", "choice: `a`, `b`", "path".
std::string shown_type(const Parameter& parameter) {
  std::string type(to_string(parameter.type));
  if (!parameter.choices.empty()) type += ": " + names(parameter.choices);
  if (parameter.type == ParameterType::integer &&
      (parameter.least || parameter.most)) {
    type += ": " + cell(parameter.expectation());
  }
  return type;
}

}  // namespace

std::string document_playbook(const LoadedPlaybook& playbook) {
  std::string text = "| | |\n|---|---|\n";
  text += "| playbook | `" + playbook.id + "` " + playbook.version + " |\n";
  text += "| title | " + cell(playbook.title) + " |\n";
  text += "| owner | " + cell(playbook.owner) + " |\n";
  text += "| effect | " + std::string(to_string(playbook.effect)) + " |\n";
  text += "| collectors | " + names(playbook.collectors) + " |\n";
  text += "| containments | " + names(playbook.containments) + " |\n";
  if (!playbook.reads.empty()) {
    text += "| reads | " + names(playbook.reads) + " |\n";
  }

  text += "\n| parameter | type | default | meaning |\n|---|---|---|---|\n";
  for (const Parameter& parameter : playbook.parameters) {
    text += "| `" + parameter.name + "` | " + shown_type(parameter) + " | " +
            shown_default(parameter) + " | " + cell(parameter.help) + " |\n";
  }

  text += "\n| step | what it does | effect | after |\n|---|---|---|---|\n";
  for (const StepInfo& step : playbook.steps) {
    text += "| `" + step.id + "` | " + cell(step.title) +
            (step.has_condition ? " (under a condition)" : "") + " | " +
            std::string(to_string(step.effect)) + " | " +
            (step.after.empty() ? "–" : names(step.after)) + " |\n";
  }
  if (!playbook.questions.empty()) {
    text +=
        "\n| question | asks | answers | default | allows |\n"
        "|---|---|---|---|---|\n";
    for (const Question& one : playbook.questions) {
      text += "| `" + cell(one.id) + "` | " + cell(one.text) + " | " +
              cell(one.admitted()) + " | " +
              (one.otherwise ? cell(*one.otherwise) : "–") + " | " +
              (one.approves == GuardedAct::none
                   ? "–"
                   : std::string(to_string(one.approves))) +
              " |\n";
    }
  }
  if (!playbook.references.empty()) {
    text += "\n";
    for (const std::string& reference : playbook.references) {
      text += "* <" + cell(reference) + ">\n";
    }
  }
  return text;
}

}  // namespace impound::lua
