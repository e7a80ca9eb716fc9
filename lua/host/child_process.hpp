// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The parent's end of a playbook's child process: starts it, talks to it, ends
/// it, and knows why it ended.

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <string>
#include <variant>

#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "lua/host/channel.hpp"
#include "lua/host/child_message.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

/// Why there will be no more messages.
struct ChildEnd {
  enum class Why : std::uint8_t {
    too_late,   ///< computed longer than it may
    cancelled,  ///< a person asked to stop
    crashed,    ///< ended by a signal, a bound, or itself
    babbled,    ///< broke the protocol, or sent too much
  };
  Why why = Why::crashed;
  std::string message;  ///< with the place where it was last seen
};

/// A running child. Killed, and waited for, by the destructor at the latest.
class ChildProcess {
  /// The process itself, so that a constructor that throws leaves none behind.
  struct Owned {
    Owned() = default;
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { kill_and_wait(); }
    void kill_and_wait() noexcept;

    pid_t pid = -1;
    int status = 0;
  };

 public:
  enum class Mode : std::uint8_t { playbook, test };

  /// Starts the program with an empty environment and no files, and sends it
  /// the sources.
  /// @throws Error{io} with the operating system's words.
  ChildProcess(const ChildOptions& options, Mode mode,
               const std::map<std::string, std::string>& sources);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() = default;

  /// The next message. After a ChildEnd the child is dead.
  [[nodiscard]] std::variant<ChildMessage, ChildEnd> receive();

  /// What it gave up before it saw the playbook, as it measured it itself
  /// (isolate.hpp); empty until the first message came.
  [[nodiscard]] const Json& isolation() const noexcept { return isolation_; }

  /// Sends an order or an answer; a child that is gone is noticed by receive().
  /// @throws Error{limit} for an answer that is too large.
  void send(const Json& message);

 private:
  ChildEnd end(ChildEnd::Why why, const std::string& message);
  [[nodiscard]] std::string place() const;

  ChildLimits limits_;
  WaitBudget budget_;
  UniqueFd socket_;
  UniqueFd page_;
  Json isolation_;
  bool has_spoken_ = false;  ///< something came that was not about isolation
  Owned process_;
};

}  // namespace impound::lua
