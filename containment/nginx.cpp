// SPDX-License-Identifier: Apache-2.0
/// nginx: has server blocks answer 503, by one line of our own in each, a test
/// of the settings and a reload; old workers that still serve are found and
/// ended. The open version of nginx has no API for this.

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "containment/names.hpp"
#include "containment/program.hpp"
#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/process_control.hpp"
#include "core/base/procfs.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/exchange.hpp"

namespace impound {
namespace {

constexpr std::string_view kSource = "the recorded state of containment";

/// What a line of ours says; its end names the deployment.
constexpr std::string_view kLine = "return 503; # impound ";

/// How long new workers may take to stand, and old ones to go.
constexpr int kWorkerTries = 50;
constexpr int kWorkerPauseMs = 100;

/// A file's time and a process's start come from clocks of different grain.
constexpr TimeNs kGrainNs = 1'000'000'000;

std::string sha256_hex(const std::string& text) {
  return sha256(std::string_view(text)).hex();
}

// ---- the settings, as far as blocks go

/// A server block of HTTP: where its inside begins, and its names.
struct Block {
  std::size_t inside = 0;  ///< behind the brace
  std::vector<std::string> names;
};

/// Reads words, quoted text, comments and braces; nothing else matters here.
class Settings {
 public:
  explicit Settings(std::string_view text) : text_(text) {}

  /// @throws Error{malformed} for braces that do not match.
  std::vector<Block> server_blocks() {
    std::vector<Block> found;
    std::vector<std::string> above;    // what each open brace belongs to
    std::vector<std::size_t> servers;  // index into found, by depth
    std::vector<std::string> words;
    while (next()) {
      if (token_ == "{") {
        const std::string what = words.empty() ? "" : words.front();
        const bool is_http = above.empty() || above.back() == "http";
        servers.push_back(kNone);
        if (what == "server" && is_http) {
          servers.back() = found.size();
          found.push_back({.inside = at_, .names = {}});
        }
        above.push_back(what);
        words.clear();
      } else if (token_ == "}") {
        if (above.empty()) fail("a closing brace without an opening one");
        above.pop_back();
        servers.pop_back();
        words.clear();
      } else if (token_ == ";") {
        if (!words.empty() && words.front() == "server_name" &&
            !servers.empty() && servers.back() != kNone) {
          Block& block = found[servers.back()];
          block.names.insert(block.names.end(), words.begin() + 1, words.end());
        }
        words.clear();
      } else {
        words.push_back(token_);
      }
    }
    if (!above.empty()) fail("a brace that is not closed");
    return found;
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  [[noreturn]] static void fail(const char* what) {
    throw Error(Errc::malformed, std::string("nginx settings: ") + what);
  }

  void skip_blank() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (std::string_view(" \t\r\n").find(text_[at_]) ==
                 std::string_view::npos) {
        return;
      } else {
        ++at_;
      }
    }
  }

  void quoted() {
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token_ += text_[at_++];
    }
    if (at_ == text_.size()) fail("a quotation that is not closed");
    ++at_;
  }

  /// One word, or one of { } ;
  bool next() {
    skip_blank();
    token_.clear();
    if (at_ == text_.size()) return false;
    if (text_[at_] == '"' || text_[at_] == '\'') {
      quoted();
      return true;
    }
    if (std::string_view("{};").find(text_[at_]) != std::string_view::npos) {
      token_ = text_[at_++];
      return true;
    }
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '$' && at_ + 1 < text_.size() && text_[at_ + 1] == '{') {
        while (at_ < text_.size() && text_[at_] != '}') token_ += text_[at_++];
        if (at_ == text_.size()) fail("a variable that is not closed");
        token_ += text_[at_++];
        continue;
      }
      if (std::string_view(" \t\r\n{};").find(c) != std::string_view::npos) {
        break;
      }
      if (c == '\\' && at_ + 1 < text_.size()) token_ += text_[at_++];
      token_ += text_[at_++];
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string token_;
};

// ---- what is to be done

struct Worker {
  Pid pid = 0;
  std::uint64_t start_ticks = 0;
};

struct Plan {
  fs::path config;  ///< what links lead to
  fs::path pid_file;
  fs::path main;  ///< of nginx -c; empty: its own default
  fs::path prefix;
  std::string program;
  std::vector<std::string> names;  ///< empty: every server block of the file
  std::string marker;              ///< the line, without its end
  std::size_t blocks = 0;
  std::string sha256_before;
  std::vector<Worker> workers;  ///< before
  bool ends_old_workers = true;
};

std::string marker_of(const Target& target) {
  return fmt::format("{}{} {}", kLine, plain_name(target.case_id, "-_", '_'),
                     name_hash({target.deployment.name,
                                target.deployment.descriptor.native()}));
}

/// The part that is the deployment's, whoever contains it.
std::string mark_of(const std::string& marker) {
  return marker.substr(marker.rfind(' '));
}

struct Master {
  Pid pid = 0;
  std::uint64_t start_ticks = 0;
};

std::optional<Master> find_master(const fs::path& pid_file,
                                  const ProcFs& procfs) {
  const auto text = read_proc_text(pid_file);
  if (!text) return std::nullopt;
  const Pid pid = std::atoi(std::string(trim(*text)).c_str());
  if (pid <= 1) return std::nullopt;
  const auto stat = procfs.stat(pid);
  if (!stat || stat->is_dead() || stat->name != "nginx") return std::nullopt;
  return Master{.pid = pid, .start_ticks = stat->start_ticks};
}

std::vector<Worker> workers_of(const Master& master, const ProcFs& procfs) {
  std::vector<Worker> workers;
  const std::array<Pid, 1> root{master.pid};
  for (const ProcessStat& one : procfs.tree(root)) {
    if (one.pid == master.pid || one.is_dead() || one.parent != master.pid) {
      continue;
    }
    // Cache managers and loaders serve nobody.
    const auto title = read_proc_text(procfs.path(one.pid, "cmdline"));
    if (title && title->find("cache ") != std::string::npos) continue;
    workers.push_back({.pid = one.pid, .start_ticks = one.start_ticks});
  }
  return workers;
}

/// -c and -p of the running master, whose title holds its own command line.
void read_command_line(const Master& master, const ProcFs& procfs, Plan& plan) {
  const auto title = read_proc_text(procfs.path(master.pid, "cmdline"));
  if (!title) return;
  std::string plain = *title;
  std::ranges::replace(plain, '\0', ' ');
  const auto words = split(plain, ' ');
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-c" && plan.main.empty()) plan.main = words[i + 1];
    if (words[i] == "-p") plan.prefix = words[i + 1];
  }
  const auto exe = read_link(procfs.path(master.pid, "exe"));
  plan.program =
      exe && !exe->ends_with(" (deleted)") ? *exe : find_program("nginx");
}

Plan plan_from(const Target& target) {
  const Arguments& arguments = target.arguments;
  Plan plan;
  std::error_code failure;
  plan.config = fs::canonical(*arguments.path("config"), failure);
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot read {}: {}",
                            printable(arguments.path("config")->native()),
                            failure.message()));
  }
  plan.pid_file = *arguments.path("pid_file");
  plan.main = arguments.path("main").value_or(fs::path());
  plan.names = arguments.texts("server_names");
  plan.marker = marker_of(target);
  plan.ends_old_workers =
      arguments.text("old_workers").value_or("end") == "end";
  return plan;
}

fs::path path_in(const Json& record, std::string_view key) {
  return from_lossless_utf8(require_text(record, key, kSource));
}

Plan plan_from(const Json& record) {
  Plan plan;
  plan.config = path_in(record, "config");
  plan.pid_file = path_in(record, "pid_file");
  plan.main = path_in(record, "main");
  plan.prefix = path_in(record, "prefix");
  plan.program = path_in(record, "program");
  plan.marker = require_text(record, "marker", kSource);
  plan.blocks = require_u64(record, "blocks", kSource);
  plan.sha256_before = require_text(record, "sha256_before", kSource);
  plan.ends_old_workers = require_text(record, "old_workers", kSource) == "end";
  for (const Json& one : require_key(record, "server_names", kSource)) {
    plan.names.push_back(from_lossless_utf8(one.get<std::string>()));
  }
  for (const Json& one : require_key(record, "workers", kSource)) {
    plan.workers.push_back(
        {.pid = narrow<Pid>(require_u64(one, "pid", kSource)),
         .start_ticks = require_u64(one, "start_ticks", kSource)});
  }
  return plan;
}

bool is_record(const Json& record) { return record.contains("marker"); }

// ---- the file

/// Lines that end in the mark, taken out; how many there were.
std::string without_mark(const std::string& text, std::string_view mark,
                         std::size_t& taken) {
  std::string rest;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    const auto ours = line.find(kLine);
    const bool is_ours = ours != std::string_view::npos && line.ends_with(mark);
    const std::size_t next = end == text.size() ? end : end + 1;
    if (is_ours) {
      ++taken;
      // What stood before it on its line is theirs; the newline is ours.
      rest.append(text, at, ours);
    } else {
      rest.append(text, at, next - at);
    }
    at = next;
  }
  return rest;
}

/// @throws Error{io} naming the servers that there are.
std::vector<Block> chosen_blocks(const Plan& plan, const std::string& text) {
  std::vector<Block> chosen;
  std::string names;
  for (Block& one : Settings(text).server_blocks()) {
    const bool is_named =
        plan.names.empty() ||
        std::ranges::any_of(one.names, [&](const std::string& name) {
          return std::ranges::find(plan.names, name) != plan.names.end();
        });
    for (const std::string& name : one.names) {
      names += (names.empty() ? "" : ", ") + name;
    }
    if (is_named) chosen.push_back(std::move(one));
  }
  if (chosen.empty()) {
    throw Error(Errc::io,
                fmt::format("{} has no server block{}; there is: {}",
                            printable(plan.config.native()),
                            plan.names.empty()
                                ? std::string()
                                : " named " + printable(join(plan.names)),
                            names.empty() ? "none" : printable(names)));
  }
  return chosen;
}

std::string with_mark(const Plan& plan, const std::string& text) {
  std::string marked;
  std::size_t at = 0;
  for (const Block& one : chosen_blocks(plan, text)) {
    marked.append(text, at, one.inside - at);
    marked += plan.marker + "\n";
    at = one.inside;
  }
  return marked + text.substr(at);
}

fs::path scratch_of(const fs::path& config) {
  // Not *.conf: what includes a folder must not take it in.
  return config.parent_path() /
         ("." + config.filename().native() + ".impound-new");
}

/// In place of the file, whole or not at all, with its owner and mode.
void write_config(const fs::path& config, const std::string& text) {
  const auto facts = stat_path(config, Links::refuse);
  if (!facts) {
    throw Error(Errc::io,
                fmt::format("cannot look at {}: {}", printable(config.native()),
                            facts.failure().message()));
  }
  const fs::path scratch = scratch_of(config);
  remove_file(scratch);
  {
    const UniqueFd fd = create_file(scratch, facts->mode);
    if (::fchown(fd.get(), facts->uid, facts->gid) != 0 ||
        ::fchmod(fd.get(), facts->mode) != 0) {
      throw Error(
          Errc::io,
          fmt::format("cannot give {} the owner of {}: {}",
                      printable(scratch.native()), printable(config.native()),
                      std::generic_category().message(errno)));
    }
    write_all(fd, as_bytes(text), scratch);
    sync_fd(fd, scratch);
  }
  rename_durably(scratch, config);
}

std::string read_config(const fs::path& config) {
  return read_text_file(config, limits::kMaxSmallFile);
}

// ---- acts

ProgramRun test_run(const Plan& plan) {
  std::vector<std::string> argv{plan.program, "-t", "-q"};
  if (!plan.prefix.empty()) {
    argv.insert(argv.end(), {"-p", plan.prefix.native()});
  }
  if (!plan.main.empty()) argv.insert(argv.end(), {"-c", plan.main.native()});
  return {.argv = std::move(argv)};
}

/// A signal to the master or to a worker, in the record like any request.
void signal_to(const ProcFs& procfs, Pid pid, std::uint64_t start_ticks,
               int number, const char* name, const Target& target) {
  Exchange exchange;
  exchange.at = target.clock.now();
  exchange.peer = fmt::format("process {}", pid);
  exchange.request = name;
  const auto sent = send_signal(procfs, pid, start_ticks, number);
  exchange.end = sent ? ExchangeEnd::answered : ExchangeEnd::not_sent;
  if (!sent) exchange.problem = sent.failure().message();
  if (target.exchanges != nullptr) target.exchanges->add(exchange);
  if (!sent && !sent.failure().is_missing()) {
    throw Error(Errc::io, fmt::format("cannot send {} to process {}: {}", name,
                                      pid, sent.failure().message()));
  }
}

bool was_there(const std::vector<Worker>& workers, const Worker& one) {
  return std::ranges::any_of(workers, [&](const Worker& other) {
    return other.pid == one.pid && other.start_ticks == one.start_ticks;
  });
}

/// Workers that run settings of before the file was changed.
std::vector<Worker> old_workers(const std::vector<Worker>& recorded,
                                const std::vector<Worker>& now) {
  std::vector<Worker> old;
  for (const Worker& one : now) {
    if (was_there(recorded, one)) old.push_back(one);
  }
  return old;
}

/// Reloads, waits for new workers, and ends the old ones.
Json reload(const Plan& plan, const std::vector<Worker>& recorded,
            const Target& target) {
  const ProcFs procfs;
  const auto master = find_master(plan.pid_file, procfs);
  if (!master) return {{"reload", "nginx is not running"}};
  signal_to(procfs, master->pid, master->start_ticks, SIGHUP, "SIGHUP", target);
  Json ended = Json::array();
  for (int tries = 0; tries < kWorkerTries; ++tries) {
    const auto now = workers_of(*master, procfs);
    const auto old = old_workers(recorded, now);
    const bool has_new = now.size() > old.size();
    if (has_new && old.empty()) break;
    // They were told to finish what is open; a long answer may take for ever.
    if (has_new && plan.ends_old_workers && tries >= 2) {
      for (const Worker& one : old) {
        signal_to(procfs, one.pid, one.start_ticks, SIGTERM, "SIGTERM", target);
        if (std::ranges::find(ended, Json(one.pid)) == ended.end()) {
          ended.push_back(one.pid);
        }
      }
    }
    pause_ms(kWorkerPauseMs);
  }
  return {{"reload", fmt::format("process {}", master->pid)},
          {"old_workers_ended", std::move(ended)}};
}

Json workers_json(const std::vector<Worker>& workers) {
  Json list = Json::array();
  for (const Worker& one : workers) {
    list.push_back({{"pid", one.pid}, {"start_ticks", one.start_ticks}});
  }
  return list;
}

Json before(const Target& target) {
  Plan plan = plan_from(target);
  const ProcFs procfs;
  const auto master = find_master(plan.pid_file, procfs);
  if (!master) {
    throw Error(Errc::io,
                fmt::format("nginx is not running: {} names no process of it",
                            printable(plan.pid_file.native())));
  }
  read_command_line(*master, procfs, plan);
  const std::string text = read_config(plan.config);
  const auto blocks = chosen_blocks(plan, text);
  if (!may_write(plan.config) || !may_write(plan.config.parent_path())) {
    throw Error(Errc::io, fmt::format("cannot write {}: permission denied",
                                      printable(plan.config.native())));
  }
  const auto allowed = send_signal(procfs, master->pid, master->start_ticks, 0);
  if (!allowed) {
    throw Error(Errc::io,
                fmt::format("cannot signal nginx (process {}): {}", master->pid,
                            allowed.failure().message()));
  }
  // Settings that do not load could not be reloaded, nor be restored.
  static_cast<void>(run_program_ok(test_run(plan), target));
  Json names = Json::array();
  for (const std::string& one : plan.names) names.push_back(lossless_utf8(one));
  // No text of the file: it may hold secrets, and undoing needs none.
  return {
      {"marker", plan.marker},
      {"config", lossless_utf8(plan.config.native())},
      {"sha256_before", sha256_hex(text)},
      {"blocks", blocks.size()},
      {"server_names", std::move(names)},
      {"pid_file", lossless_utf8(plan.pid_file.native())},
      {"main", lossless_utf8(plan.main.native())},
      {"prefix", lossless_utf8(plan.prefix.native())},
      {"program", lossless_utf8(plan.program)},
      {"old_workers", plan.ends_old_workers ? "end" : "wait"},
      {"master", {{"pid", master->pid}, {"start_ticks", master->start_ticks}}},
      {"workers", workers_json(workers_of(*master, procfs))}};
}

std::vector<PlannedAct> acts(const Target&, const Json& record) {
  const Plan plan = plan_from(record);
  std::vector<PlannedAct> list;
  list.push_back(
      {.what = fmt::format("writes \"{}\" into {} server block{} of "
                           "{}",
                           plan.marker, plan.blocks,
                           plan.blocks == 1 ? "" : "s", plan.config.native())});
  list.push_back(test_run(plan).planned("has nginx test its settings"));
  const ProcFs procfs;
  if (const auto master = find_master(plan.pid_file, procfs)) {
    list.push_back({.what = "has nginx load them",
                    .peer = fmt::format("process {}", master->pid),
                    .request = "SIGHUP"});
  }
  if (plan.ends_old_workers) {
    list.push_back({.what = "ends old workers that still serve"});
  }
  return list;
}

Json apply(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  std::size_t taken = 0;
  const std::string text =
      without_mark(read_config(plan.config), mark_of(plan.marker), taken);
  write_config(plan.config, with_mark(plan, text));
  const ProgramEnd tested = run_program(test_run(plan), target);
  if (!tested.is_ok()) {
    write_config(plan.config, text);
    throw Error(Errc::io, "nginx does not take its settings with our line: " +
                              tested.in_words());
  }
  Json done = reload(plan, plan.workers, target);
  done["sha256_after"] = sha256_hex(read_config(plan.config));
  return done;
}

Json undo(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  remove_file(scratch_of(plan.config));
  std::size_t taken = 0;
  const std::string text =
      without_mark(read_config(plan.config), mark_of(plan.marker), taken);
  Json done;
  done["lines_removed"] = taken;
  done["is_as_before"] = sha256_hex(text) == plan.sha256_before;
  if (taken == 0) {
    done["reload"] = "not needed: the file holds no line of ours";
  } else {
    write_config(plan.config, text);
  }
  const ProcFs procfs;
  const auto master = find_master(plan.pid_file, procfs);
  if (!master) return done;
  // Also where no line was left: whoever took it out may not have reloaded.
  const auto now = workers_of(*master, procfs);
  static_cast<void>(run_program_ok(test_run(plan), target));
  done.update(reload(plan, now, target));
  return done;
}

/// Connections of the workers that are still of before.
std::size_t connections_of(const std::vector<Worker>& workers,
                           const ProcFs& procfs) {
  std::size_t count = 0;
  for (const Worker& one : workers) {
    const auto inodes = procfs.socket_inodes(one.pid);
    for (const SocketEntry& socket : procfs.sockets(one.pid)) {
      if (socket.state == "ESTABLISHED" &&
          std::ranges::find(inodes, socket.inode) != inodes.end()) {
        ++count;
      }
    }
  }
  return count;
}

MeasuredState state(const Target& target, const Json& record) {
  const bool has_record = is_record(record);
  const Plan plan = has_record ? plan_from(record) : plan_from(target);
  const ProcFs procfs;
  MeasuredState measured;
  measured.from = "the file " + plan.config.native() + " and /proc";
  measured.connections_from = "the sockets of old workers in /proc";
  const std::string text = read_config(plan.config);
  std::size_t lines = 0;
  const std::string rest = without_mark(text, mark_of(plan.marker), lines);
  measured.holds_something = lines != 0;
  measured.is_by_record =
      has_record && text.find(plan.marker) != std::string::npos;
  if (lines != 0 && text.find(plan.marker) == std::string::npos) {
    measured.held_by = "a line of another case in " + plan.config.native();
  }
  const std::size_t wanted = chosen_blocks(plan, rest).size();
  const auto master = find_master(plan.pid_file, procfs);
  if (!master) {
    measured.measured = Containedness::unknown;
    measured.why = fmt::format(
        "nginx is not running; {} of {} server blocks "
        "of {} hold our line",
        lines, wanted, plan.config.native());
    return measured;
  }
  const auto workers = workers_of(*master, procfs);
  const auto facts = stat_path(plan.config, Links::refuse);
  std::vector<Worker> old = old_workers(plan.workers, workers);
  for (const Worker& one : workers) {
    const auto start = procfs.start_time(one.start_ticks);
    if (facts && start && *start + kGrainNs < facts->mtime_ns &&
        !was_there(old, one)) {
      old.push_back(one);
    }
  }
  measured.measured = Containedness::not_contained;
  if (lines < wanted) {
    measured.why = fmt::format(
        "{} of {} server blocks of {} answer 503 by our "
        "line",
        lines, wanted, plan.config.native());
    return measured;
  }
  const std::size_t open = connections_of(old, procfs);
  measured.connections_left = open;
  measured.why = fmt::format(
      "{} server block{} of {} answer{} 503; {} of {} workers of process {} "
      "are "
      "of before that, with {} connection{}",
      lines, lines == 1 ? "" : "s", plan.config.native(), lines == 1 ? "s" : "",
      old.size(), workers.size(), master->pid, open, open == 1 ? "" : "s");
  if (old.empty() && !workers.empty()) {
    measured.measured = Containedness::contained;
  }
  measured.facts = {{"workers", workers_json(workers)},
                    {"old_workers", workers_json(old)}};
  return measured;
}

std::vector<std::string> things(const Json& record) {
  if (!is_record(record)) return {};
  const Plan plan = plan_from(record);
  const std::string file =
      "nginx " + lossless_utf8(plan.config.native()) + " server ";
  std::vector<std::string> names;
  for (const std::string& one : plan.names) {
    names.push_back(file + lossless_utf8(one));
  }
  if (names.empty()) names.push_back(file + "*");
  return names;
}

std::string describe(const Target& target) {
  const Plan plan = plan_from(target);
  return fmt::format(
      "Has nginx answer 503 for {} of {} by a line in the file, a test and a "
      "reload; the server behind it goes on running.",
      plan.names.empty() ? std::string("every server block")
                         : printable(join(plan.names)),
      printable(plan.config.native()));
}

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

std::vector<std::string> by_hand(const Json& record) {
  const Plan plan = plan_from(record);
  return {fmt::format("sed -i 's/{}.*{}$//' {}", kLine, mark_of(plan.marker),
                      quoted(plan.config)),
          fmt::format("kill -HUP $(cat {})", quoted(plan.pid_file))};
}

const std::array kParameters{
    Parameter{.name = "config",
              .type = ParameterType::path,
              .help = "The file that holds the server blocks.",
              .is_required = true,
              .touches = Touches::path},
    Parameter{.name = "server_names",
              .type = ParameterType::texts,
              .help = "Which server blocks, by a server_name; every one of the "
                      "file if none is given.",
              .touches = Touches::nothing},
    Parameter{.name = "pid_file",
              .type = ParameterType::path,
              .help = "Where nginx writes the number of its master process.",
              .otherwise = "/run/nginx.pid",
              .touches = Touches::path},
    Parameter{.name = "main",
              .type = ParameterType::path,
              .help = "The main file (nginx -c); that of the running master if "
                      "none is given.",
              .otherwise = "",
              .touches = Touches::path},
    Parameter{.name = "old_workers",
              .type = ParameterType::choice,
              .help = "Whether workers of before are ended or waited for.",
              .otherwise = "end",
              .choices = {"end", "wait"}}};

}  // namespace

extern const Containment kNginxContainment;
constinit const Containment kNginxContainment{
    .name = "nginx",
    .summary = "Has nginx answer 503 in place of the model.",
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
                          .inflight = Kept::lost,
                          .process = Kept::kept},
                .undo = UndoPromise::exact},
    .tried = Tried::real,
    .tried_with = "nginx 1.22 (Debian 12)",
    .acts = acts,
};

}  // namespace impound
