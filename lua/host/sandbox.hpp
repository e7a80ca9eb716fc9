// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A Lua state that can do nothing but compute, within bounds, and computes the
/// same every time.

#include <lua.hpp>

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "core/base/handle.hpp"
#include "core/base/json.hpp"

namespace impound::lua {

/// What went wrong in Lua, as the parent shows it.
struct LuaFailure {
  std::string code;  ///< an Errc name, "lua" or "refused"
  std::string message;
  std::string at;      ///< "playbook.lua:31"; may be empty
  bool fatal = false;  ///< the run cannot go on: a bound of the state was hit
};

/// Bytes of the page that the child shares with its parent: the place in the
/// playbook where the child was last seen, for the message after a kill.
inline constexpr std::size_t kPlaceBytes = 4096;

/// One Lua state with its bounds. Lives at a fixed address: the state points at
/// it.
class Sandbox {
 public:
  struct Bounds {
    std::uint64_t memory_bytes;
    std::uint64_t instructions;
  };

  /// `place` (may be empty) is written as the playbook proceeds.
  Sandbox(const Bounds& bounds, std::span<char> place);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox() = default;

  [[nodiscard]] lua_State* state() const noexcept { return state_.get(); }
  [[nodiscard]] static Sandbox& of(lua_State* L);

  /// Compiles text only, never bytecode, and leaves the function on the stack.
  /// @return true; otherwise `failure` says why and the stack is as before.
  [[nodiscard]] bool compile(std::string_view source, const std::string& name,
                             LuaFailure& failure);

  /// Calls the function below `arguments` values on the stack, as lua_pcall.
  [[nodiscard]] bool call(int arguments, int results, LuaFailure& failure);

  /// Raises an error that the playbook's own pcall cannot swallow; it lasts
  /// until clear_fault().
  void set_fault(std::string code, std::string message);
  void clear_fault();
  [[nodiscard]] bool has_fault() const noexcept { return !fault_code_.empty(); }
  /// Pushes the fault as an error value.
  void push_fault(lua_State* L) const;

  /// Remembers where the playbook is, and in which function of a library.
  void note_place(lua_State* L, const char* function) noexcept;

 private:
  static void* allocate(void* self, void* block, std::size_t old_size,
                        std::size_t new_size);
  static void count(lua_State* L, lua_Debug* about);
  void arm();

  Bounds bounds_;
  std::span<char> place_;
  std::uint64_t used_ = 0;
  std::uint64_t executed_ = 0;
  bool exhausted_ = false;
  std::string fault_code_;
  std::string fault_message_;
  std::string fault_at_;
  Handle<lua_State, lua_close> state_;
};

/// Seconds of processor time that one call of a library function may take. Code
/// in C cannot be interrupted, so a process in which one takes longer ends,
/// with the status kLibraryCallTooLong. A pattern over the 1 MiB that a read
/// brings takes milliseconds.
inline constexpr int kLibraryCallSeconds = 2;
inline constexpr int kLibraryCallTooLong = 78;

/// Starts the timer behind it. Once, by the child, before it is confined.
/// @throws Error{unsupported} if the kernel refuses it.
void watch_library_calls();

/// One call of a library function, watched for as long as it lives.
class LibraryCall {
 public:
  LibraryCall() noexcept;
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;
  ~LibraryCall();
};

/// Opens the allow-listed libraries, in their deterministic form; see
/// lua/api/sandbox.lua for what a playbook finds.
void open_libraries(lua_State* L);

/// From here on assigning or reading an unknown global is an error.
void freeze_globals(lua_State* L);

/// Names of the globals that exist.
[[nodiscard]] std::set<std::string> global_names(lua_State* L);

/// The failure in the error value on top of the stack; pops it.
[[nodiscard]] LuaFailure take_failure(lua_State* L);

}  // namespace impound::lua
