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
#include "core/base/text.hpp"

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

fs::path find_case(const std::string& name) {
  if (!name.empty()) {
    if (name.find('/') != std::string::npos || name == ".") return name;
    const fs::path below = cases_folder() / name;
    if (holds_case(below) || !holds_case(name)) return below;
    return name;
  }
  const fs::path chosen = environment_path("IMPOUND_CASE");
  if (!chosen.empty()) return find_case(chosen.native());
  const auto cases = list_case_folders();
  if (cases.size() == 1) return cases.front();
  if (cases.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("there is no case in {}: make one with "
                            "'impound case new'",
                            printable(cases_folder().native())));
  }
  throw Error(Errc::bad_input,
              fmt::format("which case? Name one with --case: {}",
                          fmt::join(names_of(cases), ", ")));
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
