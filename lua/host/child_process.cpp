// SPDX-License-Identifier: Apache-2.0
#include "lua/host/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "lua/host/playbook_commands.hpp"
#include "lua/host/sandbox.hpp"

namespace impound::lua {
namespace {

[[noreturn]] void fail(const char* what, int code) {
  throw Error(Errc::io, std::string("cannot start the playbook process: ") +
                            what + ": " + std::strerror(code));
}

/// A copy of `fd` above the numbers that the child's own descriptors get.
UniqueFd moved_up(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
  if (!copy.is_open()) fail("fcntl", errno);
  return copy;
}

struct SpawnActions {
  posix_spawn_file_actions_t actions{};
  SpawnActions() { ::posix_spawn_file_actions_init(&actions); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions); }
};

struct SpawnAttributes {
  posix_spawnattr_t attributes{};
  SpawnAttributes() { ::posix_spawnattr_init(&attributes); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes); }
};

void require(int result, const char* what) {
  if (result != 0) fail(what, result);
}

/// posix_spawn, not fork: other threads of the parent may hold locks.
pid_t spawn(const fs::path& program, const UniqueFd& socket,
            const UniqueFd& page) {
  SpawnActions files;
  for (const int fd : {0, 1, 2}) {
    require(::posix_spawn_file_actions_addopen(&files.actions, fd, "/dev/null",
                                               O_RDWR, 0),
            "addopen");
  }
  require(::posix_spawn_file_actions_adddup2(&files.actions, socket.get(),
                                             kChildSocket),
          "adddup2");
  require(::posix_spawn_file_actions_adddup2(&files.actions, page.get(),
                                             kChildSocket + 1),
          "adddup2");
  require(::posix_spawn_file_actions_addclosefrom_np(&files.actions,
                                                     kChildSocket + 2),
          "addclosefrom");
  SpawnAttributes how;
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  require(::posix_spawnattr_setsigmask(&how.attributes, &none), "setsigmask");
  require(::posix_spawnattr_setsigdefault(&how.attributes, &all),
          "setsigdefault");
  // A group of its own: Ctrl-C reaches the parent, which ends the child in
  // order.
  require(::posix_spawnattr_setpgroup(&how.attributes, 0), "setpgroup");
  require(::posix_spawnattr_setflags(
              &how.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                   POSIX_SPAWN_SETPGROUP),
          "setflags");
  std::string name = "impound";
  std::string command = "playbook-child";
  std::array<char*, 3> arguments{name.data(), command.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const int failure =
      ::posix_spawn(&pid, program.c_str(), &files.actions, &how.attributes,
                    arguments.data(), environment.data());
  if (failure != 0) fail(program.c_str(), failure);
  return pid;
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options, Mode mode,
                           const std::map<std::string, std::string>& sources)
    : limits_(options.limits),
      budget_(options.limits.wall, options.cancellation) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    fail("socketpair", errno);
  }
  socket_ = UniqueFd(pair[0]);
  const UniqueFd theirs = moved_up(UniqueFd(pair[1]));
  page_ = moved_up(UniqueFd(::memfd_create("impound-place", MFD_CLOEXEC)));
  if (::ftruncate(page_.get(), kPlaceBytes) != 0) fail("ftruncate", errno);
  process_.pid = spawn(options.program, theirs, page_);

  Json files = Json::object();
  for (const auto& [name, source] : sources) files[name] = source;
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(limits_.wall).count();
  send(Json{{"mode", mode == Mode::test ? "test" : "playbook"},
            {"memory_bytes", limits_.memory_bytes},
            {"instructions", limits_.instructions},
            // The wall clock is the judge; this is the last line behind it.
            {"cpu_seconds", seconds + 5},
            {"files", std::move(files)}});
}

void ChildProcess::Owned::kill_and_wait() noexcept {
  if (pid < 0) return;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  pid = -1;
}

std::string ChildProcess::place() const {
  std::array<std::byte, kPlaceBytes> page{};
  const auto got = read_at(page_, 0, page);
  if (!got) return {};
  std::string_view text = as_text(page);
  text = text.substr(0, text.find('\0'));
  return printable(text.substr(0, 200));
}

ChildEnd ChildProcess::end(ChildEnd::Why why, const std::string& message) {
  // A child that ended by itself is given a moment to be found dead, so that
  // the reason is its own signal and not ours.
  int& status = process_.status;
  if (why == ChildEnd::Why::crashed && process_.pid >= 0) {
    for (int i = 0; i < 100; ++i) {
      const pid_t done = ::waitpid(process_.pid, &status, WNOHANG);
      if (done == process_.pid) {
        process_.pid = -1;
        break;
      }
      ::usleep(1000);
    }
  }
  const bool ended_itself = process_.pid < 0;
  process_.kill_and_wait();
  std::string text = message;
  if (why == ChildEnd::Why::crashed && ended_itself) {
    if (WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      text = signal == SIGSYS
                 ? "the playbook process asked for something that its sandbox "
                   "forbids and was ended"
                 : "the playbook process was ended by signal " +
                       std::to_string(signal) + " (" + ::strsignal(signal) +
                       ")";
    } else if (WEXITSTATUS(status) == kLibraryCallTooLong) {
      text = "the playbook computed longer than " +
             human_seconds(kLibraryCallSeconds) +
             " inside one function of a library";
    } else {
      text = "the playbook process ended by itself with status " +
             std::to_string(WEXITSTATUS(status));
    }
  }
  const std::string last = place();
  if (!last.empty()) text += "; last seen at " + last;
  return {.why = why, .message = text};
}

std::variant<ChildMessage, ChildEnd> ChildProcess::receive() {
  using Why = ChildEnd::Why;
  try {
    std::string text;
    switch (receive_message(socket_.get(), text, kMaxChildMessage, budget_)) {
      case ChannelState::ok: {
        ChildMessage message = decode_child_message(text);
        if (message.kind != ChildMessage::Kind::confined) {
          has_spoken_ = true;
          return message;
        }
        // Only what comes before the playbook is the tool's own word.
        if (has_spoken_ || !isolation_.is_null()) {
          return end(Why::babbled, "the playbook process broke the protocol");
        }
        isolation_ = std::move(message.isolation);
        return receive();
      }
      case ChannelState::closed:
        return end(Why::crashed, "the playbook process closed its connection");
      case ChannelState::cancelled:
        return end(Why::cancelled, "stopped on request");
      case ChannelState::too_late:
        break;
    }
    return end(
        Why::too_late,
        "the playbook computed longer than " +
            human_seconds(static_cast<double>(limits_.wall.count()) / 1000.0));
  } catch (const Error& error) {
    return end(Why::babbled, error.what());
  }
}

void ChildProcess::send(const Json& message) {
  // A child that does not read is found dead or late by the next receive().
  static_cast<void>(
      send_message(socket_.get(), message, kMaxParentMessage, budget_));
}

}  // namespace impound::lua
