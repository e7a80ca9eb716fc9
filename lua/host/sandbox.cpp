// SPDX-License-Identifier: Apache-2.0
#include "lua/host/sandbox.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/error.hpp"
#include "lua/host/binding.hpp"
#include "lua/host/json_values.hpp"

namespace impound::lua {
namespace {

/// Instructions between two looks at the clock of the machine.
constexpr int kInstructionsPerLook = 10'000;

/// Ticks of the watch in a second of processor time.
constexpr int kTicksPerSecond = 20;

// Shared with a signal handler.
volatile std::sig_atomic_t library_depth = 0;  // NOLINT
volatile std::sig_atomic_t library_ticks = 0;  // NOLINT

void on_tick(int /*signal*/) {
  if (library_depth == 0) return;
  library_ticks = library_ticks + 1;
  if (library_ticks > kLibraryCallSeconds * kTicksPerSecond) {
    ::_exit(kLibraryCallTooLong);
  }
}

std::string field_text(lua_State* L, int table, const char* key) {
  lua_pushstring(L, key);
  lua_rawget(L, table);
  std::string text;
  if (lua_type(L, -1) == LUA_TSTRING) text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

/// Adds the author's position to an error while the stack still shows it.
int locate(lua_State* L) {
  if (lua_type(L, 1) == LUA_TTABLE) {
    if (!field_text(L, 1, "at").empty()) return 1;
    const std::string code = field_text(L, 1, "code");
    const std::string message = field_text(L, 1, "message");
    push_error(L, code.empty() ? "lua" : code,
               message.empty() ? "error value that is a table without a message"
                               : message);
    return 1;
  }
  const char* text = lua_tostring(L, 1);
  const std::string message = text != nullptr
                                  ? text
                                  : std::string("error value that is a ") +
                                        luaL_typename(L, 1) + ", not text";
  push_error(L, "lua", message);
  return 1;
}

int error_text(lua_State* L) {
  const std::string at = field_text(L, 1, "at");
  const std::string message = field_text(L, 1, "message");
  const std::string text = at.empty() ? message : at + ": " + message;
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

}  // namespace

void watch_library_calls() {
  struct sigaction action {};
  action.sa_handler = on_tick;
  action.sa_flags = SA_RESTART;
  const timeval tick{.tv_sec = 0, .tv_usec = 1'000'000 / kTicksPerSecond};
  const itimerval timer{.it_interval = tick, .it_value = tick};
  if (::sigaction(SIGPROF, &action, nullptr) != 0 ||
      ::setitimer(ITIMER_PROF, &timer, nullptr) != 0) {
    throw Error(Errc::unsupported,
                std::string("cannot confine the playbook process: timer: ") +
                    std::strerror(errno));
  }
}

LibraryCall::LibraryCall() noexcept {
  if (library_depth == 0) library_ticks = 0;
  library_depth = library_depth + 1;
}

LibraryCall::~LibraryCall() { library_depth = library_depth - 1; }

std::string author_position(lua_State* L) {
  lua_Debug about{};
  for (int level = 0; lua_getstack(L, level, &about) != 0; ++level) {
    lua_getinfo(L, "Sl", &about);
    // Sources of the tool are named "=impound…", C functions "=[C]".
    if (about.currentline > 0 && about.source[0] == '@') {
      return std::string(about.short_src) + ":" +
             std::to_string(about.currentline);
    }
  }
  return {};
}

void push_error(lua_State* L, std::string_view code, std::string_view message) {
  const std::string at = author_position(L);
  // Messages of Lua itself begin with the position already.
  if (!at.empty() && message.starts_with(at + ": ")) {
    message.remove_prefix(at.size() + 2);
  }
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, code.data(), code.size());
  lua_setfield(L, -2, "code");
  lua_pushlstring(L, message.data(), message.size());
  lua_setfield(L, -2, "message");
  lua_pushlstring(L, at.data(), at.size());
  lua_setfield(L, -2, "at");
  if (luaL_newmetatable(L, "impound.error") != 0) {
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
}

LuaFailure take_failure(lua_State* L) {
  LuaFailure failure{.code = "lua", .message = {}, .at = {}, .fatal = false};
  const int top = lua_gettop(L);
  if (lua_type(L, top) == LUA_TTABLE) {
    const std::string code = field_text(L, top, "code");
    if (!code.empty()) failure.code = code;
    failure.message = field_text(L, top, "message");
    failure.at = field_text(L, top, "at");
  } else if (lua_type(L, top) == LUA_TSTRING) {
    failure.message = lua_tostring(L, top);
  } else {
    failure.message = "error without text";
  }
  lua_pop(L, 1);
  return failure;
}

Sandbox::Sandbox(const Bounds& bounds, std::span<char> place)
    : bounds_(bounds), place_(place), state_(lua_newstate(allocate, this)) {
  if (state_ == nullptr) {
    throw Error(Errc::limit, "no memory for a Lua state");
  }
  open_libraries(state_.get());
  arm();
}

Sandbox& Sandbox::of(lua_State* L) {
  void* self = nullptr;
  lua_getallocf(L, &self);
  return *static_cast<Sandbox*>(self);
}

void* Sandbox::allocate(void* self, void* block, std::size_t old_size,
                        std::size_t new_size) {
  auto& sandbox = *static_cast<Sandbox*>(self);
  // For a new block Lua passes the type of the object as its old size.
  const std::size_t held = block == nullptr ? 0 : old_size;
  if (new_size == 0) {
    std::free(block);
    sandbox.used_ -= held;
    return nullptr;
  }
  if (new_size > held &&
      new_size - held > sandbox.bounds_.memory_bytes - sandbox.used_) {
    return nullptr;  // Lua collects garbage, tries again, then raises an error
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) sandbox.used_ = sandbox.used_ - held + new_size;
  return moved;
}

void Sandbox::arm() {
  lua_sethook(state_.get(), count, LUA_MASKCOUNT, kInstructionsPerLook);
}

void Sandbox::count(lua_State* L, lua_Debug* /*about*/) {
  Sandbox& sandbox = of(L);
  sandbox.executed_ += kInstructionsPerLook;
  sandbox.note_place(L, nullptr);
  library_ticks = 0;  // Lua runs: a function that a library called back
  if (sandbox.exhausted_ || sandbox.executed_ > sandbox.bounds_.instructions) {
    if (!sandbox.exhausted_) {
      sandbox.exhausted_ = true;
      sandbox.set_fault("limit",
                        "the playbook executed more than " +
                            std::to_string(sandbox.bounds_.instructions) +
                            " instructions: a loop that does not end?");
      // From now on every line raises, so that no pcall of the playbook's
      // can go on for another count.
      lua_sethook(L, count, LUA_MASKLINE | LUA_MASKCOUNT, 1);
    }
    sandbox.push_fault(L);
    lua_error(L);
  }
}

void Sandbox::set_fault(std::string code, std::string message) {
  if (has_fault()) return;
  fault_code_ = std::move(code);
  fault_message_ = std::move(message);
  fault_at_ = author_position(state_.get());
}

void Sandbox::clear_fault() {
  if (exhausted_) return;  // the budget is the run's, not the step's
  fault_code_.clear();
  fault_message_.clear();
  fault_at_.clear();
}

void Sandbox::push_fault(lua_State* L) const {
  push_error(L, fault_code_, fault_message_);
  lua_pushlstring(L, fault_at_.data(), fault_at_.size());
  lua_setfield(L, -2, "at");
}

bool Sandbox::compile(std::string_view source, const std::string& name,
                      LuaFailure& failure) {
  lua_State* L = state();
  if (luaL_loadbufferx(L, source.data(), source.size(), name.c_str(), "t") ==
      LUA_OK) {
    return true;
  }
  failure = take_failure(L);
  // "playbook.lua:12: '}' expected near …", "playbook.lua: attempt to load …"
  failure.at = name.substr(1);
  const std::size_t colon = failure.message.find(": ");
  if (colon != std::string::npos &&
      failure.message.starts_with(name.substr(1))) {
    failure.at = failure.message.substr(0, colon);
    failure.message.erase(0, colon + 2);
  }
  return false;
}

bool Sandbox::call(int arguments, int results, LuaFailure& failure) {
  lua_State* L = state();
  const int base = lua_gettop(L) - arguments;
  lua_pushcfunction(L, locate);
  lua_insert(L, base);
  const int status = lua_pcall(L, arguments, results, base);
  lua_remove(L, base);
  if (status == LUA_OK && !has_fault()) return true;
  if (status == LUA_OK) {
    lua_settop(L, base - 1);
    push_fault(L);
  }
  failure = take_failure(L);
  if (status == LUA_ERRMEM) {
    failure = {.code = "limit",
               .message = "the playbook needs more memory than the " +
                          std::to_string(bounds_.memory_bytes >> 20U) +
                          " MiB it may have",
               .at = place_.empty() ? "" : std::string(place_.data()),
               .fatal = true};
  }
  if (exhausted_) failure.fatal = true;
  return false;
}

void Sandbox::note_place(lua_State* L, const char* function) noexcept {
  if (place_.empty()) return;
  lua_Debug about{};
  for (int level = 0; lua_getstack(L, level, &about) != 0; ++level) {
    lua_getinfo(L, "Sl", &about);
    if (about.currentline <= 0 || about.source[0] != '@') continue;
    std::snprintf(place_.data(), place_.size(), "%s:%d%s%s", about.short_src,
                  about.currentline, function != nullptr ? " in " : "",
                  function != nullptr ? function : "");
    return;
  }
}

}  // namespace impound::lua
