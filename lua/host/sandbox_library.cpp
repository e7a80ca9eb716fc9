// SPDX-License-Identifier: Apache-2.0
/// The libraries that a playbook finds: Lua's own without what reaches out,
/// and without what differs from one run to the next. Documented in
/// lua/api/sandbox.lua.
///
/// Lua seeds its hash tables with addresses, so the order of `next` and the
/// text of a table differ between runs. A resumed playbook must take the path
/// that was recorded; therefore `pairs` and `next` go by sorted keys here, and
/// no address ever becomes text.

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "lua/host/binding.hpp"
#include "lua/host/sandbox.hpp"

namespace impound::lua {
namespace {

// ---- Order of keys: numbers, then text by bytes, then false, true.

int rank(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
      return 0;
    case LUA_TSTRING:
      return 1;
    case LUA_TBOOLEAN:
      return 2;
    default:
      return luaL_error(L,
                        "keys that are a %s have no stable order: iterate "
                        "over a list, or use text keys",
                        luaL_typename(L, index));
  }
}

bool key_less(lua_State* L, int a, int b) {
  const int rank_a = rank(L, a);
  const int rank_b = rank(L, b);
  if (rank_a != rank_b) return rank_a < rank_b;
  if (rank_a == 0) return lua_compare(L, a, b, LUA_OPLT) != 0;
  if (rank_a == 1) return check_text(L, a) < check_text(L, b);
  return lua_toboolean(L, a) < lua_toboolean(L, b);
}

// next(table, key?) -> key, value
int sorted_next(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  const bool from_start = lua_isnil(L, 2);
  lua_pushnil(L);  // 3: the smallest key above 2
  lua_pushnil(L);  // 4: its value
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    const bool after = from_start || key_less(L, 2, 5);
    if (after && (lua_isnil(L, 3) || key_less(L, 5, 3))) {
      lua_copy(L, 5, 3);
      lua_copy(L, 6, 4);
    }
  }
  if (lua_isnil(L, 3)) return 1;
  return 2;
}

// The iterator of pairs: upvalues are the sorted keys and the place in them.
int next_of_snapshot(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
  for (;;) {
    ++at;
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(2));
    if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TNIL) return 1;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, 1) != LUA_TNIL) return 2;  // removed meanwhile: skip
    lua_pop(L, 2);
  }
}

int keys_less_for_sort(lua_State* L) {
  lua_pushboolean(L, key_less(L, 1, 2) ? 1 : 0);
  return 1;
}

// pairs(table) -> iterator, table, nil
int sorted_pairs(lua_State* L) {
  luaL_checkany(L, 1);
  if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 3);
    return 3;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_newtable(L);
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, 2, ++count);
  }
  // Sorted by Lua's own table.sort, kept in the registry by open_libraries.
  lua_getfield(L, LUA_REGISTRYINDEX, "impound.sort");
  lua_pushvalue(L, 2);
  lua_pushcfunction(L, keys_less_for_sort);
  lua_call(L, 2, 0);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_of_snapshot, 2);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

// ---- Text of values: no addresses.

/// Pushes what tostring() gives for the value at `index`.
void push_text(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TTABLE:
    case LUA_TUSERDATA:
    case LUA_TFUNCTION:
    case LUA_TTHREAD:
    case LUA_TLIGHTUSERDATA:
      if (luaL_getmetafield(L, index, "__tostring") == LUA_TNIL) {
        lua_pushstring(L, luaL_typename(L, index));
        return;
      }
      lua_pop(L, 1);
      break;
    default:
      break;
  }
  luaL_tolstring(L, index, nullptr);
}

// tostring(value) -> string
int plain_tostring(lua_State* L) {
  luaL_checkany(L, 1);
  push_text(L, 1);
  return 1;
}

// string.format(format, ...) -> string
int plain_format(lua_State* L) {
  Sandbox::of(L).note_place(L, "string.format");
  const LibraryCall watched;
  const std::string_view format = check_text(L, 1);
  for (std::size_t i = 0; i + 1 < format.size(); ++i) {
    if (format[i] != '%') continue;
    ++i;
    while (i < format.size() &&
           std::string_view("-+ #0123456789.").find(format[i]) !=
               std::string_view::npos) {
      ++i;
    }
    if (i < format.size() && format[i] == 'p') {
      return luaL_error(L, "%%p is not available: addresses differ each run");
    }
  }
  for (int i = 2, count = lua_gettop(L); i <= count; ++i) {
    const int type = lua_type(L, i);
    if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA) {
      continue;
    }
    push_text(L, i);
    lua_replace(L, i);
  }
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

// string.rep(text, count, separator?) -> string
int bounded_rep(lua_State* L) {
  Sandbox::of(L).note_place(L, "string.rep");
  const LibraryCall watched;
  const std::string_view text = check_text(L, 1);
  const lua_Integer count = luaL_checkinteger(L, 2);
  std::size_t separator = 0;
  luaL_optlstring(L, 3, "", &separator);
  if (count > 0 && text.empty() && separator == 0) {
    lua_pushliteral(L, "");  // Lua's own loop would still count to `count`
    return 1;
  }
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

// string.gmatch(text, pattern) -> iterator: each step of it is a call as well.
int step_of_gmatch(lua_State* L) {
  Sandbox::of(L).note_place(L, "string.gmatch");
  const LibraryCall watched;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_call(L, 0, LUA_MULTRET);
  return lua_gettop(L);
}
int watched_gmatch(lua_State* L) {
  lua_tocfunction(L, lua_upvalueindex(1))(L);
  lua_pushcclosure(L, step_of_gmatch, 1);
  return 1;
}

// ---- Errors that cannot be swallowed.

int raise_fault(lua_State* L) {
  Sandbox::of(L).push_fault(L);
  return lua_error(L);
}

// pcall(function, ...) -> boolean, ...
int faithful_pcall(lua_State* L) {
  luaL_checkany(L, 1);
  const int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  if (Sandbox::of(L).has_fault()) return raise_fault(L);
  lua_pushboolean(L, status == LUA_OK ? 1 : 0);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/// Calls the playbook's handler (upvalue 1), but not for a fault: inside a hook
/// Lua calls no hooks, and a handler that loops would never be stopped.
int handle_unless_fault(lua_State* L) {
  if (Sandbox::of(L).has_fault()) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

// xpcall(function, handler, ...) -> boolean, ...
int faithful_xpcall(lua_State* L) {
  const int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, handle_unless_fault, 1);
  lua_insert(L, 1);  // handler, function, handler, ...
  lua_remove(L, 3);  // handler, function, ...
  const int status = lua_pcall(L, count - 2, LUA_MULTRET, 1);
  if (Sandbox::of(L).has_fault()) return raise_fault(L);
  lua_pushboolean(L, status == LUA_OK ? 1 : 0);
  lua_replace(L, 1);
  return lua_gettop(L);
}

// setmetatable(table, metatable) -> table
int checked_setmetatable(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_type(L, 2) == LUA_TTABLE) {
    for (const char* field : {"__gc", "__mode"}) {
      lua_pushstring(L, field);
      if (lua_rawget(L, 2) != LUA_TNIL) {
        return luaL_error(L,
                          "%s is not available: when garbage is collected "
                          "differs each run",
                          field);
      }
      lua_pop(L, 1);
    }
  }
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/// A library function that notes where it was called, because C code cannot be
/// interrupted: after a kill this place is all that is known.
int placed(lua_State* L) {
  Sandbox::of(L).note_place(L, lua_tostring(L, lua_upvalueindex(2)));
  const LibraryCall watched;
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

// ---- Strictness.

struct Hint {
  std::string_view name;
  const char* instead;
};
constexpr std::array<Hint, 14> kHints{{
    {"print", "write it to the record with ctx:note(text)"},
    {"os", "a playbook has no clock and no commands; time is in ctx"},
    {"io", "a playbook has no files; collect them with ctx:collect"},
    {"debug", "it would let a playbook leave its sandbox"},
    {"load", "code is what stands in the playbook's files"},
    {"loadfile", "use require(\"name\") for a file beside the playbook"},
    {"dofile", "use require(\"name\") for a file beside the playbook"},
    {"loadstring", "code is what stands in the playbook's files"},
    {"collectgarbage", "memory is bounded and managed by the tool"},
    {"coroutine", "loops inside them could not be ended"},
    {"package", "use require(\"name\") for a file beside the playbook"},
    {"rawset", "globals and libraries are frozen"},
    {"unpack", "use table.unpack"},
    {"warn", "write it to the record with ctx:note(text)"},
}};

int unknown_global(lua_State* L) {
  const std::string name = lua_type(L, 2) == LUA_TSTRING
                               ? std::string(check_text(L, 2))
                               : std::string(luaL_typename(L, 2));
  for (const Hint& hint : kHints) {
    if (hint.name == name) {
      return luaL_error(L, "'%s' is not available to a playbook: %s",
                        name.c_str(), hint.instead);
    }
  }
  return luaL_error(L, "'%s' is not defined (misspelt, or a missing local?)",
                    name.c_str());
}

int refused_global(lua_State* L) {
  const char* name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  return luaL_error(L, "assignment to the global '%s': say local %s = …", name,
                    name);
}

int refused_member(lua_State* L) {
  return luaL_error(L, "the %s library is read-only",
                    lua_tostring(L, lua_upvalueindex(1)));
}

int unknown_member(lua_State* L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const char* name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  return luaL_error(L, "%s.%s is not available to a playbook",
                    lua_tostring(L, lua_upvalueindex(2)), name);
}

/// Replaces the member `name` of the table on top by `function`, which finds
/// the original as its first upvalue.
void replace(lua_State* L, const char* name, lua_CFunction function) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

void remove(lua_State* L, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    lua_pushnil(L);
    lua_setfield(L, -2, name);
  }
}

/// Wraps every C function of the table on top so that it notes its place.
void place_all(lua_State* L, const std::string& library) {
  std::vector<std::string> names;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_getupvalue(L, -1, 1) != nullptr) {
      lua_pop(L, 1);  // replaced already: notes its place itself
    } else if (lua_iscfunction(L, -1) != 0) {
      names.emplace_back(lua_tostring(L, -2));
    }
  }
  for (const std::string& name : names) {
    lua_getfield(L, -1, name.c_str());
    lua_pushstring(L, (library + "." + name).c_str());
    lua_pushcclosure(L, placed, 2);
    lua_setfield(L, -2, name.c_str());
  }
}

/// Pops the library and pushes a read-only view of it.
void freeze(lua_State* L, const char* name) {
  lua_newtable(L);  // the view
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, -3);
  lua_pushstring(L, name);
  lua_pushcclosure(L, unknown_member, 2);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_pushcclosure(L, refused_member, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

void open_one(lua_State* L, const char* name, lua_CFunction open) {
  luaL_requiref(L, name, open, 0);
}

}  // namespace

void open_libraries(lua_State* L) {
  open_one(L, LUA_GNAME, luaopen_base);  // is the table of globals itself
  remove(L, {"_G", "collectgarbage", "dofile", "load", "loadfile", "print",
             "rawset", "warn", "require"});
  lua_pushcfunction(L, sorted_next);
  lua_setfield(L, -2, "next");
  lua_pushcfunction(L, sorted_pairs);
  lua_setfield(L, -2, "pairs");
  lua_pushcfunction(L, plain_tostring);
  lua_setfield(L, -2, "tostring");
  lua_pushcfunction(L, faithful_pcall);
  lua_setfield(L, -2, "pcall");
  lua_pushcfunction(L, faithful_xpcall);
  lua_setfield(L, -2, "xpcall");
  replace(L, "setmetatable", checked_setmetatable);

  open_one(L, LUA_TABLIBNAME, luaopen_table);
  lua_getfield(L, -1, "sort");
  lua_setfield(L, LUA_REGISTRYINDEX, "impound.sort");
  place_all(L, LUA_TABLIBNAME);
  freeze(L, LUA_TABLIBNAME);
  lua_setfield(L, -2, LUA_TABLIBNAME);

  open_one(L, LUA_STRLIBNAME, luaopen_string);
  remove(L, {"dump"});
  replace(L, "rep", bounded_rep);
  replace(L, "format", plain_format);
  replace(L, "gmatch", watched_gmatch);
  place_all(L, LUA_STRLIBNAME);
  // Methods of text ("x"):rep() come from its metatable.
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
  freeze(L, LUA_STRLIBNAME);
  lua_setfield(L, -2, LUA_STRLIBNAME);

  open_one(L, LUA_MATHLIBNAME, luaopen_math);
  remove(L, {"random", "randomseed"});
  freeze(L, LUA_MATHLIBNAME);
  lua_setfield(L, -2, LUA_MATHLIBNAME);

  open_one(L, LUA_UTF8LIBNAME, luaopen_utf8);
  place_all(L, LUA_UTF8LIBNAME);
  freeze(L, LUA_UTF8LIBNAME);
  lua_setfield(L, -2, LUA_UTF8LIBNAME);
  lua_pop(L, 1);
}

void freeze_globals(lua_State* L) {
  lua_pushglobaltable(L);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, unknown_global);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, refused_global);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

std::set<std::string> global_names(lua_State* L) {
  std::set<std::string> names;
  lua_pushglobaltable(L);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    names.emplace(lua_tostring(L, -2));
  }
  lua_pop(L, 1);
  return names;
}

}  // namespace impound::lua
