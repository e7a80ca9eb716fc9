// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the rest of the program does for a playbook: the door through which
/// every act of a playbook goes.
///
/// The functions, what they are called with and what a plan answers stand in
/// calls.hpp; their real answers are documented in lua/api/context.lua.
/// Arguments are checked before the host sees them; absent optional arguments
/// are absent keys. A call that is not journaled has n = 0.
///
/// An answer {"waiting": "what for"} to ask, contain or release ends the run
/// in the state `waiting`; it is performed again when the run is resumed.

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/engine/reach.hpp"
#include "lua/host/calls.hpp"
#include "lua/host/playbook.hpp"

namespace impound::lua {

/// One request of a playbook, already checked.
struct HostCall {
  CtxFunction function;
  std::string step;
  Json arguments = Json::object();
  std::string at;  ///< "playbook.lua:31": where the playbook called
  /// contain and release: the number of the call of ctx:ask that a person
  /// answered with "yes" to allow this one. Not part of the call's hash.
  std::int64_t allowed_by = 0;
  /// The arguments as they were admitted (engine/reach.hpp): every path is
  /// absolute and resolved. What a host acts on; `arguments` is what was said,
  /// and what is recorded.
  Json admitted = Json::object();
};

/// What was journaled for a call of an earlier attempt of the same run.
struct RecordedCall {
  std::string call_sha256;
  /// The answer; empty if the call was begun and never ended.
  std::optional<Json> answer;
  std::string call;  ///< the JSON of the call, for messages; may be empty

  [[nodiscard]] std::string description() const;  ///< " (call)" or ""
};

/// What plan mode shows instead of doing it.
struct PlannedCall {
  Json answer = Json::object();  ///< stand-in with the keys of a real answer
  std::string sentence;  ///< "Would collect model-files: 12 files, 436 MB."
};

/// How a step ended. A step is done only if it did what its title says: one in
/// which something could not be had (ctx:gap), an act was not measured to be in
/// force, or a person said no to it, is incomplete, and its message says why.
enum class StepResult : std::uint8_t { done, incomplete, skipped, failed };

[[nodiscard]] std::string_view to_string(StepResult result) noexcept;

/// What became of a call that threw.
enum class FailedCall : std::uint8_t { answered, attempted };

class PlaybookHost {
 public:
  PlaybookHost() = default;
  PlaybookHost(const PlaybookHost&) = delete;
  PlaybookHost& operator=(const PlaybookHost&) = delete;
  virtual ~PlaybookHost() = default;

  /// Performs one call for real. The host writes the journal row (n, hash,
  /// call, answer) of every call whose rule is_journaled(), where it can in the
  /// same transaction as the custody entries of the call.
  /// @throws Error: the playbook sees a Lua error {code, message}. An exception
  ///         of the JSON library, an argument of a type that nobody expected,
  ///         becomes a bad_input that names the call.
  virtual Json perform(const HostCall& call, std::int64_t n) = 0;

  /// The number under which the `nth` journaled call of this walk stands in the
  /// journal: another one than `nth` where calls before were attempts.
  [[nodiscard]] virtual std::int64_t number_of(std::int64_t nth) { return nth; }

  /// Call `n` threw. Where the same would come out again, the host journals
  /// {"error": {"code", "message"}} as its answer, so that a resumed run takes
  /// the same path. Anything else is an attempt: the host records it as one,
  /// the run stops there, and resume tries the call again.
  [[nodiscard]] virtual FailedCall failed(const HostCall& call, std::int64_t n,
                                          const Error& error) = 0;

  /// What the journal of this run holds for call `n`.
  virtual std::optional<RecordedCall> recorded(std::int64_t n) = 0;

  /// Call `n` is about to get its recorded answer again. What that says of the
  /// present is asked of the thing itself: the answer that the playbook gets is
  /// the return value. It must not lead the playbook another way than the calls
  /// that were recorded behind it.
  virtual Json replayed(const HostCall& call, std::int64_t n,
                        const Json& answer) {
    static_cast<void>(call);
    static_cast<void>(n);
    return answer;
  }

  /// What the playbook may reach. Every call goes through its door before
  /// perform() or plan() sees it.
  [[nodiscard]] virtual PlaybookReach& reach() = 0;

  /// Changes nothing and reads nothing but names and sizes.
  virtual PlannedCall plan(const HostCall& call) = 0;

  virtual void step_started(const StepInfo& step) = 0;
  virtual void step_ended(const StepInfo& step, StepResult result,
                          const std::string& message) = 0;
};

/// SHA-256 over {"function","step","arguments"} with sorted keys, in hex: what
/// the journal keeps of a call.
[[nodiscard]] std::string call_sha256(const HostCall& call);

/// A stand-in answer and sentence for any call, from its arguments alone. Hosts
/// that know more (sizes, present state) say more.
[[nodiscard]] PlannedCall plan_from_arguments(const HostCall& call);

}  // namespace impound::lua
