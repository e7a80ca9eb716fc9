// SPDX-License-Identifier: Apache-2.0
#include "core/cli/doctor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "containment/freezer.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// capabilities(7): what stands between a user and the processes of others.
struct Privilege {
  unsigned bit;
  std::string_view name;
};
constexpr std::array kPrivileges{
    Privilege{2, "CAP_DAC_READ_SEARCH"},  // read any file
    Privilege{5, "CAP_KILL"},             // stop any process
    Privilege{19, "CAP_SYS_PTRACE"},      // look into any process
    Privilege{21, "CAP_SYS_ADMIN"},       // make control groups everywhere
};

/// Less than that, and the first exhibit may not fit: one shard of weights, as
/// Hugging Face cuts them (5 GB).
constexpr std::uint64_t kLeastFree = 5'000'000'000;

std::optional<std::uint64_t> effective_capabilities(const ProcFs& procfs) {
  const auto text = read_proc_text(procfs.root() / "self" / "status");
  if (!text) return std::nullopt;
  for (const std::string& line : split(*text, '\n')) {
    constexpr std::string_view kKey = "CapEff:";
    if (!line.starts_with(kKey)) continue;
    const std::string_view digits =
        trim(std::string_view(line).substr(kKey.size()));
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(
        digits.data(), digits.data() + digits.size(), value, 16);
    if (failure == std::errc{} && end == digits.data() + digits.size()) {
      return value;
    }
  }
  return std::nullopt;
}

Capability root(const DoctorTools& tools) {
  Capability one{.name = "root",
                 .acts = {Act::collect_others, Act::contain_others}};
  const auto held = effective_capabilities(tools.procfs);
  if (!held) {
    one.measured =
        "The kernel does not show what this process may do (CapEff "
        "of /proc/self/status).";
    return one;
  }
  std::vector<std::string_view> missing;
  for (const Privilege& privilege : kPrivileges) {
    if ((*held >> privilege.bit & 1U) == 0) missing.push_back(privilege.name);
  }
  const std::string who =
      fmt::format("Effective user {} (geteuid)", ::geteuid());
  if (missing.empty()) {
    one.ability = Ability::yes;
    one.measured = fmt::format(
        "{}, with every capability that is needed "
        "(CapEff of /proc/self/status).",
        who);
    return one;
  }
  one.ability =
      missing.size() == kPrivileges.size() ? Ability::no : Ability::partly;
  one.measured = fmt::format("{}, without {} (CapEff of /proc/self/status).",
                             who, fmt::join(missing, ", "));
  return one;
}

Capability freezer(const DoctorTools& tools) {
  Capability one{.name = "freezer", .acts = {Act::contain}};
  std::vector<std::string> reasons;
  for (const FreezeMethod method :
       {FreezeMethod::cgroup_v2, FreezeMethod::cgroup_v1}) {
    const FreezerMount mount = find_freezer(method, tools.procfs);
    if (mount.path) {
      one.ability = Ability::yes;
      one.measured = fmt::format(
          "Control groups can be made and frozen in {} ({}; "
          "/proc/self/mountinfo).",
          printable(mount.path->native()), to_string(method));
      return one;
    }
    reasons.push_back(
        fmt::format("{}: {}", to_string(method), printable(mount.reason)));
  }
  one.ability = Ability::partly;
  one.measured = fmt::format(
      "No control group can be frozen ({}). Processes are stopped by SIGSTOP "
      "instead, which a supervisor can see and end.",
      fmt::join(reasons, "; "));
  return one;
}

Capability sandbox(const DoctorTools& tools) {
  Capability one{.name = "sandbox", .acts = {Act::run}};
  try {
    const Json given = tools.isolation();
    const auto holds = [&](const char* key) {
      const auto found = given.find(key);
      return found != given.end() && found->is_boolean() && found->get<bool>();
    };
    std::vector<std::string> gone;
    std::vector<std::string> kept;
    const auto note = [&](bool is_gone, std::string what) {
      (is_gone ? gone : kept).push_back(std::move(what));
    };
    note(holds("filter"), "system calls but a few");
    note(holds("no_capabilities"), "all capabilities");
    note(holds("no_groups"), "groups");
    note(holds("empty_root"), "the file system");
    std::vector<std::string> spaces;
    if (const auto found = given.find("namespaces");
        found != given.end() && found->is_array()) {
      for (const Json& space : *found) {
        if (space.is_string()) spaces.push_back(space.get<std::string>());
      }
    }
    const auto is_new = [&](std::string_view name) {
      return std::ranges::find(spaces, name) != spaces.end();
    };
    note(is_new("net"), "the network");
    note(is_new("pid"), "the other processes");
    one.ability = kept.empty() ? Ability::yes : Ability::partly;
    one.measured = fmt::format(
        "A playbook's process, started now, gave up {}{} (measured by itself)"
        ".",
        gone.empty() ? "nothing" : fmt::format("{}", fmt::join(gone, ", ")),
        kept.empty() ? "" : fmt::format(", and not {}", fmt::join(kept, ", ")));
  } catch (const Error& error) {
    one.ability = Ability::no;
    one.measured = fmt::format("A playbook's process, started now, ended: {}.",
                               error.what());
  }
  return one;
}

Capability clock(const DoctorTools& tools) {
  Capability one{.name = "clock", .acts = {Act::record}};
  const ClockState state = tools.clock.state();
  const std::string offset =
      state.offset_ms
          ? fmt::format(", {:.1f} ms off by its own estimate", *state.offset_ms)
          : "";
  if (state.source.empty()) {
    one.measured =
        "The kernel does not say whether its clock is synchronised "
        "(adjtimex).";
  } else if (state.source == "unsynchronised") {
    one.ability = Ability::partly;
    one.measured = fmt::format(
        "The kernel's clock is not synchronised{} (adjtimex); entries say so.",
        offset);
  } else {
    one.ability = Ability::yes;
    one.measured = fmt::format("The kernel's clock follows {}{} (adjtimex).",
                               printable(state.source), offset);
  }
  return one;
}

Capability disk(const DoctorTools& tools) {
  Capability one{.name = "disk", .acts = {Act::record, Act::collect, Act::run}};
  const fs::path folder = existing_part(fs::absolute(tools.cases_folder));
  struct statvfs facts {};
  if (::statvfs(folder.c_str(), &facts) != 0) {
    const OsFailure failure{errno};
    one.measured = fmt::format("{}: {} (statvfs).", printable(folder.native()),
                               failure.message());
    return one;
  }
  const std::uint64_t free =
      std::uint64_t{facts.f_bavail} * std::uint64_t{facts.f_frsize};
  if (::access(folder.c_str(), W_OK) != 0) {
    one.ability = Ability::no;
    const OsFailure failure{errno};
    one.measured = fmt::format("{} cannot be written: {} (access).",
                               printable(folder.native()), failure.message());
    return one;
  }
  one.ability = free < kLeastFree ? Ability::partly : Ability::yes;
  one.measured = fmt::format(
      "{} free for the cases in {} (statvfs){}.", human_bytes(free),
      printable(tools.cases_folder.native()),
      free < kLeastFree ? "; one file of weights may be larger" : "");
  return one;
}

Capability examiner(const DoctorTools& tools) {
  Capability one{.name = "examiner", .acts = {Act::record}};
  one.ability = tools.has_examiner() ? Ability::yes : Ability::no;
  one.measured = one.ability == Ability::yes
                     ? "An examiner is set up (impound examiner show); whether "
                       "the key can be used was not tried."
                     : "Nobody is set up as examiner, so nobody can sign: "
                       "impound examiner init.";
  return one;
}

/// What VERIFY.sh of an export calls.
Capability stock_tools(const DoctorTools& tools) {
  constexpr std::array<std::string_view, 6> kTools{
      "sqlite3", "zstd", "openssl", "xxd", "tar", "sha256sum"};
  Capability one{.name = "stock tools", .acts = {Act::export_out}};
  std::vector<std::string_view> missing;
  for (const std::string_view tool : kTools) {
    if (find_program(tools.search_path, tool).empty()) missing.push_back(tool);
  }
  one.ability = missing.empty()                   ? Ability::yes
                : missing.size() == kTools.size() ? Ability::no
                                                  : Ability::partly;
  one.measured =
      missing.empty()
          ? fmt::format("{} are there ($PATH).", fmt::join(kTools, ", "))
          : fmt::format("{} not found ($PATH).", fmt::join(missing, ", "));
  return one;
}

/// A program of others that a person may want at hand.
Capability program(const DoctorTools& tools, std::string_view name,
                   const std::string& more) {
  Capability one{.name = std::string(name), .acts = {Act::by_hand}};
  const fs::path found = find_program(tools.search_path, name);
  one.ability = found.empty() ? Ability::no : Ability::yes;
  one.measured = found.empty()
                     ? fmt::format("No program {} ($PATH).", name)
                     : fmt::format("{}{}.", printable(found.native()), more);
  return one;
}

Capability nftables(const DoctorTools& tools) {
  const bool is_loaded = static_cast<bool>(
      stat_path(tools.root / "sys/module/nf_tables", Links::follow));
  Capability one = program(
      tools, "nft",
      is_loaded ? "; the kernel has nf_tables loaded (/sys/module)"
                : "; nf_tables is not seen as loaded (/sys/module), it may be "
                  "built in");
  one.name = "nftables";
  return one;
}

Capability kubectl(const DoctorTools& tools) {
  const bool is_in_pod = static_cast<bool>(stat_path(
      tools.root / "var/run/secrets/kubernetes.io/serviceaccount/token",
      Links::follow));
  return program(tools, "kubectl",
                 is_in_pod ? "; this is a pod with an account of its own "
                             "(/var/run/secrets)"
                           : "; whether a cluster answers was not asked");
}

Capability podman(const DoctorTools& tools) {
  const bool has_socket = static_cast<bool>(
      stat_path(tools.root / "run/podman/podman.sock", Links::follow));
  return program(tools, "podman",
                 has_socket ? "; its socket is there (/run/podman)"
                            : "; no socket of the system's own (/run/podman)");
}

Capability accelerators(const DoctorTools& tools) {
  Capability one{.name = "GPU", .acts = {Act::by_hand}};
  std::vector<std::string> seen;
  const fs::path version = tools.procfs.root() / "driver/nvidia/version";
  if (const auto text = read_proc_text(version)) {
    seen.push_back(fmt::format("NVIDIA driver ({}: {})",
                               printable(version.native()),
                               printable(text->substr(0, text->find('\n')))));
  }
  constexpr std::array<std::string_view, 5> kModules{"amdgpu", "xe", "i915",
                                                     "habanalabs", "neuron"};
  for (const std::string_view module : kModules) {
    if (stat_path(tools.root / "sys/module" / module, Links::follow)) {
      seen.push_back(fmt::format("{} (/sys/module/{})", module, module));
    }
  }
  if (const auto names = list_directory(tools.root / "dev")) {
    std::vector<std::string> nodes;
    for (const std::string& name : *names) {
      const bool is_node = (name.starts_with("nvidia") && name.size() > 6 &&
                            name[6] >= '0' && name[6] <= '9') ||
                           name == "kfd" || name == "accel";
      if (is_node) nodes.push_back("/dev/" + printable(name));
    }
    if (!nodes.empty()) {
      seen.push_back(fmt::format("{}", fmt::join(nodes, ", ")));
    }
  } else {
    one.measured =
        fmt::format("/dev cannot be listed: {}.", names.failure().message());
    return one;
  }
  one.ability = seen.empty() ? Ability::no : Ability::yes;
  one.measured =
      seen.empty()
          ? "No driver or device of an accelerator is seen (/proc/driver, "
            "/sys/module, /dev)."
          : fmt::format("{}. What lies in its memory is collected by nothing.",
                        fmt::join(seen, "; "));
  return one;
}

}  // namespace

std::string_view in_words(Act act) noexcept {
  switch (act) {
    case Act::record:
      return "record an act in a case";
    case Act::collect:
      return "collect evidence";
    case Act::collect_others:
      return "look into processes and files of other users";
    case Act::contain:
      return "contain a process without its parent seeing it";
    case Act::contain_others:
      return "contain processes of other users";
    case Act::run:
      return "run a playbook";
    case Act::export_out:
      return "check an export as its recipient does";
    case Act::by_hand:
      return "work by hand; nothing of impound uses it";
  }
  return {};
}

std::string_view to_string(Ability ability) noexcept {
  switch (ability) {
    case Ability::yes:
      return "yes";
    case Ability::partly:
      return "partly";
    case Ability::no:
      return "no";
    case Ability::unknown:
      return "unknown";
  }
  return {};
}

bool Capability::is_missing() const {
  return ability != Ability::yes &&
         std::ranges::any_of(acts, [](Act act) { return act != Act::by_hand; });
}

Json Capability::to_json() const {
  Json for_acts = Json::array();
  for (const Act act : acts) for_acts.push_back(in_words(act));
  return {{"name", name},
          {"state", to_string(ability)},
          {"measured", lossless_utf8(measured)},
          {"for", for_acts},
          {"missing", is_missing()}};
}

std::vector<Capability> examine_machine(const DoctorTools& tools) {
  return {examiner(tools), disk(tools),    clock(tools),       root(tools),
          freezer(tools),  sandbox(tools), stock_tools(tools), nftables(tools),
          podman(tools),   kubectl(tools), accelerators(tools)};
}

fs::path find_program(std::string_view search_path, std::string_view name) {
  for (const std::string& place : split(search_path, ':')) {
    // An empty place means the present folder, which is nobody's tool box.
    if (place.empty()) continue;
    const fs::path path = fs::path(place) / name;
    const auto found = stat_path(path, Links::follow);
    if (found && found->kind == FileKind::regular &&
        ::access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return {};
}

}  // namespace impound
