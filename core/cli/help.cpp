// SPDX-License-Identifier: Apache-2.0
#include "core/cli/help.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Where the second column begins, at most: a longer heading has a line of its
/// own.
constexpr std::size_t kMaxColumn = 24;

struct Row {
  std::string heading;
  std::string text;
};

std::string rows_text(const std::vector<Row>& rows, std::size_t width) {
  std::size_t column = 0;
  for (const Row& row : rows) {
    const std::size_t wide = columns_of(row.heading) + 4;
    if (wide <= kMaxColumn) column = std::max(column, wide);
  }
  column = std::max<std::size_t>(column, 8);
  std::string text;
  for (const Row& row : rows) {
    std::string line = "  " + row.heading;
    const std::string body = wrapped(row.text, column, width);
    if (columns_of(line) + 2 <= column) {
      line.append(column - columns_of(line), ' ');
      text += line + (body.empty() ? "\n" : body.substr(column));
    } else {
      text += line + "\n" + body;
    }
  }
  return text;
}

std::string sentence_of(const ArgumentPage& one) {
  std::string text = one.help;
  if (one.is_required && one.names.front().starts_with('-')) {
    text += " Required.";
  }
  return text;
}

std::vector<Row> rows_of(const std::vector<ArgumentPage>& arguments) {
  std::vector<Row> rows;
  for (const ArgumentPage& one : arguments) {
    rows.push_back({one.heading(), sentence_of(one)});
  }
  return rows;
}

std::string section(std::string_view title, const std::vector<Row>& rows,
                    std::size_t width) {
  return rows.empty() ? ""
                      : fmt::format("\n{}\n{}", title, rows_text(rows, width));
}

std::string commands_text(const CommandPage& page, std::size_t width) {
  std::string text;
  std::vector<Row> others;
  for (const Group group : all_groups()) {
    std::vector<Row> rows;
    for (const CommandPage& one : page.commands) {
      if (one.group == group) rows.push_back({one.name, one.summary});
    }
    text += section(to_string(group), rows, width);
  }
  for (const CommandPage& one : page.commands) {
    if (!one.group) others.push_back({one.name, one.summary});
  }
  return text + section("Commands", others, width);
}

/// Every word list of one page: names of commands below, by their whole path.
void collect_paths(const CommandPage& page, std::string_view name,
                   std::vector<std::string>& paths) {
  for (const CommandPage& one : page.commands) {
    if (one.name == name) {
      paths.push_back(one.path.substr(one.path.find(' ') + 1));
    }
    collect_paths(one, name, paths);
  }
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

std::string wrapped(std::string_view text, std::size_t indent,
                    std::size_t width) {
  const std::string margin(indent, ' ');
  const std::size_t room = width > indent + 20 ? width - indent : 20;
  std::string out;
  for (const std::string& paragraph : split(text, '\n')) {
    if (paragraph.starts_with(' ') || paragraph.empty()) {
      out += paragraph.empty() ? "\n" : margin + paragraph + "\n";
      continue;
    }
    std::string line;
    for (const std::string& word : split(paragraph, ' ')) {
      if (word.empty()) continue;
      if (!line.empty() && columns_of(line) + 1 + columns_of(word) > room) {
        out += margin + line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : " ") + word;
    }
    out += margin + line + "\n";
  }
  return text.empty() ? "" : out;
}

std::string help_text(const CommandPage& root, const CommandPage& page,
                      std::size_t width) {
  const bool is_root = page.path == root.path;
  std::string text =
      wrapped(fmt::format("{}: {}", page.path, page.summary), 0, width);
  text += "\n" + wrapped("Usage: " + page.usage(), 0, width);
  text += commands_text(page, width);
  text += section("Arguments", rows_of(page.positionals), width);
  text += section(is_root ? "Options of every command" : "Options",
                  rows_of(page.options), width);
  if (!page.notes.empty()) text += "\n" + wrapped(page.notes, 0, width);
  if (!page.example.empty()) {
    text += fmt::format("\nExample\n  {}\n", page.example);
  }
  if (!is_root) {
    std::vector<std::string> shared;
    for (const ArgumentPage& one : root.options) {
      if (one.names.back() == "--help" || one.names.back() == "--version") {
        continue;
      }
      shared.push_back(one.names.back() +
                       (one.takes_value ? " " + one.value : ""));
    }
    text += "\n" + wrapped(fmt::format("Every command also takes {} (impound "
                                       "help).",
                                       fmt::join(shared, ", ")),
                           0, width);
  }
  return text;
}

std::string no_such_command(const CommandPage& root, const CommandPage& page,
                            std::string_view word) {
  const std::string guess = did_you_mean(word, page.command_names());
  if (!guess.empty()) {
    return fmt::format("{}: there is no command \"{}\"{}", page.path,
                       printable(word), guess);
  }
  // A word that is a command, at another place.
  std::vector<std::string> elsewhere;
  collect_paths(root, word, elsewhere);
  if (!elsewhere.empty()) {
    return fmt::format("{}: there is no command \"{}\" here; there is: {}",
                       page.path, printable(word), fmt::join(elsewhere, ", "));
  }
  return fmt::format("{}: there is no command \"{}\"; there are: {}", page.path,
                     printable(word), fmt::join(page.command_names(), ", "));
}

const CommandPage& find_page(const CommandPage& root,
                             std::span<const std::string> words) {
  const CommandPage* page = &root;
  for (const std::string& word : words) {
    const CommandPage* below = page->find(word);
    if (below == nullptr) {
      throw Error(Errc::bad_input,
                  page->commands.empty()
                      ? fmt::format("{} has no commands below it: \"{}\" is "
                                    "one word too many",
                                    page->path, printable(word))
                      : no_such_command(root, *page, word));
    }
    page = below;
  }
  return *page;
}

}  // namespace impound
