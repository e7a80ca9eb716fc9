// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A playbook as data: what its file declares, checked before anything runs.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/engine/questions.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/parameter.hpp"

namespace impound::lua {

/// Highest effect of a step. `contain`: stops a server, moves traffic, revokes.
enum class Effect : std::uint8_t { read, contain };

struct StepInfo {
  std::string id;
  std::string title;
  std::vector<std::string> after;
  Effect effect = Effect::read;
  bool has_condition = false;  ///< declares `when`
  int line = 0;                ///< of its table in playbook.lua
};

/// One thing that is wrong with a playbook.
struct Problem {
  std::filesystem::path file;
  int line = 0;  ///< 0 = the file as a whole
  std::string message;

  [[nodiscard]] std::string text() const;  ///< "FILE:LINE: message"
};

/// Bounds of one child process.
struct ChildLimits {
  /// Of the Lua heap. The difference between two models of 100 000 tensors
  /// takes about 80 MiB as Lua tables.
  std::uint64_t memory_bytes = 256 * 1024 * 1024;
  std::uint64_t instructions = 1'000'000'000;  ///< of the Lua machine
  /// Seconds the child may compute; time spent in host calls is not counted.
  std::chrono::milliseconds wall = std::chrono::seconds(60);
};

/// What a playbook can reach out with: given by who starts it, so that its
/// calls are checked against the declarations of the real ones.
struct Instruments {
  std::span<const Collector* const> collectors;
  std::span<const Containment* const> containments;
};

/// How child processes are started.
struct ChildOptions {
  /// Program that calls run_child() when started as `PROGRAM playbook-child`.
  std::filesystem::path program = "/proc/self/exe";
  ChildLimits limits;
  const Cancellation* cancellation = nullptr;
};

/// A playbook whose file was loaded and found valid.
struct LoadedPlaybook {
  std::filesystem::path folder;
  std::string id;
  std::string version;
  std::string title;
  std::string owner;
  Effect effect = Effect::read;
  std::vector<std::string> collectors;    ///< needs.collectors
  std::vector<std::string> containments;  ///< needs.containments
  std::vector<std::string> reads;         ///< needs.reads: absolute, plain
  std::string min_tool;                   ///< needs.min_tool; may be empty
  std::vector<std::string> references;
  std::vector<Parameter> parameters;  ///< sorted by name
  std::vector<StepInfo> steps;        ///< in the order they run
  /// Questions that it declares besides those a plan meets: they depend on what
  /// the evidence says. Sorted by id.
  std::vector<Question> questions;
  /// Every *.lua below the folder: relative name → source text. What the child
  /// may require, and what the exhibit keeps.
  std::map<std::string, std::string> sources;
  /// SHA-256 over names and contents of `sources`, in hex.
  std::string sha256;
  Json declared;  ///< the table as declared; functions as {"$function": …}
};

/// A playbook, or everything that is wrong with it.
struct LoadResult {
  std::optional<LoadedPlaybook> playbook;
  std::vector<Problem> problems;  ///< errors if `playbook` is empty
};

/// Loads and validates the playbook in `folder` (or the folder of a
/// playbook.lua). Runs its file in a child process.
/// @throws Error{io} if the child cannot be started, Error{limit} for too many
///         or too large sources.
[[nodiscard]] LoadResult read_playbook(const std::filesystem::path& folder,
                                       const ChildOptions& options);

/// As read_playbook; the problems become one Error{bad_input}, a line each.
[[nodiscard]] LoadedPlaybook load_playbook(const std::filesystem::path& folder,
                                           const ChildOptions& options);

/// Parameters as the playbook will see them: defaults filled in.
/// @throws Error{bad_input} as impound::check_parameters().
[[nodiscard]] Arguments arguments_for(const LoadedPlaybook& playbook,
                                      const Json& given, Spelling spelling,
                                      TimeNs now);

[[nodiscard]] std::string_view to_string(Effect effect) noexcept;

}  // namespace impound::lua
