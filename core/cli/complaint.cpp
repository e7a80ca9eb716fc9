// SPDX-License-Identifier: Apache-2.0
#include "core/cli/complaint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "core/base/screen_text.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "core/cli/help.hpp"

namespace impound {
namespace {

/// The commands that were recognised, from the program down.
std::vector<const CLI::App*> parsed_commands(const CLI::App& app) {
  std::vector<const CLI::App*> chain{&app};
  for (auto below = app.get_subcommands(); !below.empty();
       below = chain.back()->get_subcommands()) {
    chain.push_back(below.front());
  }
  return chain;
}

bool is_option(std::string_view word) {
  return word.size() > 1 && word.starts_with('-');
}

/// Of the words that nothing took, an option before others: what follows an
/// unknown option is left over because of it.
std::optional<std::string> left_over(const CLI::App& app,
                                     std::span<const std::string> typed) {
  const std::vector<std::string> all = app.remaining(true);
  const auto first = [&](auto matches) -> std::optional<std::string> {
    for (const std::string& word : typed) {
      if (word != "--" && matches(word) &&
          std::ranges::find(all, word) != all.end()) {
        return word;
      }
    }
    return std::nullopt;
  };
  if (auto word = first(is_option)) return word;
  if (auto word = first([](std::string_view) { return true; })) return word;
  for (const std::string& word : all) {
    if (word != "--") return word;
  }
  return std::nullopt;
}

std::string about_option(const CommandPage& root, const CommandPage& page,
                         const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const CommandPage* one : {&page, &root}) {
    for (const ArgumentPage& option : one->options) {
      known.insert(known.end(), option.names.begin(), option.names.end());
    }
  }
  return fmt::format("{}: there is no option \"{}\"{}", page.path,
                     printable(name), did_you_mean(name, known));
}

std::string about_word(const CommandPage& root, const CommandPage& page,
                       const std::string& word) {
  if (is_option(word)) return about_option(root, page, word);
  if (!page.commands.empty()) return no_such_command(root, page, word);
  return fmt::format("{}: \"{}\" is one word too many", page.path,
                     printable(word));
}

/// The options and words of the recognised commands, deepest first.
template <typename Matches>
const CLI::Option* find_option(const CLI::App& app, Matches matches) {
  const auto chain = parsed_commands(app);
  for (auto one = chain.rbegin(); one != chain.rend(); ++one) {
    for (const CLI::Option* option : (*one)->get_options()) {
      if (matches(*option)) return option;
    }
  }
  return nullptr;
}

/// As page_of() names it.
std::string shown_name(const CLI::Option& option) {
  if (!option.get_positional()) return option.get_name();
  std::string name = option.get_name(true);
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

std::string about_value(const CLI::App& app, const CommandPage& page,
                        const std::string& said) {
  // "Could not convert: --threads = x", "--hash: x not in {…}"
  constexpr std::string_view kConversion = "Could not convert: ";
  std::string_view about = said;
  if (about.starts_with(kConversion)) about.remove_prefix(kConversion.size());
  const CLI::Option* option = find_option(app, [&](const CLI::Option& one) {
    return one.count() != 0 && (about.starts_with(one.get_name() + " = ") ||
                                about.starts_with(one.get_name() + ":"));
  });
  if (option == nullptr) {
    return fmt::format("{}: {}", page.path, screen_line(said));
  }
  std::vector<std::string> words;
  for (const std::string& word : option->results()) {
    words.push_back(fmt::format("\"{}\"", printable(word)));
  }
  const std::string type = option->get_type_name();
  std::string expected = "another value";
  if (type == "UINT") expected = "a whole number, 0 or more";
  if (type == "INT" || type == "ENTRY") expected = "a whole number";
  if (type == "FLOAT") expected = "a number";
  if (const std::size_t open = type.find(":{"); open != std::string::npos) {
    const std::string list = type.substr(open + 2, type.size() - open - 3);
    expected = fmt::format("one of {}", fmt::join(split(list, ','), ", "));
  }
  return fmt::format("{}: {} {}: expected {}", page.path, shown_name(*option),
                     fmt::join(words, " "), expected);
}

/// What is required and was not given: all of it, so that one correction is
/// enough.
std::vector<const CLI::Option*> missing_options(const CLI::App& app) {
  std::vector<const CLI::Option*> missing;
  for (const CLI::Option* option : parsed_commands(app).back()->get_options()) {
    if (option->get_required() && option->count() == 0) {
      missing.push_back(option);
    }
  }
  return missing;
}

std::string about_missing(const CommandPage& page,
                          const std::vector<const CLI::Option*>& missing) {
  std::vector<std::string> names;
  for (const CLI::Option* option : missing) {
    names.push_back(shown_name(*option));
  }
  return fmt::format("{}: {} {} missing\nUsage: {}", page.path,
                     fmt::join(names, ", "), names.size() == 1 ? "is" : "are",
                     page.usage());
}

}  // namespace

const CommandPage& parsed_page(const CLI::App& app, const CommandPage& root) {
  const CommandPage* page = &root;
  for (const CLI::App* command : parsed_commands(app)) {
    if (command == &app) continue;
    const CommandPage* below = page->find(command->get_name());
    if (below == nullptr) break;  // a hidden one
    page = below;
  }
  return *page;
}

Complaint complaint_about(const CLI::App& app, const CLI::ParseError& error,
                          std::span<const std::string> typed) {
  const CommandPage root = page_of(app);
  const CommandPage& page = parsed_page(app, root);
  Complaint complaint;
  complaint.next =
      page.path == root.path
          ? root.path + " help"
          : root.path + " help " + page.path.substr(root.path.size() + 1);
  const std::string said = error.what();
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr ||
      dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
    complaint.message = about_value(app, page, said);
    return complaint;
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string name = said.substr(0, said.find(':'));
    complaint.message = fmt::format("{}: {} needs a value behind it", page.path,
                                    screen_line(name));
    return complaint;
  }
  if (const auto word = left_over(app, typed)) {
    complaint.message = about_word(root, page, *word);
    return complaint;
  }
  if (const auto missing = missing_options(app); !missing.empty()) {
    complaint.message = about_missing(page, missing);
    return complaint;
  }
  if (!page.commands.empty()) {
    complaint.message =
        fmt::format("{}: which command? There are: {}", page.path,
                    fmt::join(page.command_names(), ", "));
    complaint.is_only_unfinished = true;
    return complaint;
  }
  complaint.message = fmt::format("{}: {}", page.path, screen_line(said));
  return complaint;
}

}  // namespace impound
