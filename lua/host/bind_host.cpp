// SPDX-License-Identifier: Apache-2.0
/// The functions of the tool that Lua may call; lua/lib makes of them what
/// lua/api documents.

#include <chrono>
#include <cstdlib>
#include <string>

#include "core/base/bytes.hpp"
#include "lua/host/binding.hpp"
#include "lua/host/child.hpp"
#include "lua/host/json_values.hpp"

namespace impound::lua {
namespace {

// ---- Functions of the private table `host` that lua/lib gets.

// host.request(function, arguments) -> answer
int host_request(lua_State* L) {
  const std::string function(check_text(L, 1));
  Json arguments = json_from_lua(L, 2, Functions::refuse);
  if (!arguments.is_object()) {
    throw Error(Errc::bad_input, "expected a table with named values");
  }
  Sandbox& sandbox = Sandbox::of(L);
  sandbox.note_place(L, ("ctx:" + function).c_str());
  const Json answer =
      Child::of(L).request(function, std::move(arguments), author_position(L));
  if (const auto error = answer.find("error"); error != answer.end()) {
    const std::string code = require_text(*error, "code", "answer");
    const std::string message = require_text(*error, "message", "answer");
    if (error->value("fatal", false)) sandbox.set_fault(code, message);
    push_error(L, code, message);
    return lua_error(L);
  }
  push_answer(L, require_key(answer, "ok", "answer"));
  return 1;
}

// host.raise(code, message)
int host_raise(lua_State* L) {
  push_error(L, check_text(L, 1), check_text(L, 2));
  return lua_error(L);
}

// host.position() -> "playbook.lua:31"
int host_position(lua_State* L) {
  lua_pushstring(L, author_position(L).c_str());
  return 1;
}

// host.playbook(table) -> table
int host_playbook(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, LUA_REGISTRYINDEX, kPlaybooks);
  lua_pushvalue(L, 1);
  const std::string at = author_position(L);
  const std::size_t colon = at.rfind(':');
  const int line =
      colon == std::string::npos ? 0 : std::atoi(at.c_str() + colon + 1);
  lua_pushinteger(L, line);
  lua_rawset(L, -3);
  lua_settop(L, 1);
  return 1;
}

// host.fake(playbook, setup) -> record
int host_fake(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const Json setup = json_from_lua(L, 2, Functions::refuse);
  const Json record = Child::of(L).run_fake(1, setup, author_position(L));
  if (const auto error = record.find("error"); error != record.end()) {
    push_error(L, require_text(*error, "code", "record"),
               require_text(*error, "message", "record"));
    return lua_error(L);
  }
  push_json(L, require_key(record, "record", "record"));
  return 1;
}

// host.bytes(base64) -> string
int host_bytes(lua_State* L) {
  const Bytes bytes = from_base64(check_text(L, 1));
  const std::string_view text = as_text(bytes);
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

constexpr luaL_Reg kHost[] = {
    {"request", guarded<host_request>},
    {"raise", guarded<host_raise>},
    {"position", guarded<host_position>},
    {"playbook", guarded<host_playbook>},
    {"fake", guarded<host_fake>},
    {"bytes", guarded<host_bytes>},
    {nullptr, nullptr},
};

}  // namespace

// require(name) -> value
int require_module(lua_State* L) {
  const std::string name(check_text(L, 1));
  lua_getfield(L, LUA_REGISTRYINDEX, kModules);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    Child::of(L).require(name);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  return 1;
}

void push_host_functions(lua_State* L) { luaL_newlib(L, kHost); }

}  // namespace impound::lua
