// SPDX-License-Identifier: Apache-2.0
#include "containment/program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "containment/forbidden.hpp"
#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/exchange.hpp"

namespace impound {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::array<const char*, 5> kFolders{"/usr/local/sbin/", "/usr/sbin/",
                                              "/usr/bin/", "/sbin/", "/bin/"};

/// What a program prints, each of two ways.
constexpr std::size_t kMostPrinted = 4 * limits::kMiB;

constexpr int kCannotStart = 127;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error(Errc::io, "cannot make a pipe: " +
                              std::generic_category().message(errno));
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> found;
  for (std::string& text : texts) found.push_back(text.data());
  found.push_back(nullptr);
  return found;
}

/// In the child: only what is safe after a fork of a program with threads.
[[noreturn]] void become(const std::vector<char*>& argv, char* const* variables,
                         int input, int output, int errors, int space) {
  ::setpgid(0, 0);
  if (space >= 0 && ::setns(space, CLONE_NEWNET) != 0) ::_exit(kCannotStart);
  if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(errors, 2) < 0) {
    ::_exit(kCannotStart);
  }
  ::execve(argv.front(), argv.data(), variables);
  ::_exit(kCannotStart);
}

/// Reads what has come; closes the end once there will be no more.
void take(UniqueFd& from, std::string& into) {
  std::array<char, 16'384> block{};
  const ssize_t got = ::read(from.get(), block.data(), block.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    from = UniqueFd();
    return;
  }
  const auto size = static_cast<std::size_t>(got);
  into.append(
      block.data(),
      std::min(size, kMostPrinted - std::min(kMostPrinted, into.size())));
}

/// Feeds and reads until all ends are closed. False if time was up.
bool exchange_all(Pipe& in, Pipe& out, Pipe& err, std::string_view input,
                  SteadyClock::time_point deadline, ProgramEnd& end) {
  if (input.empty()) in.write = UniqueFd();
  while (in.write.get() >= 0 || out.read.get() >= 0 || err.read.get() >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - SteadyClock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 3> wait{pollfd{in.write.get(), POLLOUT, 0},
                               pollfd{out.read.get(), POLLIN, 0},
                               pollfd{err.read.get(), POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), static_cast<int>(left.count())) < 0) {
      continue;
    }
    if (wait[0].revents != 0) {
      const ssize_t sent = ::write(in.write.get(), input.data(), input.size());
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (input.empty() || (sent < 0 && errno != EAGAIN)) in.write = UniqueFd();
    }
    if (wait[1].revents != 0) take(out.read, end.output);
    if (wait[2].revents != 0) take(err.read, end.errors);
  }
  return true;
}

/// Waits for the end of a process until `deadline`; its status.
std::optional<int> wait_for(pid_t child, SteadyClock::time_point deadline) {
  int status = 0;
  while (true) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return std::nullopt;
    if (SteadyClock::now() > deadline) return std::nullopt;
    pause_ms(2);
  }
}

ProgramEnd run_to_end(const ProgramRun& run, const UniqueFd& space) {
  std::vector<std::string> words = run.argv;
  std::vector<std::string> variables{
      "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
      "HOME=/"};
  const auto argv = pointers(words);
  const auto environment = pointers(variables);
  Pipe in = open_pipe();
  Pipe out = open_pipe();
  Pipe err = open_pipe();
  const auto deadline =
      SteadyClock::now() + std::chrono::milliseconds(run.timeout_ms);
  const pid_t child = ::fork();
  if (child < 0) {
    throw Error(Errc::io, "cannot start a process: " +
                              std::generic_category().message(errno));
  }
  if (child == 0) {
    become(argv, environment.data(), in.read.get(), out.write.get(),
           err.write.get(), space.get());
  }
  in.read = UniqueFd();
  out.write = UniqueFd();
  err.write = UniqueFd();
  static_cast<void>(::fcntl(in.write.get(), F_SETFL, O_NONBLOCK));
  ProgramEnd end;
  const bool is_read = exchange_all(in, out, err, run.input, deadline, end);
  const auto status = is_read ? wait_for(child, deadline) : std::nullopt;
  if (!status) {
    ::kill(-child, SIGKILL);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    throw Error(Errc::io, fmt::format("did not end within {} ms and was "
                                      "killed: whether it was done is not "
                                      "known",
                                      run.timeout_ms));
  }
  end.exit_code =
      WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
  return end;
}

}  // namespace

std::string ProgramRun::line() const {
  std::string text = join(argv, " ");
  if (!network_namespace.empty()) {
    text += " (in " + network_namespace.native() + ")";
  }
  return text;
}

PlannedAct ProgramRun::planned(std::string what) const {
  return {.what = std::move(what),
          .peer = "program",
          .request = line(),
          .body = input};
}

std::string ProgramEnd::in_words() const {
  const std::string said =
      printable(trim(errors.empty() ? output : errors).substr(0, 300));
  return said.empty() ? fmt::format("exit code {}", exit_code)
                      : fmt::format("exit code {}: {}", exit_code, said);
}

std::string find_program(const std::string& name) {
  for (const char* const folder : kFolders) {
    const std::string path = folder + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  throw Error(Errc::io, fmt::format("{} is not installed: looked into {}",
                                    printable(name), join(kFolders)));
}

ProgramEnd run_program(const ProgramRun& run, const Target& target) {
  Exchange exchange;
  exchange.at = target.clock.now();
  exchange.peer = "program";
  exchange.request = run.line();
  exchange.body = run.input;
  exchange.end = ExchangeEnd::not_sent;
  const auto start = SteadyClock::now();
  const auto keep = [&] {
    if (target.exchanges == nullptr) return;
    exchange.elapsed_ms =
        std::chrono::duration<double, std::milli>(SteadyClock::now() - start)
            .count();
    target.exchanges->add(exchange);
  };
  try {
    require_allowed({.protocol = ControlProtocol::program,
                     .what = join(run.argv, " "),
                     .body = run.input},
                    target.may_destroy);
    UniqueFd space;
    if (!run.network_namespace.empty()) {
      auto opened = open_read(run.network_namespace, Links::follow);
      if (!opened) {
        throw Error(Errc::io,
                    fmt::format("cannot enter {}: {}",
                                printable(run.network_namespace.native()),
                                opened.failure().message()));
      }
      space = std::move(*opened);
    }
    exchange.end = ExchangeEnd::no_answer;
    ProgramEnd end = run_to_end(run, space);
    exchange.end = ExchangeEnd::answered;
    exchange.status = end.exit_code;
    exchange.answer = end.output + end.errors;
    keep();
    return end;
  } catch (const Error& error) {
    exchange.problem = error.what();
    keep();
    throw Error(error.code(),
                fmt::format("{}: {}", printable(run.line()), error.what()));
  }
}

ProgramEnd run_program_ok(const ProgramRun& run, const Target& target) {
  ProgramEnd end = run_program(run, target);
  if (!end.is_ok()) {
    throw Error(Errc::io, fmt::format("{}: expected exit code 0, found {}",
                                      printable(run.line()), end.in_words()));
  }
  return end;
}

}  // namespace impound
