// SPDX-License-Identifier: Apache-2.0
#include "core/cli/command_tree.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array kGroups{
    std::pair{Group::respond, std::string_view("Respond")},
    std::pair{Group::look, std::string_view("Look")},
    std::pair{Group::record, std::string_view("Record")},
    std::pair{Group::write, std::string_view("Write playbooks")},
    std::pair{Group::keys, std::string_view("Keys")},
    std::pair{Group::set_up, std::string_view("Set up")},
};

constexpr std::array kOrder{Group::respond, Group::look, Group::record,
                            Group::write,   Group::keys, Group::set_up};

constexpr std::array kKinds{
    std::pair{ValueKind::text, std::string_view("TEXT")},
    std::pair{ValueKind::number, std::string_view("NUMBER")},
    std::pair{ValueKind::file, std::string_view("FILE")},
    std::pair{ValueKind::folder, std::string_view("FOLDER")},
    std::pair{ValueKind::descriptor, std::string_view("DESCRIPTOR")},
    std::pair{ValueKind::model, std::string_view("MODEL")},
    std::pair{ValueKind::case_name, std::string_view("CASE")},
    std::pair{ValueKind::exhibit, std::string_view("EXHIBIT")},
    std::pair{ValueKind::item, std::string_view("ITEM")},
    std::pair{ValueKind::run, std::string_view("RUN")},
    std::pair{ValueKind::request, std::string_view("REQUEST")},
    std::pair{ValueKind::question, std::string_view("QUESTION")},
    std::pair{ValueKind::step, std::string_view("STEP")},
    std::pair{ValueKind::entry, std::string_view("ENTRY")},
    std::pair{ValueKind::playbook, std::string_view("PLAYBOOK")},
    std::pair{ValueKind::deployment, std::string_view("DEPLOYMENT")},
    std::pair{ValueKind::collector, std::string_view("COLLECTOR")},
    std::pair{ValueKind::containment, std::string_view("METHOD")},
    std::pair{ValueKind::assignment, std::string_view("NAME=VALUE")},
    std::pair{ValueKind::fingerprint, std::string_view("FINGERPRINT")},
    std::pair{ValueKind::digest, std::string_view("SHA256")},
    std::pair{ValueKind::command, std::string_view("COMMAND")},
};

/// A command with what CLI11 does not keep of one.
class Command final : public CLI::App {
 public:
  Command(const std::string& name, const std::string& sentence,
          std::string example, CLI::App& parent)
      : CLI::App(sentence, name, &parent), example_(std::move(example)) {
    // CLI11 hands the notes of the parent on, which are about the parent.
    footer("");
    group(kShown);
    fallthrough();
  }

  static constexpr const char* kShown = "Subcommands";

  [[nodiscard]] const std::string& example() const { return example_; }
  [[nodiscard]] std::optional<Group> where() const { return where_; }
  void stands_in(Group where) { where_ = where; }

 private:
  std::string example_;
  std::optional<Group> where_;
};

std::string upper_case(std::string_view text) {
  std::string upper;
  for (const char c : text) {
    upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return upper;
}

/// The kind behind a type name: ours, or the one CLI11 gave a number.
ValueKind kind_of(std::string_view type) {
  const auto found = std::ranges::find(
      kKinds, type, &std::pair<ValueKind, std::string_view>::second);
  if (found != kKinds.end()) return found->first;
  if (type == "INT" || type == "UINT" || type == "FLOAT") {
    return ValueKind::number;
  }
  return ValueKind::text;
}

/// CLI::IsMember tells its words as "TYPE:{a,b}".
std::vector<std::string> choices_of(const std::string& type) {
  const std::size_t open = type.find(":{");
  const std::size_t close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return split(type.substr(open + 2, close - open - 2), ',');
}

ArgumentPage page_of_option(const CLI::Option& option) {
  ArgumentPage page;
  const bool is_positional = option.get_positional();
  if (is_positional) {
    page.names.push_back(upper_case(option.get_name(true)));
  } else {
    for (const std::string& name : option.get_snames()) {
      page.names.push_back("-" + name);
    }
    for (const std::string& name : option.get_lnames()) {
      page.names.push_back("--" + name);
    }
  }
  page.takes_value = is_positional || option.get_items_expected_max() > 0;
  const std::string type = option.get_type_name();
  page.choices = choices_of(type);
  page.kind = kind_of(type.substr(0, type.find(':')));
  if (page.takes_value) {
    page.value = page.choices.empty()
                     ? std::string(to_string(page.kind))
                     : fmt::format("{}", fmt::join(page.choices, "|"));
  }
  page.help = option.get_description();
  page.is_required = option.get_required();
  page.is_repeated = option.get_items_expected_max() > 1;
  return page;
}

bool is_shown(const CLI::Option& option) { return !option.get_group().empty(); }

CommandPage walk(const CLI::App& app, const std::string& above) {
  CommandPage page;
  page.name = app.get_name();
  page.path = above.empty() ? page.name : above + " " + page.name;
  page.summary = app.get_description();
  page.notes = app.get_footer();
  if (const auto* command = dynamic_cast<const Command*>(&app)) {
    page.example = command->example();
    page.group = command->where();
  }
  for (const CLI::Option* option : app.get_options()) {
    // Help is asked for in the same way everywhere: the root tells of it.
    const bool is_help = option == app.get_help_ptr() && !above.empty();
    if (!is_shown(*option) || is_help) continue;
    (option->get_positional() ? page.positionals : page.options)
        .push_back(page_of_option(*option));
  }
  for (const CLI::App* below : app.get_subcommands({})) {
    if (below->get_group().empty()) continue;
    page.commands.push_back(walk(*below, page.path));
  }
  return page;
}

CLI::App* add(CLI::App& parent, std::optional<Group> group,
              const std::string& name, const std::string& sentence,
              const std::string& example) {
  auto command = std::make_shared<Command>(name, sentence, example, parent);
  if (group) command->stands_in(*group);
  return parent.add_subcommand(std::move(command));
}

}  // namespace

std::string_view to_string(Group group) noexcept {
  for (const auto& [one, text] : kGroups) {
    if (one == group) return text;
  }
  return {};
}

std::span<const Group> all_groups() noexcept { return kOrder; }

std::string_view to_string(ValueKind kind) noexcept {
  for (const auto& [one, text] : kKinds) {
    if (one == kind) return text;
  }
  return {};
}

CLI::Option* takes(ValueKind kind, CLI::Option* option) {
  return option->type_name(std::string(to_string(kind)));
}

CLI::App* add_command(CLI::App& parent, const std::string& name,
                      const std::string& sentence, const std::string& example) {
  return add(parent, std::nullopt, name, sentence, example);
}

CLI::App* add_command(CLI::App& app, Group group, const std::string& name,
                      const std::string& sentence, const std::string& example) {
  return add(app, group, name, sentence, example);
}

void hide(CLI::App& command) { command.group(""); }

std::string ArgumentPage::heading() const {
  const bool is_positional = !names.front().starts_with('-');
  if (is_positional) {
    const std::string word = names.front() + (is_repeated ? "…" : "");
    return is_required ? word : "[" + word + "]";
  }
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (takes_value) text += " " + value;
  return text;
}

std::string CommandPage::usage() const {
  std::string line = path;
  if (!commands.empty()) line += " COMMAND";
  for (const ArgumentPage& one : positionals) line += " " + one.heading();
  bool has_more = false;
  for (const ArgumentPage& one : options) {
    if (one.is_required) {
      line += " " + one.names.back() + " " + one.value;
    } else {
      has_more = true;
    }
  }
  return has_more ? line + " [OPTIONS]" : line;
}

const CommandPage* CommandPage::find(std::string_view command) const {
  const auto found = std::ranges::find(commands, command, &CommandPage::name);
  return found == commands.end() ? nullptr : &*found;
}

std::vector<std::string> CommandPage::command_names() const {
  std::vector<std::string> names;
  for (const CommandPage& one : commands) names.push_back(one.name);
  return names;
}

Json to_json(const CommandPage& page) {
  const auto arguments = [](const std::vector<ArgumentPage>& all) {
    Json list = Json::array();
    for (const ArgumentPage& one : all) {
      list.push_back({{"heading", one.heading()},
                      {"names", one.names},
                      {"takes_value", one.takes_value},
                      {"value", one.value},
                      {"choices", one.choices},
                      {"help", one.help},
                      {"required", one.is_required},
                      {"repeated", one.is_repeated}});
    }
    return list;
  };
  Json commands = Json::array();
  for (const CommandPage& one : page.commands) commands.push_back(to_json(one));
  return {{"path", page.path},
          {"name", page.name},
          {"group", page.group ? Json(to_string(*page.group)) : Json(nullptr)},
          {"summary", page.summary},
          {"usage", page.usage()},
          {"notes", page.notes},
          {"example", page.example},
          {"positionals", arguments(page.positionals)},
          {"options", arguments(page.options)},
          {"commands", std::move(commands)}};
}

CommandPage page_of(const CLI::App& app) { return walk(app, {}); }

}  // namespace impound
