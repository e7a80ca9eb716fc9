// SPDX-License-Identifier: Apache-2.0
/// process: freezes the serving processes and everything below them. Memory,
/// files and connections stay as they are; nothing runs.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "containment/freezer.hpp"
#include "containment/names.hpp"
#include "core/base/error.hpp"
#include "core/base/process_control.hpp"
#include "core/base/text.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/locate.hpp"

namespace impound {
namespace {

/// Rounds of listing and freezing. Each round catches what was forked during
/// the one before; the second finds nothing unless something forks all the
/// time.
constexpr int kMaxRounds = 100;

/// Connections listed in one record; further ones are counted.
constexpr std::size_t kMaxConnections = 1000;

/// A process as `before` names it.
struct Recorded {
  Pid pid = 0;
  std::uint64_t start_ticks = 0;
  bool was_stopped = false;
  std::string group;  ///< in the hierarchy of the method; raw bytes
};

/// `before`, read back.
struct Plan {
  FreezeMethod method = FreezeMethod::stop;
  fs::path mount;
  fs::path group;
  std::string boot_id;
  std::map<Pid, Recorded> processes;
};

/// What the names of our control groups begin with.
constexpr std::string_view kGroupPrefix = "impound-";

/// The part of a name that is plain in every file system, at most 40 bytes.
std::string plain(std::string_view text) { return plain_name(text, "._", '-'); }

/// One name for each case, deployment and boot: an undo after a crash finds the
/// group by it even if nothing but `before` was written, another case never
/// takes it for its own, and whoever finds it reads whose it is.
std::string group_name(const Target& target) {
  std::string name(kGroupPrefix);
  if (!target.case_id.empty()) name += plain(target.case_id) + "-";
  return fmt::format("{}{}-{}", name, plain(target.deployment.name),
                     name_hash({target.case_id, target.deployment.name,
                                target.deployment.descriptor.native(),
                                target.clock.state().boot_id}));
}

constexpr std::string_view kAuto = "auto";

/// @throws Error{io} if the method that was asked for cannot be used.
FreezeMethod choose_method(const Target& target, const ProcFs& procfs) {
  const std::string asked =
      target.arguments.text("method").value_or(std::string(kAuto));
  if (const auto method = freeze_method_from(asked)) {
    if (*method != FreezeMethod::stop) {
      const FreezerMount mount = find_freezer(*method, procfs);
      if (!mount.path) {
        throw Error(Errc::io, "cannot use " + asked + ": " + mount.reason);
      }
    }
    return *method;
  }
  for (const auto method : {FreezeMethod::cgroup_v2, FreezeMethod::cgroup_v1}) {
    if (find_freezer(method, procfs).path) return method;
  }
  return FreezeMethod::stop;
}

/// Refuses a tree whose freezing would freeze ourselves or the machine.
/// @throws Error{unsupported}.
void require_safe(const std::vector<ProcessStat>& tree) {
  for (const ProcessStat& one : tree) {
    if (one.pid == 1) {
      throw Error(Errc::unsupported,
                  "process 1 belongs to the deployment; freezing it would "
                  "freeze the machine");
    }
    if (one.pid == ::getpid()) {
      throw Error(Errc::unsupported,
                  "this program runs below the deployment's own process and "
                  "would freeze itself; start it elsewhere");
    }
  }
}

/// @throws Error{io} if nothing is found.
std::vector<ProcessStat> located_tree(const Target& target,
                                      const ProcFs& procfs) {
  const LocatedProcesses found =
      locate_processes(target.deployment.process, procfs);
  if (found.roots.empty()) {
    throw Error(Errc::io, "cannot find the process of " +
                              printable(target.deployment.name) + ": " +
                              found.problem);
  }
  return procfs.tree(found.roots);
}

/// What serves now: what the descriptor finds, and what `before` named and is
/// still the same process, with everything below.
std::vector<ProcessStat> present_tree(const Target& target, const Plan& plan,
                                      const ProcFs& procfs) {
  std::vector<Pid> roots =
      locate_processes(target.deployment.process, procfs).roots;
  for (const auto& [pid, recorded] : plan.processes) {
    if (procfs.is_same(pid, recorded.start_ticks)) roots.push_back(pid);
  }
  std::vector<ProcessStat> tree = procfs.tree(roots);
  std::erase_if(tree, [](const ProcessStat& one) { return one.is_dead(); });
  return tree;
}

/// Sockets that the tree listens on, and the connections of these ports. One
/// that its client has given up is still there: a frozen server cannot close
/// it.
Json connections_of(const std::vector<ProcessStat>& tree,
                    const ProcFs& procfs) {
  Json listening = Json::array();
  Json open = Json::array();
  std::size_t omitted = 0;
  std::map<std::string, std::set<std::uint64_t>> inodes;  // by namespace
  std::map<std::string, Pid> member;
  for (const ProcessStat& one : tree) {
    const auto space = read_link(procfs.path(one.pid, "ns/net"));
    if (!space) continue;
    member.emplace(*space, one.pid);
    for (const std::uint64_t inode : procfs.socket_inodes(one.pid)) {
      inodes[*space].insert(inode);
    }
  }
  for (const auto& [space, pid] : member) {
    const auto sockets = procfs.sockets(pid);
    std::set<std::uint16_t> ports;
    for (const SocketEntry& socket : sockets) {
      if (socket.state != "LISTEN" || !inodes[space].contains(socket.inode)) {
        continue;
      }
      ports.insert(socket.local_port);
      listening.push_back(
          {{"protocol", socket.protocol}, {"local", socket.local}});
    }
    for (const SocketEntry& socket : sockets) {
      const bool is_open = socket.state != "LISTEN" &&
                           socket.state != "TIME_WAIT" &&
                           socket.protocol.starts_with("tcp");
      if (!is_open || !ports.contains(socket.local_port)) continue;
      if (open.size() >= kMaxConnections) {
        ++omitted;
        continue;
      }
      open.push_back({{"protocol", socket.protocol},
                      {"local", socket.local},
                      {"remote", socket.remote},
                      {"state", socket.state}});
    }
  }
  Json found{{"listening", std::move(listening)}, {"open", std::move(open)}};
  if (omitted != 0) found["open_omitted"] = omitted;
  return found;
}

Json to_json(const ProcessStat& one, const ProcFs& procfs) {
  Json groups = Json::object();
  for (const CgroupMembership& group : procfs.cgroups(one.pid)) {
    groups[lossless_utf8(group.controllers)] = lossless_utf8(group.path);
  }
  const auto program = read_link(procfs.path(one.pid, "exe"));
  return {{"pid", one.pid},
          {"parent", one.parent},
          {"start_ticks", one.start_ticks},
          {"name", lossless_utf8(one.name)},
          {"exe", program ? Json(lossless_utf8(*program)) : Json(nullptr)},
          {"state", std::string(1, one.state)},
          {"cgroups", std::move(groups)}};
}

/// @throws Error{malformed} if `before` is not what before() returned.
Plan read_plan(const Json& before) {
  constexpr std::string_view kSource = "the recorded state of containment";
  Plan plan;
  const auto method =
      freeze_method_from(require_text(before, "method", kSource));
  if (!method) {
    throw Error(Errc::malformed, fmt::format("{}: unknown method", kSource));
  }
  plan.method = *method;
  plan.boot_id = require_text(before, "boot_id", kSource);
  plan.mount = from_lossless_utf8(text_or(before, "mount", ""));
  plan.group = from_lossless_utf8(text_or(before, "group", ""));
  const std::string controller =
      plan.method == FreezeMethod::cgroup_v2 ? "" : "freezer";
  for (const Json& entry : require_key(before, "processes", kSource)) {
    Recorded one;
    one.pid = narrow<Pid>(require_u64(entry, "pid", kSource));
    one.start_ticks = require_u64(entry, "start_ticks", kSource);
    one.was_stopped = require_text(entry, "state", kSource) == "T";
    for (const auto& [names, path] :
         require_key(entry, "cgroups", kSource).items()) {
      const auto list = split(names, ',');
      if (path.is_string() &&
          std::ranges::find(list, controller) != list.end()) {
        one.group = from_lossless_utf8(path.get<std::string>());
      }
    }
    plan.processes.emplace(one.pid, std::move(one));
  }
  return plan;
}

/// Whether the processes of `before` ended with an earlier boot.
bool is_other_boot(const Plan& plan, const Target& target) {
  return plan.boot_id != target.clock.state().boot_id;
}

Json before(const Target& target) {
  const ProcFs procfs;
  const auto tree = located_tree(target, procfs);
  require_safe(tree);
  const FreezeMethod method = choose_method(target, procfs);
  Json record{{"method", to_string(method)},
              {"boot_id", target.clock.state().boot_id},
              {"located_by", in_words(target.deployment.process)}};
  if (method == FreezeMethod::stop) {
    for (const ProcessStat& one : tree) {
      const auto allowed = send_signal(procfs, one.pid, one.start_ticks, 0);
      if (!allowed && allowed.failure().is_denied()) {
        throw Error(Errc::io, fmt::format("cannot signal process {} ({}): {}",
                                          one.pid, printable(one.name),
                                          allowed.failure().message()));
      }
    }
  } else {
    const fs::path mount = *find_freezer(method, procfs).path;
    record["mount"] = lossless_utf8(mount.native());
    record["group"] = lossless_utf8((mount / group_name(target)).native());
  }
  record["processes"] = Json::array();
  for (const ProcessStat& one : tree) {
    record["processes"].push_back(to_json(one, procfs));
  }
  record["connections"] = connections_of(tree, procfs);
  return record;
}

/// Takes one more round over the tree. Returns how many were newly frozen.
/// @throws Error{io}.
std::size_t freeze_round(const Target& target, const Plan& plan,
                         const ProcFs& procfs, std::set<Pid>& frozen) {
  const auto tree = present_tree(target, plan, procfs);
  require_safe(tree);
  const FreezerGroup group(plan.method, plan.group);
  const std::set<Pid> inside =
      plan.method == FreezeMethod::stop ? std::set<Pid>{} : group.members();
  std::size_t added = 0;
  for (const ProcessStat& one : tree) {
    OsResult<bool> done = true;
    if (plan.method == FreezeMethod::stop) {
      if (one.is_stopped()) {
        frozen.insert(one.pid);
        continue;
      }
      const auto sent = send_signal(procfs, one.pid, one.start_ticks, SIGSTOP);
      if (!sent) done = sent.failure();
    } else {
      if (inside.contains(one.pid)) continue;
      if (!procfs.is_same(one.pid, one.start_ticks)) continue;
      done = group.add(one.pid);
    }
    if (!done && done.failure().is_missing()) continue;  // it ended by itself
    if (!done) {
      throw Error(Errc::io,
                  fmt::format("cannot freeze process {} ({}): {}", one.pid,
                              printable(one.name), done.failure().message()));
    }
    frozen.insert(one.pid);
    ++added;
  }
  return added;
}

Json apply(const Target& target, const Json& record) {
  const ProcFs procfs;
  const Plan plan = read_plan(record);
  if (is_other_boot(plan, target)) {
    throw Error(Errc::unsupported,
                "the machine was restarted since the state was recorded; "
                "record it again");
  }
  const FreezerGroup group(plan.method, plan.group);
  if (plan.method != FreezeMethod::stop) group.create_frozen();
  std::set<Pid> frozen;
  int rounds = 0;
  bool is_stable = false;
  while (!is_stable && rounds < kMaxRounds) {
    ++rounds;
    is_stable = freeze_round(target, plan, procfs, frozen) == 0;
  }
  Json done{{"method", to_string(plan.method)}, {"rounds", rounds}};
  if (plan.method != FreezeMethod::stop) {
    const bool stands = group.wait_until_frozen();
    frozen = group.members();
    done["group"] = lossless_utf8(plan.group.native());
    done["kernel_says_frozen"] = stands;
    is_stable = is_stable && stands;
  }
  done["processes"] = Json(frozen);
  done["found_later"] = Json::array();
  for (const Pid pid : frozen) {
    if (!plan.processes.contains(pid)) done["found_later"].push_back(pid);
  }
  done["complete"] = is_stable;
  return done;
}

/// The group that a process came from: its own record, or that of the nearest
/// recorded process above it where it was forked later.
std::string original_group(Pid pid, const Plan& plan, const ProcFs& procfs) {
  for (int step = 0; step < kMaxRounds && pid > 1; ++step) {
    const auto stat = procfs.stat(pid);
    if (!stat) break;
    const auto found = plan.processes.find(pid);
    if (found != plan.processes.end() &&
        found->second.start_ticks == stat->start_ticks) {
      return found->second.group;
    }
    pid = stat->parent;
  }
  return plan.processes.empty() ? "/" : plan.processes.begin()->second.group;
}

/// Moves everything out of our group to where it came from.
void move_back(const Plan& plan, const ProcFs& procfs, std::set<Pid>& restored,
               Json& problems) {
  const FreezerGroup group(plan.method, plan.group);
  for (int round = 0; round < kMaxRounds; ++round) {
    const std::set<Pid> members = group.members();
    if (members.empty()) return;
    for (const Pid pid : members) {
      fs::path home = original_group(pid, plan, procfs);
      // A record that was made while another one held them names the very group
      // that is to be emptied.
      if (plan.mount / home.relative_path() == plan.group) {
        problems.push_back(
            fmt::format("process {} was in the group of a containment when it "
                        "was recorded; it went one level up",
                        pid));
        home = home.parent_path();
      }
      // The manager of a unit may have removed its group once it was empty.
      while (!FreezerGroup(plan.method, plan.mount / home.relative_path())
                  .exists() &&
             home.has_relative_path()) {
        problems.push_back(
            fmt::format("group {} of process {} is gone; it went one level up",
                        printable(home.native()), pid));
        home = home.parent_path();
      }
      const auto moved =
          FreezerGroup(plan.method, plan.mount / home.relative_path()).add(pid);
      if (moved) {
        restored.insert(pid);
      } else if (!moved.failure().is_missing()) {
        problems.push_back(fmt::format("process {} cannot be moved to {}: {}",
                                       pid, printable(home.native()),
                                       moved.failure().message()));
      }
    }
  }
}

/// Wakes what was not stopped before. What was forked while we were stopping
/// is below a recorded process and is woken as well.
void wake(const Target& target, const Plan& plan, const ProcFs& procfs,
          std::set<Pid>& restored, Json& left, Json& problems) {
  for (const ProcessStat& one : present_tree(target, plan, procfs)) {
    if (!one.is_stopped()) continue;
    const auto recorded = plan.processes.find(one.pid);
    if (recorded != plan.processes.end() && recorded->second.was_stopped &&
        recorded->second.start_ticks == one.start_ticks) {
      left.push_back(one.pid);
      continue;
    }
    const auto sent = send_signal(procfs, one.pid, one.start_ticks, SIGCONT);
    if (sent) {
      restored.insert(one.pid);
    } else if (!sent.failure().is_missing()) {
      problems.push_back(fmt::format("process {} cannot be woken: {}", one.pid,
                                     sent.failure().message()));
    }
  }
}

Json undo(const Target& target, const Json& record) {
  const ProcFs procfs;
  const Plan plan = read_plan(record);
  Json gone = Json::array();
  for (const auto& [pid, one] : plan.processes) {
    const bool is_there =
        !is_other_boot(plan, target) && procfs.is_same(pid, one.start_ticks);
    if (!is_there) gone.push_back(pid);
  }
  std::set<Pid> restored;
  Json left = Json::array();
  Json problems = Json::array();
  if (is_other_boot(plan, target)) {
    problems.push_back("the machine was restarted since; nothing is frozen");
  } else if (plan.method == FreezeMethod::stop) {
    wake(target, plan, procfs, restored, left, problems);
  } else if (const FreezerGroup group(plan.method, plan.group);
             group.exists()) {
    if (!group.thaw()) {
      problems.push_back("the control group " + printable(plan.group.native()) +
                         " went away while it was to be thawed: another "
                         "release was faster");
    }
    move_back(plan, procfs, restored, problems);
    if (!group.remove()) {
      problems.push_back("the control group " + printable(plan.group.native()) +
                         " cannot be removed: something is still in it");
    }
  }
  return {{"method", to_string(plan.method)},
          {"restored", Json(restored)},
          {"gone", std::move(gone)},
          {"left_stopped", std::move(left)},
          {"problems", std::move(problems)}};
}

/// "process 12 (python3)", "process 12 (python3) and 3 others".
std::string name_all(const std::vector<ProcessStat>& processes) {
  const ProcessStat& first = processes.front();
  std::string text =
      fmt::format("process {} ({})", first.pid, printable(first.name));
  const std::size_t others = processes.size() - 1;
  if (others == 1) text += " and another";
  if (others > 1) text += fmt::format(" and {} others", others);
  return text;
}

/// What is_standing_still() said of each process of the deployment.
struct Standing {
  std::vector<ProcessStat> still;
  std::vector<ProcessStat> running;
  std::size_t in_group = 0;  ///< of `still`, in the group of the record
  std::size_t held = 0;      ///< of `still`, not stopped when it was recorded
  std::string foreign;       ///< a group of ours that is not that of the record
  std::vector<Pid> gone;     ///< recorded and no longer the same process
};

/// The group of impound that a process is in, in any hierarchy; "" if in none.
std::string group_of_ours(Pid pid, const ProcFs& procfs) {
  for (const CgroupMembership& one : procfs.cgroups(pid)) {
    const std::string name = fs::path(one.path).filename().native();
    if (name.starts_with(kGroupPrefix)) return one.path;
  }
  return {};
}

Standing measure_tree(const std::vector<ProcessStat>& tree, const Plan& plan,
                      const ProcFs& procfs) {
  Standing found;
  const std::set<Pid> inside =
      plan.group.empty() ? std::set<Pid>{}
                         : FreezerGroup(plan.method, plan.group).members();
  for (const ProcessStat& one : tree) {
    if (!is_standing_still(one.pid, procfs)) {
      found.running.push_back(one);
      continue;
    }
    found.still.push_back(one);
    if (inside.contains(one.pid)) {
      ++found.in_group;
    } else if (found.foreign.empty()) {
      found.foreign = group_of_ours(one.pid, procfs);
    }
    const auto recorded = plan.processes.find(one.pid);
    const bool was_stopped = recorded != plan.processes.end() &&
                             recorded->second.start_ticks == one.start_ticks &&
                             recorded->second.was_stopped;
    if (!was_stopped) ++found.held;
  }
  for (const auto& [pid, one] : plan.processes) {
    if (!procfs.is_same(pid, one.start_ticks)) found.gone.push_back(pid);
  }
  return found;
}

std::string recorded_and_ended(const Plan& plan, const Standing& found) {
  if (plan.processes.empty()) return "";
  return fmt::format("; {} of the {} recorded processes ended",
                     found.gone.size(), plan.processes.size());
}

/// What was measured, as one clause.
std::string in_one_clause(const Plan& plan, const Standing& found,
                          const std::string& not_found) {
  if (!found.running.empty()) {
    std::string text = name_all(found.running) +
                       (found.running.size() == 1 ? " runs" : " run");
    if (!found.still.empty()) {
      text += fmt::format("; {} {} still", name_all(found.still),
                          found.still.size() == 1 ? "stands" : "stand");
    }
    return text;
  }
  if (found.still.empty()) {
    return "no process of the deployment is found: " + not_found +
           recorded_and_ended(plan, found);
  }
  std::string text =
      name_all(found.still) +
      (found.still.size() == 1 ? " stands still" : " stand still");
  if (!found.gone.empty()) text += recorded_and_ended(plan, found);
  if (!plan.group.empty() && found.in_group < found.still.size()) {
    text += fmt::format(
        "; {} of {} by other means than the control group of "
        "this record",
        found.still.size() - found.in_group, found.still.size());
  }
  return text;
}

Json pids_of(const std::vector<ProcessStat>& processes) {
  Json list = Json::array();
  for (const ProcessStat& one : processes) list.push_back(one.pid);
  return list;
}

/// A number that another process has now, and what an earlier boot knew, is not
/// what was contained: the boot and the start times are compared first.
MeasuredState state(const Target& target, const Json& record) {
  const ProcFs procfs;
  Plan plan;
  const bool has_record = record.is_object() && record.contains("method");
  if (has_record) plan = read_plan(record);
  const bool is_restarted = has_record && is_other_boot(plan, target);
  Plan present = plan;
  if (is_restarted) {
    present.processes.clear();
    present.group.clear();
  }
  const auto tree = present_tree(target, present, procfs);
  const Standing found = measure_tree(tree, present, procfs);

  MeasuredState measured;
  measured.measured = !found.running.empty() ? Containedness::not_contained
                      : found.still.empty()  ? Containedness::unknown
                                             : Containedness::contained;
  measured.holds_something = found.held != 0;
  measured.is_by_record =
      has_record && !is_restarted && found.held != 0 &&
      (present.method == FreezeMethod::stop ? found.foreign.empty()
                                            : found.in_group != 0);
  if (!found.foreign.empty()) {
    measured.held_by = "the control group " + printable(found.foreign);
  }
  if (is_restarted) {
    measured.why = "the machine was restarted since, which ended the freeze; ";
  }
  measured.why += in_one_clause(
      present, found,
      locate_processes(target.deployment.process, procfs).problem);
  measured.from = "/proc of this machine";
  Json running = Json::array();
  for (const ProcessStat& one : found.running) {
    running.push_back({{"pid", one.pid}, {"name", lossless_utf8(one.name)}});
  }
  measured.facts = {{"boot_id", target.clock.state().boot_id},
                    {"restarted", is_restarted},
                    {"frozen", pids_of(found.still)},
                    {"running", std::move(running)},
                    {"gone", Json(found.gone)},
                    {"in_group", found.in_group},
                    {"connections", connections_of(tree, procfs)}};
  return measured;
}

std::vector<std::string> things(const Json& record) {
  std::vector<std::string> names;
  if (!record.is_object() || !record.contains("method")) return names;
  const Plan plan = read_plan(record);
  for (const auto& [pid, one] : plan.processes) {
    names.push_back(fmt::format("boot {} process {} started {}", plan.boot_id,
                                pid, one.start_ticks));
  }
  return names;
}

/// In single quotes for a shell.
std::string quoted(const fs::path& path) {
  std::string text = "'";
  for (const char c : path.native()) {
    if (c == '\'') {
      text += "'\\''";
    } else {
      text += c;
    }
  }
  return text + "'";
}

std::string list_of(const std::vector<Pid>& pids) {
  return fmt::format("{}", fmt::join(pids, " "));
}

/// The groups are those that undo() would move them to, while they are there.
std::vector<std::string> by_hand(const Json& record) {
  const Plan plan = read_plan(record);
  std::vector<std::string> lines{fmt::format(
      "[ \"$(cat /proc/sys/kernel/random/boot_id)\" = {} ] || echo 'another "
      "boot: these processes ended, and the freeze with them'",
      plan.boot_id)};
  std::vector<Pid> awake;
  std::map<std::string, std::vector<Pid>> homes;
  for (const auto& [pid, one] : plan.processes) {
    if (!one.was_stopped) awake.push_back(pid);
    homes[one.group.empty() ? "/" : one.group].push_back(pid);
  }
  if (plan.method == FreezeMethod::stop) {
    if (!awake.empty()) lines.push_back("kill -CONT " + list_of(awake));
    return lines;
  }
  const bool is_v2 = plan.method == FreezeMethod::cgroup_v2;
  lines.push_back(fmt::format(
      "echo {} > {}", is_v2 ? "0" : "THAWED",
      quoted(plan.group / (is_v2 ? "cgroup.freeze" : "freezer.state"))));
  const auto home_file = [&](const std::string& home) {
    return quoted(plan.mount / fs::path(home).relative_path() / "cgroup.procs");
  };
  // The first group takes the rest, which was forked after the record.
  for (auto home = homes.empty() ? homes.end() : std::next(homes.begin());
       home != homes.end(); ++home) {
    lines.push_back(fmt::format("for p in {}; do echo $p > {}; done",
                                list_of(home->second), home_file(home->first)));
  }
  lines.push_back(
      fmt::format("for p in $(cat {0}/cgroup.procs); do echo $p > {1}; done; "
                  "rmdir {0}",
                  quoted(plan.group),
                  home_file(homes.empty() ? "/" : homes.begin()->first)));
  return lines;
}

std::string describe(const Target& target) {
  const ProcFs procfs;
  const auto tree = located_tree(target, procfs);
  const FreezeMethod method = choose_method(target, procfs);
  return fmt::format(
      "Freezes process {} ({}) and {} below it by {}; memory, files and "
      "connections stay, nothing runs.",
      tree.front().pid, printable(tree.front().name), tree.size() - 1,
      to_string(method));
}

const std::array kParameters{
    Parameter{.name = "method",
              .type = ParameterType::choice,
              .help = "How it is frozen; auto takes the first that works.",
              .otherwise = kAuto,
              .choices = {std::string(kAuto),
                          std::string(to_string(FreezeMethod::cgroup_v2)),
                          std::string(to_string(FreezeMethod::cgroup_v1)),
                          std::string(to_string(FreezeMethod::stop))}}};

}  // namespace

extern const Containment kProcessContainment;
constinit const Containment kProcessContainment{
    .name = "process",
    .summary = "Freezes the serving processes and everything below them.",
    .parameters = kParameters,
    .before = before,
    .apply = apply,
    .undo = undo,
    .state = state,
    .things = things,
    .describe = describe,
    .by_hand = by_hand,
    .effects = {.keeps = {.weights = Kept::kept,
                          .kv = Kept::kept,
                          .inflight = Kept::kept,
                          .process = Kept::kept},
                .undo = UndoPromise::exact},
    .tried = Tried::real,
    .tried_with = "Linux, control groups v1 and v2, SIGSTOP",
};

}  // namespace impound
