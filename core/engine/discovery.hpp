// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Finds what serves a model on this machine, and writes the descriptor of it.
///
/// At three in the morning nobody knows the port, the folder and the log of a
/// server by heart; the kernel does. A process is taken for a server of a model
/// if it listens and it, or what it started, holds weights; or if its program
/// is one that does nothing else. Everything the descriptor then says stands
/// under a comment that names what it was measured from, and what was not
/// measured is a comment that says so: a person reads, corrects and keeps it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/procfs.hpp"
#include "core/evidence/served_tie.hpp"

namespace impound {

/// A program whose work is to serve models.
struct KnownServer {
  std::string_view name;    ///< "vLLM"
  std::string_view word;    ///< of its command line: "vllm"
  std::string_view health;  ///< path that answers while it serves; "": unknown
};
/// The one whose word stands in `command`, as the name of a program, a module
/// or an argument; nullptr for none.
[[nodiscard]] const KnownServer* find_known_server(
    const std::vector<std::string>& command) noexcept;

struct Listener {
  std::string address;  ///< "127.0.0.1:8080", as /proc/net/tcp has it
  std::uint16_t port = 0;
};

/// What the first line of a log is.
enum class FirstLine : std::uint8_t {
  not_read,     ///< empty, unfinished, too long, or not permitted
  json_object,  ///< of a log in JSON lines
  other,
};

/// A file that a process has open for writing, which looks like a log.
struct OpenLog {
  std::filesystem::path path;
  Pid pid = 0;
  int descriptor = -1;
  FirstLine first_line = FirstLine::not_read;
  std::string timestamp_key;  ///< of that object, where it holds a time
};

/// What was found of one server.
struct FoundServer {
  Pid pid = 0;            ///< the topmost process
  std::string name = {};  ///< of the process, as the kernel has it
  std::vector<std::string> command = {};  ///< its words; empty if not permitted
  const KnownServer* known = nullptr;
  std::vector<Listener> listeners = {};
  std::string unit = {};  ///< "vllm.service"; empty where its group is none
  ServedModel model = {};
  std::vector<OpenLog> logs = {};
  /// Its processes whose files and sockets may not be listed, with the reason.
  std::vector<std::string> hidden = {};

  /// What of it could not be looked at, and why; "" if all was. Where it is
  /// set, what was not found may be there all the same.
  [[nodiscard]] std::string not_measured() const;
  /// Weights that it holds.
  [[nodiscard]] std::vector<const ServedFile*> weights() const;
  /// Where the model lies: the folder or cache that the held weights share;
  /// empty where none are held, or they share none.
  [[nodiscard]] std::filesystem::path model_path() const;
  /// "process 7 (python3), 127.0.0.1:8080, vLLM, 2 weights files".
  [[nodiscard]] std::string in_words() const;
};

struct Discovery {
  std::vector<FoundServer> servers;  ///< by pid
  std::size_t processes = 0;         ///< that were looked at
  /// Processes that this user may not look into: a server may be among them.
  std::size_t hidden = 0;
};

/// Looks at every process; changes nothing, asks no server anything.
[[nodiscard]] Discovery find_servers(const ProcFs& procfs);

/// A descriptor (TOML, schema 1) with comments that say of each line what it
/// was measured from. `name` may be empty: one is made of the model's folder.
[[nodiscard]] std::string descriptor_of(const FoundServer& server,
                                        std::string_view name);

}  // namespace impound
