// SPDX-License-Identifier: Apache-2.0
#include "core/cli/man_page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"

namespace impound {
namespace {

std::string file_stem(const CommandPage& page) {
  std::string stem = page.path;
  std::ranges::replace(stem, ' ', '-');
  return stem;
}

/// Paragraphs; lines that begin with blanks stay lines.
std::string body(std::string_view text) {
  std::string out;
  bool is_literal = false;
  for (const std::string& line : split(text, '\n')) {
    const bool wants_literal = line.starts_with(' ');
    if (wants_literal != is_literal) out += wants_literal ? ".nf\n" : ".fi\n";
    is_literal = wants_literal;
    out += line.empty() ? ".PP\n" : roff_text(line) + "\n";
  }
  return is_literal ? out + ".fi\n" : out;
}

std::string entries(const std::vector<ArgumentPage>& arguments) {
  std::string text;
  for (const ArgumentPage& one : arguments) {
    text += ".TP\n.B " + roff_text(one.heading()) + "\n" +
            roff_text(one.help.empty() ? one.heading() : one.help);
    if (one.is_required && one.names.front().starts_with('-')) {
      text += " Required.";
    }
    text += "\n";
  }
  return text;
}

std::string example(const CommandPage& page) {
  return page.example.empty()
             ? ""
             : fmt::format(".nf\n.RS\n{}\n.RE\n.fi\n", roff_text(page.example));
}

/// A command below the one the page is about, with all that is below it.
std::string below(const CommandPage& page) {
  std::string text =
      fmt::format(".SS {}\n.B {}\n.PP\n{}\n", roff_text(page.path),
                  roff_text(page.usage()), roff_text(page.summary));
  text += entries(page.positionals) + entries(page.options);
  if (!page.notes.empty()) text += ".PP\n" + body(page.notes);
  if (!page.example.empty()) text += ".PP\nExample:\n" + example(page);
  for (const CommandPage& one : page.commands) text += below(one);
  return text;
}

std::string heading(const CommandPage& page, std::string_view version) {
  return fmt::format(
      "'\\\" t\n.\\\" Made by the program from its own command line.\n"
      ".TH \"{}\" \"1\" \"\" \"impound {}\" \"impound\"\n"
      ".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n",
      roff_text(file_stem(page)), roff_text(version),
      roff_text(file_stem(page)), roff_text(page.summary),
      roff_text(page.usage()));
}

std::string page_of_program(const CommandPage& root, std::string_view version) {
  std::string text = heading(root, version) + ".SH DESCRIPTION\n" +
                     roff_text(root.summary) + "\n";
  for (const Group group : all_groups()) {
    text += ".SS " + roff_text(to_string(group)) + "\n";
    for (const CommandPage& one : root.commands) {
      if (one.group != group) continue;
      text += fmt::format(".TP\n.BR {} (1)\n{}\n", roff_text(file_stem(one)),
                          roff_text(one.summary));
    }
  }
  text += ".SH OPTIONS\nEvery command takes these.\n" + entries(root.options);
  text += ".SH NOTES\n" + body(root.notes);
  text += ".SH ENVIRONMENT\n";
  for (const EnvironmentVariable& one : environment_variables()) {
    text += fmt::format(".TP\n.B {}\n{}\n", roff_text(one.name),
                        roff_text(one.sentence));
  }
  return text;
}

std::string page_of_command(const CommandPage& root, const CommandPage& page,
                            std::string_view version) {
  std::string text = heading(page, version) + ".SH DESCRIPTION\n" +
                     roff_text(page.summary) + "\n";
  if (!page.notes.empty()) text += ".PP\n" + body(page.notes);
  if (!page.positionals.empty()) {
    text += ".SH ARGUMENTS\n" + entries(page.positionals);
  }
  if (!page.options.empty()) text += ".SH OPTIONS\n" + entries(page.options);
  if (!page.commands.empty()) {
    text += ".SH COMMANDS\n";
    for (const CommandPage& one : page.commands) text += below(one);
  }
  text += ".SH OPTIONS OF EVERY COMMAND\n" + entries(root.options);
  if (!page.example.empty()) text += ".SH EXAMPLES\n" + example(page);
  return text + ".SH EXIT STATUS\n" + body(root.notes) +
         ".SH SEE ALSO\n.BR impound (1)\n";
}

}  // namespace

std::string roff_text(std::string_view text) {
  std::string out;
  bool is_line_start = true;
  for (const char c : text) {
    if (is_line_start && (c == '.' || c == '\'')) out += "\\&";
    is_line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '`') {
      out += "\\(ga";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out;
}

const std::vector<EnvironmentVariable>& environment_variables() {
  static const std::vector<EnvironmentVariable> kVariables{
      {"IMPOUND_CASE",
       "The case that is meant where --case names none: an id or a folder. "
       "Before what 'impound case use' chose."},
      {"IMPOUND_HOME", "Folder of the cases; ~/impound/cases if not set."},
      {"IMPOUND_PLAYBOOKS",
       "Folders with playbooks, separated by colons, before all others."},
      {"IMPOUND_RUN",
       "Where this machine keeps what is held out of service; /run/impound for "
       "root."},
      {"NO_COLOR",
       "Set and not empty: nothing is painted, unless --color "
       "always says so."},
      {"XDG_CONFIG_HOME",
       "Its folder impound holds the examiner's key and card and the chosen "
       "case; ~/.config if not "
       "set."},
  };
  return kVariables;
}

std::vector<ManPage> man_pages(const CommandPage& root,
                               std::string_view version) {
  std::vector<ManPage> pages{
      {file_stem(root) + ".1", page_of_program(root, version)}};
  for (const CommandPage& one : root.commands) {
    pages.push_back(
        {file_stem(one) + ".1", page_of_command(root, one, version)});
  }
  return pages;
}

}  // namespace impound
