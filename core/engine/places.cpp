// SPDX-License-Identifier: Apache-2.0
#include "core/engine/places.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "core/engine/next_command.hpp"

namespace impound {
namespace {

fs::path environment_path(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

fs::path home() {
  const fs::path folder = environment_path("HOME");
  if (folder.empty()) {
    throw Error(Errc::bad_input,
                "HOME is not set: set IMPOUND_HOME and XDG_CONFIG_HOME");
  }
  return folder;
}

bool holds_case(const fs::path& folder) {
  return static_cast<bool>(stat_path(folder / "case.db", Links::follow));
}

/// A folder that may hold a case: nobody can tell without leave to look.
bool may_hold_case(const fs::path& folder) {
  const auto found = stat_path(folder / "case.db", Links::follow);
  return found || found.failure().is_denied();
}

std::vector<std::string> names_of(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    names.push_back(printable(folder.filename().native()));
  }
  return names;
}

/// The folder of a case that was named.
/// @throws Error{bad_input} if there is none.
fs::path existing_case(const std::string& name, CaseSource source) {
  fs::path folder = place_of_case(name);
  // Without leave to look nobody knows: who opens it is told.
  if (may_hold_case(folder)) return folder;
  const std::vector<std::string> known = names_of(list_case_folders());
  std::string text = fmt::format(
      "there is no case \"{}\"{}: {} holds no case.db", printable(name),
      source == CaseSource::named ? "" : fmt::format(", {}", in_words(source)),
      printable(folder.native()));
  const std::string guess = did_you_mean(name, known);
  if (!guess.empty()) {
    text += guess;
  } else if (!known.empty()) {
    text += fmt::format("; there are: {}", fmt::join(known, ", "));
  }
  throw Error(Errc::bad_input, text);
}

}  // namespace

fs::path home_folder() { return environment_path("HOME"); }

fs::path config_folder() {
  const fs::path folder = environment_path("XDG_CONFIG_HOME");
  return folder.empty() ? home() / ".config" / "impound" : folder / "impound";
}

fs::path cases_folder() {
  const fs::path folder = environment_path("IMPOUND_HOME");
  return folder.empty() ? home() / "impound" / "cases" : folder;
}

fs::path holds_folder() {
  const fs::path named = environment_path("IMPOUND_RUN");
  if (!named.empty()) return named;
  if (::geteuid() == 0) return "/run/impound";
  const fs::path runtime = environment_path("XDG_RUNTIME_DIR");
  return runtime.empty() ? home() / ".local" / "state" / "impound"
                         : runtime / "impound";
}

std::vector<fs::path> list_case_folders() {
  const fs::path folder = cases_folder();
  const auto names = list_directory(folder);
  if (!names) {
    if (names.failure().is_missing()) return {};
    throw Error(Errc::io,
                fmt::format("cannot list {}: {}", printable(folder.native()),
                            names.failure().message()),
                names.failure().code);
  }
  std::vector<fs::path> cases;
  for (const std::string& name : *names) {
    if (may_hold_case(folder / name)) cases.push_back(folder / name);
  }
  return cases;
}

fs::path place_of_case(const std::string& name) {
  if (name.find('/') != std::string::npos || name == ".") return name;
  const fs::path below = cases_folder() / name;
  if (holds_case(below) || !holds_case(name)) return below;
  return name;
}

std::string_view to_string(CaseSource source) noexcept {
  switch (source) {
    case CaseSource::named:
      return "named";
    case CaseSource::environment:
      return "environment";
    case CaseSource::chosen:
      return "chosen";
    case CaseSource::only:
      return "only";
  }
  return {};
}

std::string_view in_words(CaseSource source) noexcept {
  switch (source) {
    case CaseSource::named:
      return "named by --case";
    case CaseSource::environment:
      return "named by $IMPOUND_CASE";
    case CaseSource::chosen:
      return "chosen by 'impound case use'";
    case CaseSource::only:
      return "the only case there is";
  }
  return {};
}

CaseChoice choose_case(const std::string& name) {
  if (!name.empty()) {
    return {existing_case(name, CaseSource::named), CaseSource::named};
  }
  const fs::path environment = environment_path("IMPOUND_CASE");
  if (!environment.empty()) {
    return {existing_case(environment.native(), CaseSource::environment),
            CaseSource::environment};
  }
  if (const std::string chosen = chosen_case(); !chosen.empty()) {
    return {existing_case(chosen, CaseSource::chosen), CaseSource::chosen};
  }
  const auto cases = list_case_folders();
  if (cases.size() == 1) return {cases.front(), CaseSource::only};
  if (cases.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("there is no case in {}: make one with "
                            "'impound case new'",
                            printable(cases_folder().native())));
  }
  throw Error(Errc::bad_input,
              fmt::format("which case? Name one with --case, or choose one "
                          "with 'impound case use': {}",
                          fmt::join(names_of(cases), ", ")));
}

fs::path find_case(const std::string& name) { return choose_case(name).folder; }

fs::path chosen_case_file() { return config_folder() / "case"; }

std::string chosen_case() {
  if (environment_path("XDG_CONFIG_HOME").empty() && home_folder().empty()) {
    return {};
  }
  const fs::path file = chosen_case_file();
  if (const auto there = stat_path(file, Links::follow); !there) {
    if (there.failure().is_missing()) return {};
    throw Error(Errc::io,
                fmt::format("cannot read {}: {}", printable(file.native()),
                            there.failure().message()),
                there.failure().code);
  }
  const std::string text = read_text_file(file, limits::kMaxSmallFile);
  return text.substr(0, text.find('\n'));
}

fs::path use_case(const std::string& name) {
  const fs::path folder = existing_case(name, CaseSource::named);
  create_folders(config_folder());
  write_file_durably(chosen_case_file(),
                     as_bytes(case_argument(folder) + "\n"));
  return folder;
}

bool use_no_case() {
  const fs::path file = chosen_case_file();
  std::error_code failure;
  const bool was_there = fs::remove(file, failure);
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot remove {}: {}", printable(file.native()),
                            failure.message()),
                failure.value());
  }
  return was_there;
}

bool is_case_id(std::string_view id) noexcept {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
  };
  return !id.empty() && id.size() <= 64 && is_plain(id.front()) &&
         std::ranges::all_of(id, [&](char c) {
           return is_plain(c) || c == '.' || c == '_' || c == '-';
         });
}

}  // namespace impound
