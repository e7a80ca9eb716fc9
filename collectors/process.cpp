// SPDX-License-Identifier: Apache-2.0
/// process: the serving processes as they are now, and the files that only they
/// still hold.
///
/// Stored as process/tree.json (all of it, in short), process/served.json (the
/// model files that are held, against the descriptor), process/<pid>/… (what
/// /proc says, the program, deleted files, served files that the descriptor
/// does not name), process/net-<namespace>/… (socket tables) and
/// process/redaction.json (what was replaced, and how to check it).

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/process_record.hpp"
#include "collectors/sizing_sink.hpp"
#include "core/base/limits.hpp"
#include "core/base/procfs.hpp"
#include "core/base/text.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/locate.hpp"
#include "core/evidence/redaction.hpp"
#include "core/evidence/served_files.hpp"
#include "core/evidence/sparse_file.hpp"
#include "core/formats/weights_file.hpp"

namespace impound {
namespace {

constexpr std::string_view kPrefix = "process/";

/// Files of /proc/PID that are stored as they are.
constexpr std::array<std::string_view, 8> kPlainFiles{
    "status", "stat", "limits", "cgroup", "io", "maps", "mountinfo", "wchan"};

/// What of a process is stored as it is, secrets and all.
constexpr std::array<std::string_view, 4> kNotSearched{
    "contents of programs, deleted and served files",
    "names of files, mappings and mounts", "addresses of sockets",
    "names of processes and threads"};

constexpr std::array<std::string_view, 8> kNamespaces{
    "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};

Json link_or_null(const fs::path& path) {
  const auto target = read_link(path);
  return target ? Json(lossless_utf8(*target)) : Json(nullptr);
}

/// One piece of text about a process, held back until it is certain that the
/// process was the same from beginning to end.
struct Piece {
  std::string name;  ///< below process/
  fs::path source;
  VolatileText content;
  std::size_t redacted = 0;
};

/// Sockets of one network namespace, read once.
struct NetworkNamespace {
  Pid member = 0;
  std::map<std::uint64_t, SocketEntry> by_inode;
};

Json to_json(const SocketEntry& socket) {
  return {{"protocol", socket.protocol}, {"local", lossless_utf8(socket.local)},
          {"remote", socket.remote},     {"state", socket.state},
          {"inode", socket.inode},       {"uid", socket.uid}};
}

class ProcessCollector {
 public:
  ProcessCollector(const Target& target, EvidenceSink& sink)
      : target_(target), sink_(sink) {}

  void run(const LocatedProcesses& located, const ProcessLocator& locator) {
    served_ = look_at_served_model(target_.deployment, locator, procfs_,
                                   holds_weights);
    const auto tree = procfs_.tree(located.roots);
    Json processes = Json::array();
    for (const ProcessStat& one : tree) {
      if (sink_.must_stop() || target_.cancellation.requested()) {
        gap(one.pid, Outcome::partial,
            "stopped: this process and those after it were not looked at");
        break;
      }
      if (auto record = process(one)) processes.push_back(std::move(*record));
    }
    served_files();
    for (const auto& [id, space] : networks_) socket_tables(id, space.member);
    finish(located, std::move(processes));
  }

 private:
  void gap(Pid pid, Outcome outcome, std::string_view reason,
           std::string_view file = "") {
    sink_.gap(procfs_.path(pid, file).native(), outcome, reason);
  }

  static std::string name_of(Pid pid, std::string_view file) {
    return fmt::format("{}{}/{}", kPrefix, pid, file);
  }

  /// Reads one file of /proc/PID; a gap and nothing if that fails.
  std::optional<Piece> read(Pid pid, std::string_view file) {
    auto text = read_volatile(procfs_.path(pid, file));
    if (!text) {
      gap(pid, outcome_of(text.failure()), text.failure().message(), file);
      return std::nullopt;
    }
    return Piece{.name = name_of(pid, file),
                 .source = procfs_.path(pid, file),
                 .content = std::move(*text)};
  }

  void store(const Piece& piece) {
    BytesRequest request{.name = piece.name,
                         .content = as_bytes(piece.content.text),
                         .source = piece.source.native()};
    if (!piece.content.is_whole) request.outcome = Outcome::partial;
    if (piece.redacted != 0) request.notes["redacted"] = piece.redacted;
    sink_.bytes(request);
  }

  /// Takes one process. Nothing of it is kept if its number was given to
  /// another process meanwhile; what was read is kept if it ended.
  std::optional<Json> process(const ProcessStat& stat) {
    const Pid pid = stat.pid;
    std::vector<Piece> pieces;
    Json record = describe_process(stat, pieces);
    const auto files = read_open_files(pid, procfs_);
    if (!files) {
      gap(pid, outcome_of(files.failure()), files.failure().message(), "fd");
    }
    const auto now = procfs_.stat(pid);
    if (now && now->start_ticks != stat.start_ticks) {
      gap(pid, Outcome::missing,
          fmt::format("process {} ended and its number was given to another; "
                      "nothing of either was kept",
                      pid));
      return std::nullopt;
    }
    if (!now) {
      gap(pid, Outcome::partial, "the process ended while it was looked at");
      record["ended_meanwhile"] = true;
    }
    for (const Piece& piece : pieces) store(piece);
    if (files) {
      descriptors(pid, *files, record);
      program(stat);
      deleted_files(stat, *files, pieces, record);
    }
    return record;
  }

  Json describe_process(const ProcessStat& stat, std::vector<Piece>& pieces) {
    const Pid pid = stat.pid;
    Json record{{"pid", pid},
                {"parent", stat.parent},
                {"group", stat.group},
                {"session", stat.session},
                {"name", lossless_utf8(stat.name)},
                {"state", std::string(1, stat.state)},
                {"threads", stat.threads},
                {"start_ticks", stat.start_ticks}};
    if (const auto time = procfs_.start_time(stat.start_ticks)) {
      record["started_at"] = format_time(*time);
    }
    for (const std::string_view link : {"exe", "cwd", "root"}) {
      record[std::string(link)] = link_or_null(procfs_.path(pid, link));
    }
    for (const std::string_view file : kPlainFiles) {
      if (auto piece = read(pid, file)) pieces.push_back(std::move(*piece));
    }
    command_line(pid, pieces, record);
    environment(pid, pieces);
    record["namespaces"] = Json::object();
    for (const std::string_view space : kNamespaces) {
      record["namespaces"][std::string(space)] =
          link_or_null(procfs_.path(pid, "ns") / space);
    }
    record["cgroups"] = Json::object();
    for (const CgroupMembership& group : procfs_.cgroups(pid)) {
      record["cgroups"][lossless_utf8(group.controllers)] =
          lossless_utf8(group.path);
    }
    for (const Piece& piece : pieces) {
      if (piece.name != name_of(pid, "status")) continue;
      auto values = parse_status(piece.content.text);
      record["uid"] = lossless_utf8(values["Uid"]);
      record["gid"] = lossless_utf8(values["Gid"]);
      record["seccomp"] = lossless_utf8(values["Seccomp"]);
      record["capabilities"] = {
          {"effective", capability_names(values["CapEff"])},
          {"bounding", capability_names(values["CapBnd"])}};
    }
    return record;
  }

  void command_line(Pid pid, std::vector<Piece>& pieces, Json& record) {
    auto piece = read(pid, "cmdline");
    if (!piece) return;
    std::string_view text = piece->content.text;
    if (text.ends_with('\0')) text.remove_suffix(1);
    std::vector<std::string> words;
    if (!text.empty()) words = split(text, '\0');
    const std::size_t before = redactor_.count();
    words = redactor_.arguments(words, piece->source.native());
    piece->redacted = redactor_.count() - before;
    piece->content.text.clear();
    record["command_line"] = Json::array();
    for (const std::string& word : words) {
      piece->content.text += word + '\0';
      record["command_line"].push_back(lossless_utf8(word));
    }
    pieces.push_back(std::move(*piece));
  }

  void environment(Pid pid, std::vector<Piece>& pieces) {
    auto piece = read(pid, "environ");
    if (!piece) return;
    const std::size_t before = redactor_.count();
    piece->content.text =
        redactor_.environment(piece->content.text, piece->source.native());
    piece->redacted = redactor_.count() - before;
    pieces.push_back(std::move(*piece));
  }

  /// The list of open descriptors, and the sockets among them.
  void descriptors(Pid pid, const std::vector<OpenFile>& files, Json& record) {
    std::string lines;
    for (const OpenFile& file : files)
      lines += dump_line(file.to_json()) + "\n";
    sink_.bytes({.name = name_of(pid, "descriptors.jsonl"),
                 .content = as_bytes(lines),
                 .source = procfs_.path(pid, "fd").native()});
    record["descriptors"] = files.size();

    Json sockets = Json::array();
    record["listening"] = Json::array();
    const NetworkNamespace* const network = network_of(pid);
    for (const OpenFile& file : files) {
      const auto inode = file.socket_inode();
      if (!inode) continue;
      Json socket{{"fd", file.fd}};
      const bool is_known = network && network->by_inode.contains(*inode);
      if (is_known) {
        const SocketEntry& entry = network->by_inode.at(*inode);
        socket.update(to_json(entry));
        if (entry.state == "LISTEN") record["listening"].push_back(entry.local);
      } else {
        // Netlink, packet and other families, and sockets that are bound to
        // nothing, stand in none of the tables.
        socket["inode"] = *inode;
        socket["protocol"] = "unknown";
      }
      sockets.push_back(std::move(socket));
    }
    const std::string text = dump_pretty(sockets);
    sink_.bytes({.name = name_of(pid, "sockets.json"),
                 .content = as_bytes(text),
                 .source = procfs_.path(pid, "net").native()});
  }

  const NetworkNamespace* network_of(Pid pid) {
    const auto link = read_link(procfs_.path(pid, "ns/net"));
    if (!link) return nullptr;
    const auto [at, is_new] = networks_.try_emplace(*link);
    if (is_new) {
      at->second.member = pid;
      for (SocketEntry& socket : procfs_.sockets(pid)) {
        const std::uint64_t inode = socket.inode;
        at->second.by_inode.emplace(inode, std::move(socket));
      }
    }
    return &at->second;
  }

  void socket_tables(const std::string& id, Pid member) {
    // "net:[4026531840]" → "net-4026531840"
    std::string folder = id;
    std::erase(folder, ']');
    std::ranges::replace(folder, '[', '-');
    std::erase(folder, ':');
    for (const std::string_view table :
         {"tcp", "tcp6", "udp", "udp6", "unix"}) {
      const std::string file = "net/" + std::string(table);
      auto piece = read(member, file);
      if (!piece) continue;
      piece->name = fmt::format("{}{}/{}", kPrefix, folder, table);
      store(*piece);
    }
  }

  /// The program itself, which may have been removed or replaced on disk.
  void program(const ProcessStat& stat) {
    const fs::path link = procfs_.path(stat.pid, "exe");
    const auto target = read_link(link);
    if (!target) {
      // Threads of the kernel have none.
      gap(stat.pid, outcome_of(target.failure()), target.failure().message(),
          "exe");
      return;
    }
    take({.name = name_of(stat.pid, "exe"), .path = link}, *target, stat);
  }

  void take(FileRequest request, const std::string& target,
            const ProcessStat& stat) {
    if (!procfs_.is_same(stat.pid, stat.start_ticks)) {
      gap(stat.pid, Outcome::missing,
          "the process ended before its files were taken");
      return;
    }
    request.found_as = request.path.native() + " -> " + target;
    request.follow_link = true;
    sink_.file(request);
  }

  void deleted_files(const ProcessStat& stat,
                     const std::vector<OpenFile>& files,
                     const std::vector<Piece>& pieces, Json& record) {
    record["deleted_files"] = Json::array();
    for (const OpenFile& file : files) {
      if (!file.is_deleted_file()) continue;
      if (!recovered_.insert(file.identity()).second) continue;
      const std::string name =
          name_of(stat.pid, fmt::format("deleted/fd-{}", file.fd));
      record["deleted_files"].push_back(
          {{"item", name}, {"was", lossless_utf8(file.target)}});
      take({.name = name,
            .path = procfs_.path(stat.pid, "fd") / std::to_string(file.fd),
            .notes = served_notes(file.identity())},
           file.target, stat);
    }
    for (const Piece& piece : pieces) {
      if (piece.name == name_of(stat.pid, "maps")) {
        deleted_mappings(stat, piece.content.text, record);
      }
    }
  }

  void deleted_mappings(const ProcessStat& stat, std::string_view maps,
                        Json& record) {
    for (const DeletedMapping& mapping : find_deleted_mappings(maps)) {
      const fs::path link = procfs_.path(stat.pid, "map_files") / mapping.range;
      const auto file = stat_path(link, Links::follow);
      if (!file) {
        sink_.gap(
            link.native(), outcome_of(file.failure()),
            fmt::format("{} is mapped and has no name any more: {}",
                        printable(mapping.path), file.failure().message()));
        continue;
      }
      if (file->kind != FileKind::regular || file->links != 0) continue;
      if (!recovered_.insert({file->device, file->inode}).second) continue;
      const std::string name =
          name_of(stat.pid, "deleted/map-" + mapping.range);
      record["deleted_files"].push_back(
          {{"item", name}, {"was", lossless_utf8(mapping.path)}});
      take({.name = name,
            .path = link,
            .notes = served_notes({file->device, file->inode})},
           mapping.path, stat);
    }
  }

  /// What is said of a file that is held as a model file; else nothing.
  [[nodiscard]] Json served_notes(FileIdentity identity) const {
    for (const ServedFile& file : served_.files) {
      if (file.identity == identity) return {{"served", file.to_notes()}};
    }
    return Json::object();
  }

  /// Model files that are held and that nothing else takes: not below the model
  /// path, and not taken already because they have no name.
  void served_files() {
    for (const ServedFile& file : served_.files) {
      if (file.lies_in_model) continue;
      if (!recovered_.insert(file.identity).second) continue;
      if (sink_.must_stop()) {
        sink_.gap(file.path, Outcome::partial,
                  "stopped: a model file that is served was not taken");
        return;
      }
      if (file.door.empty()) {
        sink_.gap(file.path, Outcome::denied,
                  fmt::format("process {} maps it; its path leads to another "
                              "file or nowhere, and map_files may not be "
                              "looked at",
                              file.pids.front()));
        continue;
      }
      const std::string door = file.door.filename().native();
      const std::string_view kind = file.is_found_by_path ? "path-"
                                    : file.is_open        ? "fd-"
                                                          : "map-";
      FileRequest request{
          .name = name_of(file.pids.front(),
                          fmt::format("served/{}{}", kind, door)),
          .path = file.door,
          .follow_link = true,
          .notes = {{"served", file.to_notes()}}};
      request.found_as = file.door.native() + " -> " + file.path;
      sink_.file(request);
    }
  }

  void finish(const LocatedProcesses& located, Json processes) {
    const Json tree{{"located_by", located.how},
                    {"collected_at", format_time(target_.clock.now())},
                    {"boot_id", target_.clock.state().boot_id},
                    {"roots", located.roots},
                    {"processes", std::move(processes)}};
    const std::string text = dump_pretty(tree);
    sink_.bytes({.name = std::string(kPrefix) + "tree.json",
                 .content = as_bytes(text),
                 .source = "/proc"});
    const std::string served = dump_pretty(served_.to_json());
    sink_.bytes({.name = std::string(kPrefix) + "served.json",
                 .content = as_bytes(served),
                 .source = "/proc"});
    const std::string redaction = dump_pretty(redactor_.record(kNotSearched));
    BytesRequest record{.name = std::string(kPrefix) + "redaction.json",
                        .content = as_bytes(redaction),
                        .source = ""};
    record.notes["redaction"] = redactor_.summary(kNotSearched);
    sink_.bytes(record);
  }

  const Target& target_;
  EvidenceSink& sink_;
  ProcFs procfs_;
  Redactor redactor_;
  std::map<std::string, NetworkNamespace> networks_;
  ServedModel served_;
  std::set<FileIdentity> recovered_;
};

/// The process that was asked for, or the deployment's if none was.
ProcessLocator locator_of(const Target& target) {
  const auto pid = target.arguments.integer("pid");
  if (!pid) return target.deployment.process;
  ProcessLocator locator;
  locator.pid = narrow<Pid>(*pid);
  return locator;
}

void collect(const Target& target, EvidenceSink& sink) {
  const ProcessLocator locator = locator_of(target);
  const LocatedProcesses located = locate_processes(locator, ProcFs());
  if (located.roots.empty()) {
    const std::string words = in_words(locator);
    sink.gap(words.empty() ? "process" : "process (" + words + ")",
             located.is_denied ? Outcome::denied : Outcome::missing,
             located.problem);
    return;
  }
  ProcessCollector(target, sink).run(located, locator);
}

/// Sizes of programs, deleted files and served files that the descriptor does
/// not name, each inode once.
std::uint64_t file_bytes(const std::vector<ProcessStat>& tree,
                         const ServedModel& served, const ProcFs& procfs) {
  std::map<FileIdentity, std::uint64_t> sizes;
  for (const ServedFile& file : served.files) {
    if (!file.lies_in_model) {
      const auto stat = stat_path(file.door, Links::follow);
      sizes[file.identity] =
          stat ? bytes_to_take(file.door, Links::follow, *stat) : file.size;
    }
  }
  for (const ProcessStat& one : tree) {
    if (const auto exe =
            stat_path(procfs.path(one.pid, "exe"), Links::follow)) {
      sizes[{exe->device, exe->inode}] = exe->size;
    }
    const auto files = read_open_files(one.pid, procfs);
    if (!files) continue;
    for (const OpenFile& file : *files) {
      if (file.is_deleted_file()) {
        sizes[file.identity()] =
            bytes_to_take(procfs.path(one.pid, fmt::format("fd/{}", file.fd)),
                          Links::follow, *file.stat);
      }
    }
  }
  std::uint64_t bytes = 0;
  for (const auto& [identity, size] : sizes) bytes += size;
  return bytes;
}

std::string describe(const Target& target) {
  const ProcFs procfs;
  const ProcessLocator locator = locator_of(target);
  const LocatedProcesses located = locate_processes(locator, procfs);
  if (located.roots.empty()) return "Reads nothing: " + located.problem + ".";
  const auto tree = procfs.tree(located.roots);
  const ServedModel served =
      look_at_served_model(target.deployment, locator, procfs, holds_weights);
  return fmt::format(
      "Reads the state of {} processes ({}: process {}), secrets replaced, and "
      "{} of programs, deleted files and served files that the descriptor does "
      "not name.",
      tree.size(), in_words(locator), located.roots.front(),
      human_bytes(file_bytes(tree, served, procfs)));
}

/// Text about one process: tables, maps, descriptors.
constexpr std::uint64_t kTextPerProcess = 256 * limits::kKiB;

std::uint64_t estimate(const Target& target) {
  const ProcFs procfs;
  const ProcessLocator locator = locator_of(target);
  const auto located = locate_processes(locator, procfs);
  const auto tree = procfs.tree(located.roots);
  const ServedModel served =
      look_at_served_model(target.deployment, locator, procfs, holds_weights);
  return file_bytes(tree, served, procfs) + tree.size() * kTextPerProcess;
}

/// PID_MAX_LIMIT of 64-bit Linux (linux/threads.h).
constexpr std::int64_t kMaxPid = 4 * 1024 * 1024;

const std::array kParameters{Parameter{
    .name = "pid",
    .type = ParameterType::integer,
    .help = "A process to take, with those below it, instead of the one that "
            "the deployment names.",
    .least = 1,
    .most = kMaxPid,
    .touches = Touches::process}};

constexpr std::array kTakes{DeploymentPart::process};

}  // namespace

extern const Collector kProcess;
constinit const Collector kProcess{
    .name = "process",
    .summary =
        "The serving processes: command lines, environment with secrets "
        "replaced, files, sockets, programs, deleted files.",
    .reach = Reach::process,
    .volatility = 1,
    .parameters = kParameters,
    .collect = collect,
    .describe = describe,
    .estimate = estimate,
    .takes = kTakes,
};

}  // namespace impound
