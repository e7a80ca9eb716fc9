// SPDX-License-Identifier: Apache-2.0
#include "core/engine/discovery.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/served_files.hpp"
#include "core/formats/bounded_json.hpp"
#include "core/formats/weights_file.hpp"

namespace impound {
namespace {

/// By their documentation; the path is what each of them calls its health
/// check, or its list of models where it has none. TensorFlow Serving answers
/// on paths that hold the name of a model only.
constexpr std::array kKnown{
    KnownServer{"vLLM", "vllm", "/health"},
    KnownServer{"llama.cpp", "llama-server", "/health"},
    KnownServer{"Ollama", "ollama", "/api/tags"},
    KnownServer{"Triton", "tritonserver", "/v2/health/ready"},
    KnownServer{"text-generation-inference", "text-generation-server",
                "/health"},
    KnownServer{"text-generation-inference", "text-generation-launcher",
                "/health"},
    KnownServer{"SGLang", "sglang", "/health"},
    KnownServer{"LMDeploy", "lmdeploy", "/v1/models"},
    KnownServer{"TorchServe", "torchserve", "/ping"},
    KnownServer{"TensorFlow Serving", "tensorflow_model_server", ""},
    KnownServer{"LocalAI", "local-ai", "/readyz"},
    KnownServer{"KServe", "kserve", "/v2/health/ready"},
    KnownServer{"Aphrodite", "aphrodite", "/health"},
    KnownServer{"MLX", "mlx_lm", "/v1/models"},
};

/// A first line that is longer tells nothing that a shorter one would not.
constexpr std::size_t kMaxFirstLine = 256 * limits::kKiB;

/// Keys under which logs of servers and gateways keep their time.
constexpr std::array<std::string_view, 8> kTimeKeys{
    "ts",         "time",    "timestamp", "@timestamp",
    "created_at", "created", "date",      "datetime"};

std::vector<std::string> command_of(Pid pid, const ProcFs& procfs) {
  auto text = read_proc_text(procfs.path(pid, "cmdline"));
  if (!text || text->empty()) return {};
  if (text->back() == '\0') text->pop_back();
  return split(*text, '\0');
}

/// "/system.slice/vllm.service" → "vllm.service".
std::string unit_of(Pid pid, const ProcFs& procfs) {
  for (const CgroupMembership& group : procfs.cgroups(pid)) {
    for (const std::string& part : split(group.path, '/')) {
      if (part.ends_with(".service") && !part.starts_with("user@")) return part;
    }
  }
  return {};
}

bool is_open_for_writing(Pid pid, int descriptor, const ProcFs& procfs) {
  const auto text =
      read_proc_text(procfs.path(pid, fmt::format("fdinfo/{}", descriptor)));
  if (!text) return false;
  for (const std::string& line : split(*text, '\n')) {
    constexpr std::string_view kKey = "flags:";
    if (!line.starts_with(kKey)) continue;
    const std::string_view digits =
        trim(std::string_view(line).substr(kKey.size()));
    unsigned flags = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), flags, 8);
    if (failure != std::errc{}) return false;
    return (flags & O_ACCMODE) != O_RDONLY;
  }
  return false;
}

bool has_name_of_log(std::string_view path) {
  const std::string lower = to_lower_ascii(path);
  return std::ranges::any_of(std::array<std::string_view, 4>{".log", ".jsonl",
                                                             ".ndjson", ".out"},
                             [&](std::string_view ending) {
                               return lower.ends_with(ending);
                             }) ||
         lower.find("/log/") != std::string::npos ||
         lower.find("/logs/") != std::string::npos;
}

/// A line of a log, whose every byte a stranger may have chosen; null where it
/// is no JSON.
Json record_of(std::string_view line) {
  try {
    return parse_bounded_json(line, "the first line of a log");
  } catch (const Error&) {
    return nullptr;
  }
}

/// What the first line of a log tells of its records.
void look_into(OpenLog& log) {
  const auto there = stat_path(log.path, Links::refuse);
  if (!there || there->kind != FileKind::regular || there->size == 0) return;
  const auto file = open_read(log.path, Links::refuse);
  if (!file) return;
  Bytes bytes(std::min<std::uint64_t>(there->size, kMaxFirstLine));
  const auto got = read_at(*file, 0, bytes);
  if (!got) return;
  const std::string_view text = as_text(std::span(bytes).first(*got));
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return;
  const Json record = record_of(text.substr(0, end));
  log.first_line =
      record.is_object() ? FirstLine::json_object : FirstLine::other;
  if (!record.is_object()) return;
  for (const std::string_view key : kTimeKeys) {
    const auto found = record.find(key);
    if (found == record.end()) continue;
    const bool is_time =
        found->is_number() ||
        (found->is_string() && parse_time(found->get<std::string>()));
    if (is_time) {
      log.timestamp_key = key;
      return;
    }
  }
}

std::vector<OpenLog> logs_of(const std::vector<ProcessStat>& processes,
                             const ProcFs& procfs) {
  std::vector<OpenLog> logs;
  for (const ProcessStat& process : processes) {
    const auto descriptors = procfs.descriptors(process.pid);
    if (!descriptors) continue;
    for (const int descriptor : *descriptors) {
      const auto link =
          read_link(procfs.path(process.pid, fmt::format("fd/{}", descriptor)));
      if (!link || !link->starts_with('/') || !has_name_of_log(*link) ||
          is_weights_name(*link) ||
          !is_open_for_writing(process.pid, descriptor, procfs)) {
        continue;
      }
      const auto there = stat_path(*link, Links::refuse);
      if (!there || there->kind != FileKind::regular) continue;
      const bool is_known = std::ranges::find(logs, fs::path(*link),
                                              &OpenLog::path) != logs.end();
      if (is_known) continue;
      OpenLog log;
      log.path = *link;
      log.pid = process.pid;
      log.descriptor = descriptor;
      look_into(log);
      logs.push_back(std::move(log));
    }
  }
  std::ranges::sort(logs, {}, &OpenLog::path);
  return logs;
}

/// Sockets that listen, by the process that holds them. A socket that several
/// processes hold belongs to the topmost.
std::map<Pid, std::vector<Listener>> listeners_by_process(
    const std::vector<ProcessStat>& processes, const ProcFs& procfs) {
  std::map<std::uint64_t, Listener> by_inode;
  // Each network namespace has a table of its own; the first process of each
  // tells it.
  std::set<std::string> seen;
  for (const ProcessStat& process : processes) {
    const auto space = read_link(procfs.path(process.pid, "ns/net"));
    if (!space || !seen.insert(*space).second) continue;
    for (const SocketEntry& socket : procfs.sockets(process.pid)) {
      if (!socket.protocol.starts_with("tcp") || socket.state != "LISTEN") {
        continue;
      }
      by_inode[socket.inode] = {socket.local, socket.local_port};
    }
  }
  std::map<Pid, Pid> parents;
  for (const ProcessStat& one : processes) parents[one.pid] = one.parent;
  std::map<std::uint64_t, std::set<Pid>> holders;
  for (const ProcessStat& process : processes) {
    for (const std::uint64_t inode : procfs.socket_inodes(process.pid)) {
      if (by_inode.count(inode) != 0) holders[inode].insert(process.pid);
    }
  }
  std::map<Pid, std::vector<Listener>> listeners;
  for (const auto& [inode, pids] : holders) {
    for (const Pid pid : pids) {
      const bool has_it_from_above = [&] {
        for (auto up = parents.find(pid); up != parents.end() && up->second > 0;
             up = parents.find(up->second)) {
          if (pids.count(up->second) != 0) return true;
        }
        return false;
      }();
      if (!has_it_from_above) listeners[pid].push_back(by_inode[inode]);
    }
  }
  return listeners;
}

ServedModel served_by(Pid pid, const ProcFs& procfs) {
  const Deployment nameless;
  ProcessLocator locator;
  locator.pid = pid;
  return look_at_served_model(nameless, locator, procfs, holds_weights);
}

/// "…/models--org--name/blobs/<digest>" belongs to the cache of that model.
fs::path cache_of(const fs::path& file) {
  const fs::path blobs = file.parent_path();
  const fs::path cache = blobs.parent_path();
  const bool is_cache = blobs.filename() == "blobs" &&
                        cache.filename().native().starts_with("models--");
  return is_cache ? cache : fs::path();
}

/// A TOML basic string.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

/// A path that TOML can hold; empty where it is no UTF-8.
std::string toml_path(const fs::path& path) {
  return is_utf8(path.native()) ? toml_text(path.native()) : std::string();
}

/// Words of others in a comment stay in it.
std::string comment(const std::string& words) {
  std::string line = "# " + words;
  std::ranges::replace(line, '\n', ' ');
  return line + "\n";
}

std::string host_for_probe(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "[::]" || host == "::") return "[::1]";
  return host;
}

/// Names appear in records and file names: letters, digits and a few signs.
std::string name_from(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                          c == '-';
    name += is_plain ? c : '-';
  }
  const std::size_t first = name.find_first_not_of("-._");
  name = first == std::string::npos ? "" : name.substr(first);
  if (name.starts_with("models--")) name = name.substr(8);
  return name.substr(0, 64);
}

std::string name_of(const FoundServer& server) {
  std::string name = name_from(server.model_path().filename().native());
  if (name.empty()) name = name_from(server.name);
  return name.empty() ? "deployment" : name;
}

std::string model_section(const FoundServer& server) {
  std::string measured;
  const auto weights = server.weights();
  for (const ServedFile* file : weights) {
    measured += comment(fmt::format(
        "process {} holds {} ({}{})", file->pids.front(), printable(file->path),
        file->mapped_bytes != 0 ? fmt::format("{} mapped, /proc/PID/smaps",
                                              human_bytes(file->mapped_bytes))
                                : "open, /proc/PID/fd",
        file->relation == FileRelation::deleted ? ", deleted or exchanged since"
                                                : ""));
  }
  const fs::path path = server.model_path();
  const std::string value = toml_path(path);
  if (path.empty() || value.empty()) {
    // A section without its path is no descriptor: it stays a comment.
    return "\n" + measured +
           comment(!weights.empty() ? "they share no folder; name the model's"
                   : server.not_measured().empty()
                       ? "no weights are open or mapped: they may lie in "
                         "memory or on an accelerator; name the folder"
                       : "whether weights are open or mapped was not measured: "
                         "try as root, or name the folder") +
           "# [model]\n# path = \"/srv/models/…\"\n";
  }
  return "\n[model]\n" + measured + comment("the folder that they share") +
         "path = " + value + "\n" +
         comment(
             "not measured: a known-good description to compare with "
             "(impound baseline create)") +
         "# baseline = \"good.json\"\n";
}

std::string in_words(FirstLine line) {
  switch (line) {
    case FirstLine::not_read:
      return "its first line was not read: it is taken whole, unless somebody "
             "knows better";
    case FirstLine::json_object:
      return "its first line is a JSON object";
    case FirstLine::other:
      return "its first line is no JSON object: it is taken whole";
  }
  return {};
}

std::string log_sections(const FoundServer& server) {
  std::string text;
  for (const OpenLog& log : server.logs) {
    const std::string value = toml_path(log.path);
    if (value.empty()) continue;
    text += "\n[[logs]]\n";
    text +=
        comment(fmt::format("process {} writes to it (descriptor {}, "
                            "/proc/PID/fdinfo)",
                            log.pid, log.descriptor));
    text += "path = " + value + "\n";
    text += comment(in_words(log.first_line));
    text += fmt::format(
        "format = \"{}\"\n",
        log.first_line == FirstLine::json_object ? "jsonl" : "text");
    if (!log.timestamp_key.empty()) {
      text += comment("of that line, a key that holds a time");
      text += "timestamp = " + toml_text(log.timestamp_key) + "\n";
    }
  }
  if (text.empty()) {
    text = "\n" +
           comment(
               std::string(server.not_measured().empty()
                               ? "no file with the name of a log is open for "
                                 "writing"
                               : "whether a log is open for writing was not "
                                 "measured") +
               ": name those of the server and of the gateway in front of it") +
           "# [[logs]]\n# path = \"/var/log/gateway/*.jsonl\"\n"
           "# timestamp = \"ts\"\n";
  }
  return text;
}

std::string process_section(const FoundServer& server) {
  std::string text = "\n[process]\n";
  if (!server.listeners.empty()) {
    for (const Listener& one : server.listeners) {
      text += comment(fmt::format("process {} listens on {} (/proc/net/tcp)",
                                  server.pid, printable(one.address)));
    }
    text += fmt::format("port = {}\n", server.listeners.front().port);
    if (!server.unit.empty()) {
      text +=
          comment(fmt::format("or, by its control group (/proc/PID/cgroup), "
                              "unit = {}",
                              toml_text(printable(server.unit))));
    }
    return text;
  }
  const std::string port = server.not_measured().empty()
                               ? "it listens on no TCP port"
                               : "whether it listens was not measured";
  if (!server.unit.empty()) {
    text += comment(port +
                    "; its control group is that of a unit "
                    "(/proc/PID/cgroup)");
    return text + "unit = " + toml_text(printable(server.unit)) + "\n";
  }
  text += comment(port +
                  ", and its control group is that of no unit; a pid means "
                  "something until the process ends");
  return text + fmt::format("pid = {}\n", server.pid);
}

std::string probe_section(const FoundServer& server) {
  std::string text;
  if (server.listeners.empty()) {
    return "\n" +
           comment(server.not_measured().empty()
                       ? "it listens on no TCP port: no probe"
                       : "whether it listens was not measured: no probe");
  }
  const Listener& one = server.listeners.front();
  const std::string_view health =
      server.known == nullptr ? std::string_view() : server.known->health;
  text += "\n[[probe]]\n";
  text += comment(
      health.empty()
          ? "not tried, and a guess: what answers while the model is served"
          : fmt::format("not tried: where {} answers while it serves, by its "
                        "documentation",
                        server.known->name));
  text += "name = \"serving\"\n";
  text += fmt::format(
      "url = {}\n",
      toml_text(fmt::format("http://{}:{}{}", host_for_probe(one.address),
                            one.port, health.empty() ? "/" : health)));
  text += comment("after containment it must not answer");
  return text + "after = \"forbidden\"\n";
}

}  // namespace

const KnownServer* find_known_server(
    const std::vector<std::string>& command) noexcept {
  // The program, a script or a module behind it: what is served may have any
  // name, and says nothing.
  for (std::size_t i = 0; i < std::min<std::size_t>(command.size(), 4); ++i) {
    const std::string_view word = command[i];
    const std::size_t slash = word.rfind('/');
    const std::string_view base =
        slash == std::string_view::npos ? word : word.substr(slash + 1);
    for (const KnownServer& one : kKnown) {
      const bool is_module =
          i > 0 && command[i - 1] == "-m" && base.starts_with(one.word);
      if (base == one.word || is_module) return &one;
    }
  }
  return nullptr;
}

std::string FoundServer::not_measured() const {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(hidden.size(), kShown); ++i) {
    text += (i == 0 ? "" : "; ") + hidden[i];
  }
  if (hidden.size() > kShown) {
    text += fmt::format("; and {} more", hidden.size() - kShown);
  }
  return text;
}

std::vector<const ServedFile*> FoundServer::weights() const {
  std::vector<const ServedFile*> found;
  for (const ServedFile& file : model.files) {
    if (file.is_weights) found.push_back(&file);
  }
  return found;
}

fs::path FoundServer::model_path() const {
  fs::path shared;
  for (const ServedFile* file : weights()) {
    const fs::path path(file->path);
    fs::path place = cache_of(path);
    if (place.empty()) place = path.parent_path();
    if (shared.empty()) shared = place;
    if (shared != place) return {};
  }
  return shared == "/" ? fs::path() : shared;
}

std::string FoundServer::in_words() const {
  std::string text = fmt::format("process {} ({})", pid, printable(name));
  for (const Listener& one : listeners) text += ", " + printable(one.address);
  if (known != nullptr) text += fmt::format(", {}", known->name);
  const std::size_t held = weights().size();
  if (held == 0 && !not_measured().empty()) {
    return text + ", weights not measured";
  }
  return text + (held == 0 ? ", no weights open or mapped"
                           : fmt::format(", {} weights file{}", held,
                                         held == 1 ? "" : "s"));
}

Discovery find_servers(const ProcFs& procfs) {
  Discovery discovery;
  std::vector<ProcessStat> processes;
  for (const Pid pid : procfs.pids()) {
    const auto stat = procfs.stat(pid);
    if (!stat || stat->is_dead() || pid == ::getpid()) continue;
    processes.push_back(*stat);
    ++discovery.processes;
    if (!procfs.descriptors(pid)) ++discovery.hidden;
  }
  const auto listeners = listeners_by_process(processes, procfs);
  std::set<Pid> covered;
  for (const ProcessStat& process : processes) {
    if (covered.count(process.pid) != 0) continue;
    const auto listening = listeners.find(process.pid);
    std::vector<std::string> command = command_of(process.pid, procfs);
    const KnownServer* const known = find_known_server(command);
    if (listening == listeners.end() && known == nullptr) continue;
    FoundServer server;
    server.pid = process.pid;
    server.name = process.name;
    server.command = std::move(command);
    server.known = known;
    server.model = served_by(process.pid, procfs);
    if (known == nullptr && server.weights().empty()) continue;
    if (listening != listeners.end()) server.listeners = listening->second;
    const std::array<Pid, 1> roots{process.pid};
    const std::vector<ProcessStat> tree = procfs.tree(roots);
    for (const ProcessStat& below : tree) {
      covered.insert(below.pid);
      if (const auto open = procfs.descriptors(below.pid); !open) {
        server.hidden.push_back(
            fmt::format("files and sockets of process {}: {}", below.pid,
                        open.failure().message()));
      }
      const auto more = listeners.find(below.pid);
      if (below.pid == process.pid || more == listeners.end()) continue;
      server.listeners.insert(server.listeners.end(), more->second.begin(),
                              more->second.end());
    }
    server.unit = unit_of(process.pid, procfs);
    server.logs = logs_of(tree, procfs);
    discovery.servers.push_back(std::move(server));
  }
  return discovery;
}

std::string descriptor_of(const FoundServer& server, std::string_view name) {
  std::string text = comment(
      "A deployment, as it was found on this machine. "
      "Read it, correct it, then:");
  text += comment("impound deployment check FILE");
  text += comment(
      "Nothing was changed to find it out, and nothing was asked of "
      "the server.");
  text += "schema = 1\n";
  text += comment(fmt::format("found: {}", server.in_words()));
  if (const std::string lack = server.not_measured(); !lack.empty()) {
    text += comment("could not be looked at: " + lack);
  }
  text += fmt::format(
      "name = {}\n",
      toml_text(name.empty() ? name_of(server) : std::string(name)));
  text += model_section(server);
  text += log_sections(server);
  text += process_section(server);
  text += "\n[containment]\n";
  text += comment("not measured: stops the processes without ending them");
  text += "method = \"process\"\n";
  return text + probe_section(server);
}

}  // namespace impound
