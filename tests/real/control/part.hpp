// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Real parts that a test starts itself, on a port or socket of its own, and
/// ends by their own process id; a client that asks all the time; and a control
/// plane that fails at a chosen moment.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/fs.hpp"
#include "core/base/procfs.hpp"

namespace impound::test {

/// A program that runs until the test ends.
class Part {
 public:
  /// Output goes to `log`.
  Part(const std::vector<std::string>& argv, const fs::path& log);
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  [[nodiscard]] Pid pid() const { return pid_; }
  [[nodiscard]] bool is_running();
  /// SIGKILL to it and to what it started in its own group, and collects it.
  void end();

 private:
  Pid pid_ = 0;
};

/// A port of loopback that nobody listened on a moment ago.
[[nodiscard]] std::uint16_t free_port();

/// The path of a program that is installed; nothing, with a line on standard
/// output that says "skipped: why", if it is not.
[[nodiscard]] std::optional<std::string> installed(const std::string& name);

/// Asks until it is so, at most `seconds`.
[[nodiscard]] bool wait_until(const std::function<bool()>& is_so,
                              int seconds = 20);

/// One request; true if a whole answer with the model's text came back.
[[nodiscard]] bool asks_and_is_answered(std::uint16_t port,
                                        const std::string& host = "127.0.0.1",
                                        int timeout_ms = 1000);

/// A client that asks all the time, from several threads.
class AskingClient {
 public:
  AskingClient(std::uint16_t port, std::string host, int timeout_ms,
               int threads);
  ~AskingClient();
  AskingClient(const AskingClient&) = delete;
  AskingClient& operator=(const AskingClient&) = delete;

  /// Call once "contained" was said: what is answered from now on is counted
  /// apart.
  void said_contained() { is_said_ = true; }
  /// Waits until so many requests were sent since then, at most `seconds`.
  void send_further(std::uint64_t requests, int seconds);
  void stop();

  [[nodiscard]] std::uint64_t answered_before() const { return before_; }
  [[nodiscard]] std::uint64_t sent_after() const { return sent_; }
  [[nodiscard]] std::uint64_t answered_after() const { return after_; }

 private:
  void ask_all_the_time();

  std::uint16_t port_;
  std::string host_;
  int timeout_ms_;
  std::atomic<bool> is_said_ = false;
  std::atomic<bool> is_over_ = false;
  std::atomic<std::uint64_t> before_ = 0;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> after_ = 0;
  std::vector<std::thread> threads_;
};

/// What a control plane does wrong.
enum class Fault : std::uint8_t {
  none,
  dies_before,  ///< takes the request, does nothing, and closes
  dies_after,   ///< does it, and closes without a word
  never,        ///< takes it, does nothing, and says nothing
  late,         ///< does it, and answers after the client's time limit
  wrong,        ///< does it, and answers something else
  kill_before,  ///< the client is killed before it is done
  kill_after,   ///< the client is killed once it is done
};

/// Stands between a method and the Unix socket of a real part, and fails at
/// the n-th connection.
class FaultySocket {
 public:
  FaultySocket(fs::path listen_on, fs::path upstream);
  ~FaultySocket();
  FaultySocket(const FaultySocket&) = delete;
  FaultySocket& operator=(const FaultySocket&) = delete;

  /// At the n-th connection from now on, once; all further ones too where
  /// `for_good`: a control plane that is dead stays so.
  void fail(Fault fault, std::size_t at, bool for_good = false);
  /// Whom kill_before and kill_after end.
  void kills(Pid pid) { victim_ = pid; }
  [[nodiscard]] std::size_t connections() const { return count_; }
  void late_ms(int milliseconds) { late_ms_ = milliseconds; }

 private:
  void serve();
  void one(int client);

  fs::path upstream_;
  UniqueFd listener_;
  std::atomic<bool> is_over_ = false;
  std::atomic<Fault> fault_ = Fault::none;
  std::atomic<std::size_t> at_ = 0;
  std::atomic<bool> for_good_ = false;
  std::atomic<std::size_t> count_ = 0;
  std::atomic<Pid> victim_ = 0;
  std::atomic<int> late_ms_ = 900;
  std::thread thread_;
};

}  // namespace impound::test
